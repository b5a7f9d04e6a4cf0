# peers: the others that Posthouse talks to: Debian's Exim, a name server, and small SMTP servers by aiosmtpd.
import os
import pwd
import shutil
import subprocess
import tempfile
import textwrap

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from site_of_test import ROOT, free_port, open_port, wait_until

EXIM = os.path.join(ROOT, 'build', 'interop', 'debian', 'usr', 'sbin', 'exim4')


class Exim:
    """Exim for example.com on loopback: takes mail for carol and dave, keeps it in a Maildir, relays nothing.

    It is unpacked, not installed, so its user doesn't exist: nss_wrapper gives it the one it runs as anyway. As root it
    is started as nobody, since it insists on its own user for a configuration of somebody else's.
    """

    def __init__(self):
        if not os.path.exists(EXIM):
            pytest.skip('skipped: no Exim unpacked (tests/interop/setup)')
        self.dir = tempfile.mkdtemp(prefix='ph-exim-', dir='/tmp')
        self.port = free_port()
        me = pwd.getpwnam('nobody') if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        shutil.copy(EXIM, f'{self.dir}/exim4')
        for name in ('spool', 'log', 'mail'):
            os.mkdir(f'{self.dir}/{name}')
        self._write('passwd', f'root:x:0:0::/:/bin/sh\nDebian-exim:x:{me.pw_uid}:{me.pw_gid}::/:/bin/false\n')
        self._write('group', f'root:x:0:\nDebian-exim:x:{me.pw_gid}:\n')
        self._write('conf', self._configuration())
        if os.getuid() == 0:
            for folder, _, names in os.walk(self.dir):
                for path in [folder] + [os.path.join(folder, n) for n in names]:
                    os.chown(path, me.pw_uid, me.pw_gid)
        drop = ['setpriv', f'--reuid={me.pw_uid}', f'--regid={me.pw_gid}', '--clear-groups'] if os.getuid() == 0 else []
        env = dict(os.environ, LD_PRELOAD='libnss_wrapper.so', NSS_WRAPPER_PASSWD=f'{self.dir}/passwd',
                   NSS_WRAPPER_GROUP=f'{self.dir}/group')
        self.process = subprocess.Popen(drop + [f'{self.dir}/exim4', '-C', f'{self.dir}/conf', '-bdf'], env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: open_port('127.0.0.1', self.port), 15)

    def _write(self, name, text):
        with open(f'{self.dir}/{name}', 'w', encoding='utf-8') as f:
            f.write(text)

    def _configuration(self):
        return textwrap.dedent(f'''\
            exim_path = {self.dir}/exim4
            spool_directory = {self.dir}/spool
            log_file_path = {self.dir}/log/%slog
            pid_file_path = {self.dir}/pid
            primary_hostname = exim.example.com
            domainlist local_domains = example.com
            daemon_smtp_ports = {self.port}
            local_interfaces = 127.0.0.1
            acl_smtp_rcpt = acl_rcpt
            keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
            rfc1413_query_timeout = 0s
            host_lookup =
            message_size_limit = 30M
            begin acl
            acl_rcpt:
              deny !domains = +local_domains
                   message = relay not permitted
              deny !local_parts = carol : dave
                   message = no such user here
              accept
            begin routers
            local:
              driver = accept
              domains = +local_domains
              transport = box
            begin transports
            box:
              driver = appendfile
              directory = {self.dir}/mail/all
              maildir_format
              return_path_add
              envelope_to_add
            begin retry
            * * F,2h,15m
            ''')

    def mailbox(self):
        new = f'{self.dir}/mail/all/new'
        return [open(os.path.join(new, n), 'rb').read() for n in sorted(os.listdir(new))] if os.path.isdir(new) else []

    def wait_mail(self, n=1, seconds=20):
        wait_until(lambda: len(self.mailbox()) >= n, seconds)
        return self.mailbox()

    def log(self):
        with open(f'{self.dir}/log/mainlog', encoding='utf-8', errors='replace') as f:
            return f.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


class Dns:
    """nsd with all of the world in one zone, the root's: `records` are lines of it; every other name is NXDOMAIN."""

    def __init__(self, records):
        self.dir = tempfile.mkdtemp(prefix='ph-dns-', dir='/tmp')
        self.port = free_port()
        with open(f'{self.dir}/zone', 'w', encoding='utf-8') as f:
            f.write('$ORIGIN .\n$TTL 60\n@ SOA ns.test. hostmaster.test. 1 3600 600 86400 60\n@ NS ns.test.\n'
                    'ns.test. A 127.0.0.1\n' + '\n'.join(line.strip() for line in records.splitlines()) + '\n')
        with open(f'{self.dir}/conf', 'w', encoding='utf-8') as f:
            f.write(f'''server:
  ip-address: 127.0.0.1@{self.port}
  username: ""
  zonesdir: "{self.dir}"
  zonelistfile: "{self.dir}/list"
  xfrdfile: "{self.dir}/xfrd"
  xfrdir: "{self.dir}"
  pidfile: "{self.dir}/pid"
  database: ""
  logfile: "{self.dir}/log"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "zone"
''')
        self.process = subprocess.Popen(['/usr/sbin/nsd', '-d', '-c', f'{self.dir}/conf'], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: open_port('127.0.0.1', self.port), 15)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


class Sink:
    """An SMTP server by aiosmtpd that keeps what it gets: (recipients, content). `refuse`: local parts answered 550;
    `busy`: local parts answered 450; `keep_out`: MAIL is answered 421."""

    def __init__(self, host='127.0.0.1', port=None, refuse=(), busy=(), keep_out=False):
        self.got, self.sessions, self.commands = [], 0, []
        self.refuse, self.busy, self.keep_out = set(refuse), set(busy), keep_out
        self.host, self.port = host, port or free_port(host)
        self.controller = Controller(self, hostname=host, port=self.port, ready_timeout=10)
        self.controller.factory = self._factory
        self.controller.start()

    def _factory(self):
        self.sessions += 1
        return SMTP(self, enable_SMTPUTF8=True, hostname='sink.example.com', timeout=60)

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.keep_out:
            return '421 4.3.2 not now'
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return '250 2.1.0 sender taken'

    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split('@')[0]
        if local in self.refuse:
            return '550 5.1.1 no such user here'
        if local in self.busy:
            return '450 4.2.1 try again'
        envelope.rcpt_tos.append(address)
        return '250 2.1.5 recipient taken'

    async def handle_DATA(self, server, session, envelope):
        self.got.append((list(envelope.rcpt_tos), envelope.original_content))
        return '250 2.0.0 kept'

    def wait(self, n=1, seconds=20):
        wait_until(lambda: len(self.got) >= n, seconds)
        return self.got

    def stop(self):
        if self.controller:
            self.controller.stop()
            self.controller = None
