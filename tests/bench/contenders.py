# contenders: who is measured, each with the configuration that its administrator would give it for the work.
#
# A contender is made for one run: prepare() lays an empty directory, start() serves, stop() ends it. Work is either
# 'hold' (accept and keep) or 'relay' (pass on to the sink on loopback). All of them sync before they say 250.

import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import time
import warnings
from collections import namedtuple

from meter import Tree
from tools import BIN, WORK, BenchError, free_port, make_certificate, make_dkim_key

with warnings.catch_warnings():
    warnings.simplefilter('ignore', DeprecationWarning)  # Debian 12's Python has it
    import crypt

HOLD, RELAY = 'hold', 'relay'
USER, SENDER = ('user', 'secret'), 'user@bench.example'

# work: HOLD or RELAY. tls: there is a certificate. submission: TLS from the first byte, and users who log in. sign: DKIM.
Job = namedtuple('Job', 'work sink_port tls submission sign')


def password_hash():
    """The same for all, and cheap, since a password is looked at for each connection: what is measured is the server."""
    return crypt.crypt(USER[1], '$6$rounds=1000$postpostpost$')


def wait_for_greeting(port, tree, tls, seconds=60):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and tree.alive():
        try:
            with socket.create_connection(('127.0.0.1', port), 1) as s:
                s.settimeout(5)
                s = context.wrap_socket(s) if tls else s
                if s.recv(512).startswith(b'220'):
                    s.sendall(b'QUIT\r\n')
                    s.recv(512)
                    return
        except OSError:
            time.sleep(0.02)
    raise BenchError('no greeting came')


class Contender:
    name = '?'
    crowd = 2000  # idle sessions to open
    speaks_tls = True

    def __init__(self):
        self.directory = WORK / 'run' / self.name
        self.port = free_port()
        self.tree = None

    def why_not(self):
        """Why it can't run here, or None."""
        return None

    def prepare(self, job):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.job = job
        self.configure(job)

    def start(self):
        with open(self.directory / 'output', 'w') as output:
            self.tree = Tree(self.command(), stdout=output, stderr=output, cwd=self.directory)
        try:
            wait_for_greeting(self.port, self.tree, self.job.submission)
        except BenchError as e:
            raise BenchError(f'{self.name}: {e}:\n{self.output()}') from None

    def output(self):
        return (self.directory / 'output').read_text(errors='replace')[-2000:]

    def stop(self):
        if self.tree:
            self.tree.stop()
            self.tree = None
        shutil.rmtree(self.directory, ignore_errors=True)


class Limit(Contender):
    name = 'limit'
    speaks_tls = False

    def configure(self, job):
        self.relay = ['--relay', job.sink_port] if job.work == RELAY else []

    def command(self):
        return [BIN / 'limit', '--port', self.port, '--log', self.directory / 'log', *self.relay]


class Posthouse(Contender):
    name = 'posthouse'
    binary = None  # path

    def submission(self, job):
        """The user's own domain, and no quota."""
        (self.directory / 'passwords').write_text(f'{USER[0]}:{password_hash()}\n')
        (self.directory / 'passwords').chmod(0o600)
        return f'''listen submission 127.0.0.1:{self.port} tls implicit
auth file {self.directory}/passwords
domain bench.example {{
    recipients any
    deliver relay
    {f"dkim selector bench key {make_dkim_key()}" if job.sign else ""}
}}
limit {{ messages-per-session 1000000 }}
quota {{ messages-per-hour 0; messages-per-day 0; recipients-per-hour 0; recipients-per-day 0 }}
'''

    def configure(self, job):
        tls = 'tls certificate {} key {}\n'.format(*make_certificate()) if job.tls else ''
        route = 'hold' if job.work == HOLD else f'via 127.0.0.1:{job.sink_port}'
        listen = self.submission(job) if job.submission else f'listen mx 127.0.0.1:{self.port}\nrelay from 127.0.0.0/8'
        (self.directory / 'posthouse.conf').write_text(f'''version 1
hostname mx.bench.example
state {self.directory}/state
tls out never
route * {route}
{listen}
{tls}''')

    def command(self):
        return [self.binary, 'run', '-c', self.directory / 'posthouse.conf']


class Postfix(Contender):
    """Debian's Postfix, from where `setup` has unpacked it, or as it is installed."""
    name = 'postfix'
    crowd = 200  # a process each
    unpacked = WORK / 'debian'
    # Accounts that every Debian has: its own would have to be made, and the machine is left as it is.
    owner, setgid_group = 'uucp', 'news'
    processes = 300  # more than the sessions of a run: none has to wait

    def __init__(self):
        super().__init__()
        self.root = self.unpacked if (self.unpacked / 'usr/sbin/postfix').exists() else pathlib.Path('/')

    def why_not(self):
        if os.getuid() != 0:
            return 'it runs only as root'
        if not (self.root / 'usr/sbin/postfix').exists():
            return 'it is not there; tests/bench/setup unpacks it'
        if any(not p.stat().st_mode & 0o001 for p in WORK.parents):
            return f'{WORK} can only be reached by root'
        return None

    def main_cf(self, job):
        d, root = self.directory, self.root
        more = 'smtpd_client_restrictions = static:HOLD\n' if job.work == HOLD else ''
        if job.tls:
            certificate = make_certificate()
            more += f'smtpd_tls_chain_files = {certificate[1]}, {certificate[0]}\n'
        if job.submission:
            more += f'smtpd_sasl_type = dovecot\nsmtpd_sasl_path = {d}/auth\n'
        if job.sign:
            more += f'smtpd_milters = unix:{d}/milter/socket\nmilter_default_action = tempfail\n'
        allowed = 'permit_sasl_authenticated' if job.submission else 'permit_mynetworks'
        return f'''compatibility_level = 3.6
myhostname = mx.bench.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
relayhost = [127.0.0.1]:{job.sink_port}
local_transport = error:none
alias_maps =
alias_database =
mail_owner = {self.owner}
setgid_group = {self.setgid_group}
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
queue_directory = {d}/queue
data_directory = {d}/data
maillog_file = {d}/log/mail.log
maillog_file_prefixes = {d}/log
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C LD_LIBRARY_PATH
smtpd_tls_security_level = {'may' if job.tls else 'none'}
smtp_tls_security_level = none
smtpd_peername_lookup = no
smtpd_relay_restrictions = {allowed}, reject
smtpd_recipient_restrictions = {allowed}, reject
smtp_connection_cache_destinations = [127.0.0.1]:{job.sink_port}
message_size_limit = 50000000
{more}'''

    def master_cf(self, job):
        text = (self.root / 'usr/share/postfix/master.cf.dist').read_text()
        smtp = f'127.0.0.1:{self.port} inet n - n - {self.processes} smtpd'
        if job.submission:
            smtp += ' -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes'
        text = re.sub(r'^smtp\s+inet.*$', smtp, text, flags=re.M)
        text = re.sub(r'^(\S+\s+(?:unix|fifo|pass)\s+\S+\s+\S+\s+)y(\s)', r'\1n\2', text, flags=re.M)  # no chroot
        return re.sub(r'^#(postlog\s+unix-dgram.*)$', r'\1', text, flags=re.M)

    def environment(self):
        return {**os.environ, 'LD_LIBRARY_PATH': f'{self.root}/usr/lib/postfix'}

    def configure(self, job):
        owner = pwd.getpwnam(self.owner)
        for name in ('conf', 'queue', 'data', 'log', 'milter'):
            (self.directory / name).mkdir()
        for name in ('data', 'milter'):
            os.chown(self.directory / name, owner.pw_uid, owner.pw_gid)
        (self.directory / 'conf/main.cf').write_text(self.main_cf(job))
        (self.directory / 'conf/master.cf').write_text(self.master_cf(job))
        if job.submission:
            (self.directory / 'passwords').write_text(f'{USER[0]}:{password_hash()}\n')
            (self.directory / 'conf/dovecot.conf').write_text(self.dovecot_conf())
        if job.sign:
            key = shutil.copy(make_dkim_key(), self.directory / 'milter/key.pem')
            os.chown(key, owner.pw_uid, owner.pw_gid)
            (self.directory / 'conf/opendkim.conf').write_text(self.opendkim_conf(key))

    def dovecot_conf(self):
        d, root = self.directory, self.root
        return f'''base_dir = {d}/dovecot
state_dir = {d}/dovecot/state
libexec_dir = {root}/usr/lib/dovecot
mail_plugin_dir = {root}/usr/lib/dovecot/modules
default_internal_user = {self.owner}
default_internal_group = {self.owner}
default_login_user = nobody
import_environment = TZ LD_LIBRARY_PATH
log_path = {d}/log/dovecot
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
passdb {{
  driver = passwd-file
  args = scheme=CRYPT username_format=%u {d}/passwords
}}
userdb {{
  driver = static
  args = uid={self.owner} gid={self.owner} home=/nonexistent
}}
service auth {{
  unix_listener {d}/auth {{
    mode = 0666
  }}
}}
service config {{
  executable = config -c {d}/conf/dovecot.conf
}}
'''

    def opendkim_conf(self, key):
        return f'''Domain bench.example
Selector bench
KeyFile {key}
Mode s
Canonicalization relaxed/relaxed
SignatureAlgorithm rsa-sha256
OversignHeaders From
Socket local:{self.directory}/milter/socket
UserID {self.owner}
UMask 000
Syslog no
Background no
RequireSafeKeys no
'''

    def stop(self):
        """The process that was started is a script that waits for the master; the others know nothing of it."""
        for pid in self.tree.pids() if self.tree else []:
            try:
                name = pathlib.Path(f'/proc/{pid}/comm').read_text().strip()
                if name in ('master', 'dovecot', 'opendkim'):
                    os.kill(pid, signal.SIGTERM)
            except OSError:
                pass
        super().stop()

    def command(self):
        d, root = self.directory, self.root
        libraries = ':'.join(f'{root}/usr/lib/{at}' for at in ('postfix', 'dovecot', 'dovecot/modules/old-stats',
                                                               'x86_64-linux-gnu', 'aarch64-linux-gnu', ''))
        lines = [f'export LD_LIBRARY_PATH={libraries}']
        if self.job.submission:  # unpacked, it doesn't find its own doveconf; this is what that would do
            lines.append(f'{root}/usr/bin/doveconf -f service=master -c {d}/conf/dovecot.conf -m master '
                         f'-e {root}/usr/sbin/dovecot -F &')
        if self.job.sign:
            lines.append(f'{root}/usr/sbin/opendkim -f -x {d}/conf/opendkim.conf &')
        return ['sh', '-c', '\n'.join(lines + [f'exec {root}/usr/sbin/postfix -c {d}/conf start-fg'])]
