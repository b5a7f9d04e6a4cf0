# dovecot: Debian's Dovecot, unpacked by setup, with nothing but its auth, as a peer. Its programs expect to lie below
# /usr: it gets a mount namespace of its own where they do, which only root can make.
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from site_of_test import ROOT, wait_until

TREE = os.path.join(ROOT, 'build', 'interop', 'dovecot')

START = '''
mount -t overlay overlay -o lowerdir="$1/usr/lib:/usr/lib" /usr/lib || exit 9
mount -t overlay overlay -o lowerdir="$1/usr/bin:/usr/bin" /usr/bin || exit 9
exec "$1/usr/sbin/dovecot" -F -c "$2"
'''


class Dovecot:
    """users: names and their passwords, in the clear."""

    def __init__(self, users):
        if os.geteuid() != 0:
            pytest.skip('only root can make a mount namespace for Dovecot')
        if not os.path.exists(f'{TREE}/usr/sbin/dovecot'):
            pytest.skip('no Dovecot: tests/interop/setup could not fetch it')
        self.dir = tempfile.mkdtemp(prefix='ph-dovecot-', dir='/tmp')
        os.chmod(self.dir, 0o755)
        self.socket = f'{self.dir}/auth.sock'
        self.process = None
        with open(f'{self.dir}/users', 'w', encoding='utf-8') as f:
            f.writelines(f'{user}:{{PLAIN}}{password}\n' for user, password in users.items())
        with open(f'{self.dir}/dovecot.conf', 'w', encoding='utf-8') as f:
            f.write(f'''
protocols =
base_dir = {self.dir}/run
state_dir = {self.dir}/run
log_path = {self.dir}/log
ssl = no
default_internal_user = root
default_internal_group = root
default_login_user = root
auth_mechanisms = plain
auth_failure_delay = 0
service auth {{
  user = root
  unix_listener {self.socket} {{
    mode = 0666
  }}
}}
service stats {{
  user = root
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.dir}/users
}}
userdb {{
  driver = static
  args = uid=0 gid=0 home=/tmp
}}
''')
        self.start()

    def start(self):
        self.process = subprocess.Popen(['unshare', '--mount', 'sh', '-c', START, 'sh', TREE, f'{self.dir}/dovecot.conf'],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)

        def listens():
            """Dovecot's auth listens"""
            if self.process.poll() == 9:
                self.stop()
                pytest.skip('no overlay file system can be mounted here for Dovecot')
            assert self.process.poll() is None, f'Dovecot ended with {self.process.returncode}: {self.process.stderr.read()}'
            return os.path.exists(self.socket)

        wait_until(listens, 20)

    def halt(self):
        """Stops it, to be started again. Its auth stays for those who are connected: it is killed."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.stderr.close()
        self.process = None
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def stop(self):
        self.halt()
        shutil.rmtree(self.dir, ignore_errors=True)
