# gate: contenders with everything on that a server does before it trusts a stranger: SPF, DKIM, DMARC, two block lists, its
# name in DNS. Debian's Postfix does it with postscreen, policyd-spf, opendkim and opendmarc. All of them ask one small
# server of DNS on loopback; Debian's find it by a resolv.conf that only they see.

import base64
import hashlib
import os
import pathlib
import re
import smtplib
import socket
import subprocess
import time

from contenders import Postfix, Posthouse
from meter import Tree
from tools import BIN, WORK, BenchError, make_dkim_key, run

DNS = '127.53.0.1', 53  # resolv.conf knows no other port
CLIENT, FORWARDER = '127.0.1.1', '127.0.200.1'
SIZE = 10240
CROWD = 'shutout { points 0 }\nworkers { smtpd 2 }'  # more sessions than one process may have files on many a machine


def public_key():
    der = subprocess.run(['openssl', 'pkey', '-in', str(make_dkim_key()), '-pubout', '-outform', 'DER'], capture_output=True, check=True)
    return base64.b64encode(der.stdout).decode()


def records():
    return f'''example.com TXT v=spf1 ip4:{CLIENT} -all
example.com MX blast.example.com
example.com A {CLIENT}
blast.example.com A {CLIENT}
1.1.0.127.in-addr.arpa PTR blast.example.com
1.200.0.127.in-addr.arpa PTR forwarder.example.net
forwarder.example.net A {FORWARDER}
_dmarc.example.com TXT v=DMARC1; p=reject
s._domainkey.example.com TXT v=DKIM1; k=rsa; p={public_key()}
2.0.0.127.one.example A 127.0.0.2
2.0.0.127.two.example A 127.0.0.2
'''


class Dns:
    def __init__(self):
        if os.getuid() != 0:
            raise BenchError('DNS on port 53 needs root')
        path = WORK / 'gate.zone'
        path.write_text(records())
        self.tree = Tree([BIN / 'dns', *DNS, path], stdout=subprocess.DEVNULL)
        time.sleep(0.2)
        if not self.tree.alive():
            raise BenchError('the server of DNS does not run')

    def stop(self):
        self.tree.stop()


def signed_message():
    """The path of a message of example.com, signed with RSA-2048, as it goes over the wire."""
    fields = {'from': 'From: <sender@example.com>', 'to': 'To: <rcpt@example.net>', 'date': 'Date: Sat, 21 Nov 2026 09:00:00 +0000',
              'subject': 'Subject: load', 'message-id': 'Message-ID: <blast@example.com>'}
    body = ('X' * 76 + '\r\n') * ((SIZE - 900) // 78)
    tags = (f'v=1; a=rsa-sha256; c=relaxed/simple; d=example.com; s=s; h={":".join(fields)};\r\n'
            f'\tbh={base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()};\r\n\tb=')
    text = ''.join(f'{n}:{f.split(":", 1)[1].strip()}\r\n' for n, f in fields.items()) + 'dkim-signature:' + re.sub(r'\s+', ' ', tags)
    signed = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', str(make_dkim_key())], input=text.encode(), capture_output=True,
                            check=True).stdout
    value = re.sub(r'(.{72})', r'\1\r\n\t', base64.b64encode(signed).decode())
    path = WORK / 'gate.eml'
    path.write_bytes(f'DKIM-Signature: {tags}{value}\r\n{"".join(f + chr(13) + chr(10) for f in fields.values())}\r\n{body}'.encode())
    return path


def say(port, source, content):
    name = 'blast.example.com' if source == CLIENT else 'forwarder.example.net'
    with smtplib.SMTP('127.0.0.1', port, name, 30, (source, 0)) as s:
        for step in (s.ehlo, lambda: s.mail('sender@example.com'), lambda: s.rcpt('rcpt@example.net')):
            code, text = step()
            if code >= 400:
                return code, text
        return s.data(content)


def reply_to(port, source, content):
    """The reply to a message that is said to be of example.com; who is greylisted comes again."""
    for _ in range(5):
        code, text = say(port, source, content)
        if code != 451:
            break
        time.sleep(0.5)
    return code, text


def check(contender, message):
    """That what is measured does its work: what SPF or DKIM proves is taken, what neither does is refused for good."""
    content = message.read_bytes()
    forged = content.replace(b'XXX', b'YYY', 1)
    wanted = [(CLIENT, content, 2), (CLIENT, forged, 2), (FORWARDER, content, 2), (FORWARDER, forged, 5)]
    try:
        got = [reply_to(contender.port, source, text) for source, text, _ in wanted]
    except (OSError, smtplib.SMTPException) as e:
        raise BenchError(f'{contender.name}: {e}\n{contender.output()}') from None
    if [code // 100 for code, _ in got] != [w for _, _, w in wanted]:
        raise BenchError(f'{contender.name}: proven by SPF and DKIM, by SPF, by DKIM, by nothing: {got}\n{contender.output()}')


class GatePosthouse(Posthouse):
    """A client that is not known yet is listened to before it is greeted, here for no time: postscreen, too, lets one that
    passed in at once. Unlike there, the block lists are asked about it each time."""

    def configure(self, job):
        (self.directory / 'posthouse.conf').write_text(f'''version 1
hostname mx.bench.example
state {self.directory}/state
tls out never
listen mx 127.0.0.1:{self.port}
resolver forward {DNS[0]}:{DNS[1]}
domain example.net {{
    recipients any
    deliver relay
}}
route * hold
checks {{ loopback on; greet-wait 0s }}
greylist {{ wait 10ms }}
dnsbl one.example
dnsbl two.example
rate none
limit {{ sessions-per-client 1000000 }}
{CROWD if job.work == "crowd" else ""}
''')


class GatePostfix(Postfix):
    def why_not(self):
        missing = [p for p in ('usr/sbin/opendkim', 'usr/sbin/opendmarc', 'usr/bin/policyd-spf') if not (self.unpacked / p).exists()]
        return super().why_not() or (f'{", ".join(missing)} is not there; tests/bench/setup unpacks it' if missing else None)

    def main_cf(self, job):
        d = self.directory
        text = super().main_cf(job).replace('mynetworks = 127.0.0.0/8', 'mynetworks = 127.0.0.1/32')
        text = text.replace('smtpd_peername_lookup = no', 'smtpd_peername_lookup = yes')
        text = re.sub(r'(?m)^smtpd_(relay|recipient)_restrictions = .*\n', '', text)
        return text + f'''relay_domains = example.net
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/policyd-spf
policyd-spf_time_limit = 3600
smtpd_milters = unix:{d}/milter/socket, unix:{d}/milter/dmarc
milter_default_action = tempfail
postscreen_access_list =
postscreen_greet_action = enforce
postscreen_greet_wait = 2s
postscreen_dnsbl_action = enforce
postscreen_dnsbl_threshold = 1
postscreen_dnsbl_sites = one.example, two.example
postscreen_cache_map = btree:$data_directory/postscreen_cache
'''

    def master_cf(self, job):
        text = super().master_cf(job)
        front = (f'127.0.0.1:{self.port} inet n - n - 1 postscreen\nsmtpd pass - - n - {self.processes} smtpd\n'
                 'dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n'
                 f'policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/env '
                 f'PYTHONPATH={self.root}/usr/lib/python3/dist-packages /usr/bin/python3 {self.root}/usr/bin/policyd-spf '
                 f'{self.directory}/conf/policyd-spf.conf')
        return re.sub(r'(?m)^127\.0\.0\.1:\d+ inet .*$', front, text, count=1)

    def configure(self, job):
        super().configure(job)
        d = self.directory
        os.chmod(d / 'conf', 0o755)
        (d / 'conf/resolv.conf').write_text(f'nameserver {DNS[0]}\n')
        (d / 'conf/policyd-spf.conf').write_text('debugLevel = 0\nTestOnly = 1\nHELO_reject = Fail\nMail_From_reject = False\n'
                                                 'PermError_reject = False\nTempError_Defer = False\nskip_addresses = 192.0.2.1/32\n'
                                                 'Header_Type = AR\nAuthserv_Id = mx.bench.example\n')
        (d / 'conf/opendkim.conf').write_text(f'Mode v\nSocket local:{d}/milter/socket\nUserID {self.owner}\nUMask 000\nSyslog no\n'
                                              f'Background no\nAuthservID mx.bench.example\nOn-BadSignature accept\nTestDNSData file:{d}/conf/keys\n')
        # Debian's opendkim asks DNS from the root on, unless each of its threads reads a configuration, in which they get
        # into each other's way. So it is spared DNS.
        (d / 'conf/keys').write_text(f's._domainkey.example.com v=DKIM1; k=rsa; p={public_key()}\n')
        (d / 'conf/opendmarc.conf').write_text(f'Socket local:{d}/milter/dmarc\nUserID {self.owner}\nUMask 000\nSyslog false\nBackground false\n'
                                               'AuthservID mx.bench.example\nTrustedAuthservIDs mx.bench.example\nRejectFailures true\n')

    def command(self):
        d, root = self.directory, self.root
        libraries = ':'.join(f'{root}/usr/lib/{at}' for at in ('postfix', 'x86_64-linux-gnu', 'aarch64-linux-gnu', ''))
        return ['unshare', '-m', 'sh', '-c', f'''mount --bind {d}/conf/resolv.conf /etc/resolv.conf || exit 1
export LD_LIBRARY_PATH={libraries}
{root}/usr/sbin/opendkim -f -x {d}/conf/opendkim.conf &
{root}/usr/sbin/opendmarc -f -c {d}/conf/opendmarc.conf &
exec {root}/usr/sbin/postfix -c {d}/conf start-fg''']

    def stop(self):
        for pid in self.tree.pids() if self.tree else []:
            try:
                if pathlib.Path(f'/proc/{pid}/comm').read_text().strip() == 'opendmarc':
                    os.kill(pid, 15)
            except OSError:
                pass
        super().stop()


KINDS = {Posthouse: GatePosthouse, Postfix: GatePostfix}
