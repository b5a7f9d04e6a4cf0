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
import time

from meter import Tree
from tools import BIN, WORK, BenchError, free_port, run

HOLD, RELAY = 'hold', 'relay'


def wait_for_greeting(port, tree, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and tree.alive():
        try:
            with socket.create_connection(('127.0.0.1', port), 1) as s:
                s.settimeout(5)
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

    def prepare(self, work, sink_port, certificate=None):
        """`certificate` is None or the paths of a certificate and its key."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.configure(work, sink_port, certificate)

    def start(self):
        with open(self.directory / 'output', 'w') as output:
            self.tree = Tree(self.command(), stdout=output, stderr=output, cwd=self.directory)
        try:
            wait_for_greeting(self.port, self.tree)
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

    def configure(self, work, sink_port, certificate):
        self.relay = ['--relay', sink_port] if work == RELAY else []

    def command(self):
        return [BIN / 'limit', '--port', self.port, '--log', self.directory / 'log', *self.relay]


class Posthouse(Contender):
    name = 'posthouse'
    binary = None  # path

    def configure(self, work, sink_port, certificate):
        tls = f'tls certificate {certificate[0]} key {certificate[1]}\n' if certificate else ''
        route = 'hold' if work == HOLD else f'via 127.0.0.1:{sink_port}'
        (self.directory / 'posthouse.conf').write_text(f'''version 1
hostname mx.bench.example
state {self.directory}/state
listen mx 127.0.0.1:{self.port}
tls out never
relay from 127.0.0.0/8
route * {route}
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

    def main_cf(self, work, sink_port, certificate):
        d, root = self.directory, self.root
        hold = 'smtpd_client_restrictions = static:HOLD\n' if work == HOLD else ''
        tls = f'smtpd_tls_chain_files = {certificate[1]}, {certificate[0]}\n' if certificate else ''
        return f'''compatibility_level = 3.6
myhostname = mx.bench.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
relayhost = [127.0.0.1]:{sink_port}
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
smtpd_tls_security_level = {'may' if certificate else 'none'}
smtp_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
smtp_connection_cache_destinations = [127.0.0.1]:{sink_port}
message_size_limit = 50000000
{hold}{tls}'''

    def master_cf(self):
        text = (self.root / 'usr/share/postfix/master.cf.dist').read_text()
        smtp = f'127.0.0.1:{self.port} inet n - n - {self.processes} smtpd'
        text = re.sub(r'^smtp\s+inet.*$', smtp, text, flags=re.M)
        text = re.sub(r'^(\S+\s+(?:unix|fifo|pass)\s+\S+\s+\S+\s+)y(\s)', r'\1n\2', text, flags=re.M)  # no chroot
        return re.sub(r'^#(postlog\s+unix-dgram.*)$', r'\1', text, flags=re.M)

    def environment(self):
        return {**os.environ, 'LD_LIBRARY_PATH': f'{self.root}/usr/lib/postfix'}

    def configure(self, work, sink_port, certificate):
        owner = pwd.getpwnam(self.owner)
        for name in ('conf', 'queue', 'data', 'log'):
            (self.directory / name).mkdir()
        os.chown(self.directory / 'data', owner.pw_uid, owner.pw_gid)
        (self.directory / 'conf/main.cf').write_text(self.main_cf(work, sink_port, certificate))
        (self.directory / 'conf/master.cf').write_text(self.master_cf())

    def stop(self):
        """The process that was started is a script that waits for the master."""
        try:
            master = int((self.directory / 'queue/pid/master.pid').read_text())
            if self.tree and master in self.tree.pids():
                os.kill(master, signal.SIGTERM)
        except (OSError, ValueError):
            pass
        super().stop()

    def command(self):
        libraries = f'LD_LIBRARY_PATH={self.root}/usr/lib/postfix'
        return ['env', libraries, self.root / 'usr/sbin/postfix', '-c', self.directory / 'conf', 'start-fg']
