# filters: filters of others, Debian's, unpacked by tests/interop/setup: OpenDKIM, OpenDMARC, Rspamd, ClamAV's milter with
# its clamd. Each in a directory of its own, on loopback, without any network.
import glob
import os
import shutil
import subprocess
import tempfile

import pytest

from site_of_test import ROOT, free_port, open_port, wait_until

UNPACKED = os.path.join(ROOT, 'build', 'interop', 'filters')
LIBRARIES = sorted({os.path.dirname(f) for pattern in ('filters/*', 'opendkim') for depth in ('*', '*/*')
                    for f in glob.glob(os.path.join(ROOT, 'build', 'interop', pattern, 'usr', 'lib', depth, '*.so*'))}
                   | {os.path.dirname(f) for f in glob.glob(os.path.join(UNPACKED, '*', 'usr', 'lib', '*.so*'))})


class Filter:
    """One process, or several; `listen` is what a configuration of Posthouse says behind `milter`."""

    package, binary = None, None

    def __init__(self):
        path = os.path.join(UNPACKED, self.package, self.binary)
        if not os.path.exists(path):
            pytest.skip(f'skipped: no {self.package} unpacked (tests/interop/setup)')
        self.dir = tempfile.mkdtemp(prefix='ph-filter-', dir='/tmp')
        self.port = free_port()
        self.listen = f'127.0.0.1:{self.port}'
        self.processes = []
        self.log = open(f'{self.dir}/log', 'wb')

    def write(self, name, text, mode=0o600):
        path = f'{self.dir}/{name}'
        with open(path, 'w', encoding='utf-8') as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)
        return path

    def spawn(self, *args, package=None, binary=None, **env):
        path = os.path.join(UNPACKED, package or self.package, binary or self.binary)
        more = dict(os.environ, LD_LIBRARY_PATH=':'.join(LIBRARIES), RES_OPTIONS='timeout:1 attempts:1', **env)
        self.processes.append(subprocess.Popen([path, *args], env=more, cwd=self.dir, stdin=subprocess.DEVNULL,
                                               stdout=self.log, stderr=self.log))

    def wait(self, seconds=30):
        def listens():
            """the filter listens"""
            assert all(p.poll() is None for p in self.processes), self.logged()
            return open_port('127.0.0.1', self.port)
        wait_until(listens, seconds, 0.1)
        return self

    def logged(self):
        with open(f'{self.dir}/log', encoding='utf-8', errors='replace') as f:
            return f.read()

    def stop(self):
        for p in reversed(self.processes):
            p.terminate()
        for p in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class OpenDkimFilter(Filter):
    """records: {name: public key record} for those that are verified; sign: (domain, selector, path of a key)."""

    package, binary = 'opendkim', 'usr/sbin/opendkim'

    def __init__(self, records=None, sign=None):
        super().__init__()
        keys = self.write('keys', ''.join(f'{name} {record}\n' for name, record in (records or {}).items()))
        mode = f'Mode s\nDomain {sign[0]}\nSelector {sign[1]}\nKeyFile {sign[2]}\n' if sign else 'Mode v\n'
        self.spawn('-f', '-x', self.write('conf', f'''{mode}
Socket inet:{self.port}@127.0.0.1
Syslog no
Background no
PidFile {self.dir}/pid
TestPublicKeys {keys}
AuthservID filter.example.org
AlwaysAddARHeader yes
InternalHosts {self.write('internal', '192.0.2.99' if not sign else '127.0.0.0/8')}
RequireSafeKeys no
Canonicalization relaxed/simple
On-SignatureError accept
'''))
        self.wait()


class OpenDmarcFilter(Filter):
    package, binary = 'opendmarc', 'usr/sbin/opendmarc'

    def __init__(self):
        super().__init__()
        self.spawn('-f', '-c', self.write('conf', f'''Socket inet:{self.port}@127.0.0.1
Background false
Syslog false
PidFile {self.dir}/pid
AuthservID dmarc.example.org
TrustedAuthservIDs mx1.example.org
IgnoreHosts {self.write('ignored', '192.0.2.99')}
RejectFailures false
RequiredHeaders true
'''))
        self.wait()


class Rspamd(Filter):
    package, binary = 'rspamd', 'usr/bin/rspamd'

    def __init__(self):
        super().__init__()
        share = os.path.join(UNPACKED, 'rspamd', 'usr', 'share', 'rspamd')
        where = {'LUALIBDIR': f'{share}/lualib', 'PLUGINSDIR': f'{share}/plugins', 'RULESDIR': f'{share}/rules',
                 'SHAREDIR': share, 'CONFDIR': self.dir, 'LOCAL_CONFDIR': self.dir, 'DBDIR': self.dir, 'RUNDIR': self.dir,
                 'LOGDIR': self.dir, 'WWWDIR': self.dir}
        dns, tlds = free_port(), self.write('tlds', 'com\norg\nexample\n')
        self.spawn('-f', '-i', '-c', self.write('conf', f'''
options {{
    tempdir = "{self.dir}"; pidfile = "{self.dir}/pid"; filters = ""; gtube_patterns = "all"; enable_test_patterns = true;
    dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 0.1s; retransmits = 1; }}
    control_socket = "{self.dir}/control.sock mode=0600"; history_file = null; url_tld = "{tlds}";
}}
logging {{ type = "console"; level = "info"; }}
actions {{ reject = 15; add_header = 6; }}
worker "rspamd_proxy" {{
    bind_socket = "127.0.0.1:{self.port}"; milter = yes; timeout = 20s; count = 1; spam_header = "X-Filtered-Spam";
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
'''), *[f'--var={name}={path}' for name, path in where.items()])
        self.wait(60)


class ClamAv(Filter):
    """With one signature of our own: SIGNATURE."""

    package, binary = 'clamav-milter', 'usr/sbin/clamav-milter'
    SIGNATURE = b'posthouse-test-signature-0123456789'

    def __init__(self):
        super().__init__()
        os.mkdir(f'{self.dir}/db')
        self.write('db/test.ndb', f'Posthouse.Test:0:*:{self.SIGNATURE.hex()}\n')
        certs = os.path.join(UNPACKED, 'clamav-base', 'etc', 'clamav', 'certs')
        os.makedirs(f'{self.dir}/certs', exist_ok=True)
        socket_path = f'{self.dir}/clamd.sock'
        self.spawn('--foreground', '-c', self.write('clamd.conf', f'''LocalSocket {socket_path}
LocalSocketMode 666
Foreground yes
DatabaseDirectory {self.dir}/db
TemporaryDirectory {self.dir}
MaxThreads 2
SelfCheck 3600
'''), package='clamav-daemon', binary='usr/sbin/clamd', CVD_CERTS_DIR=certs if os.path.isdir(certs) else
            f'{self.dir}/certs')
        wait_until(lambda: os.path.exists(socket_path) or self.processes[0].poll() is not None, 30, 0.1)
        assert self.processes[0].poll() is None, self.logged()
        self.spawn('-c', self.write('milter.conf', f'''MilterSocket inet:{self.port}@127.0.0.1
ClamdSocket unix:{socket_path}
Foreground yes
OnInfected Reject
RejectMsg Infected with %v
AddHeader Replace
OnFail Defer
LogInfected Basic
'''))
        self.wait()
