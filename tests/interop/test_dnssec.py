# test_dnssec: answers are validated, from our own signed root down, behind a forwarder and by full recursion; mail never
# goes where a forged answer points to; failures and successes come from the cache as what they are.
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from peers import Sink
from site_of_test import free_port, wait_until
from test_clients import send_by_hand

RIGHT, WRONG = '127.0.0.11', '127.0.0.12'
PAST = ['-i', '20200101', '-e', '20200201']  # when the signatures of a zone were good


def zone_text(name, records, server):
    dot = '.' if name == '.' else f'{name}.'
    at = 'ns.' if name == '.' else f'ns.{name}.'
    return (f'$ORIGIN {dot}\n$TTL 60\n@ SOA {at} hostmaster.{at} 1 3600 600 86400 60\n@ NS {at}\n{at} A {server}\n' +
            records + '\n')


def mail_records(name, host='right'):
    return f'one.{name}. MX 10 {host}.{name}.\nright.{name}. A {RIGHT}\nwrong.{name}. A {WRONG}'


class World:
    """Zones below a root of our own. secure: signed. plain: not. forged: its MX was changed after it was signed. expired:
    its signatures are. unsigned: its parent says that it is signed, and it isn't. lame: its server is not there.
    broken: its server says SERVFAIL.

    Two name servers, the root's and that of the others, on port 53 of two loopback addresses; or one for all of them on
    `port`, to be asked as a forwarder."""

    def __init__(self, port=None):
        self.dir = tempfile.mkdtemp(prefix='ph-dnssec-', dir='/tmp')
        self.port, self.processes, self.keys = port, [], {}
        net = f'127.53.{random.randrange(256)}' if port is None else '127.0.0'
        self.root, self.other = (f'{net}.1', f'{net}.2') if port is None else ('127.0.0.1', '127.0.0.1')
        if port is None:
            self._want_port_53()
        self.zones = {n: zone_text(n, mail_records(n), self.other)
                      for n in ('secure', 'plain', 'forged', 'expired', 'unsigned')}
        self._sign('secure', [])
        self._sign('forged', [])
        self._sign('expired', PAST)
        ds = self._key('unsigned') and ''
        self.zones['forged'] = re.sub(r'(?m)^(one\.forged\.\s.*\sMX\s+10 )right', r'\1wrong', self.zones['forged'])
        assert '10 wrong.forged.' in self.zones['forged']
        for name in ('secure', 'plain', 'forged', 'expired', 'unsigned', 'lame', 'broken'):
            ds += f'{name}. NS ns.{name}.\nns.{name}. A {self.other if name != "lame" else "127.53.255.254"}\n'
            ds += self._read(self.keys[name] + '.ds') if name in self.keys else ''
        self.zones['.'] = zone_text('.', ds, self.root)
        self._sign('.', [])
        self.anchors = self.keys['.'] + '.ds'
        self.hints = self._write('hints', f'. 3600 NS ns.\nns. 3600 A {self.root}\n')
        names = [n for n in self.zones if n != '.']
        if port is None:
            self._serve(f'{self.root}@53', ['.'])
            self._serve(f'{self.other}@53', names)
        else:
            self._serve(f'127.0.0.1@{port}', ['.'] + names)

    def _want_port_53(self):
        for address in (self.root, self.other):
            with socket.socket() as s:
                try:
                    s.bind((address, 53))
                except OSError as e:
                    pytest.skip(f'skipped: recursion needs port 53 of loopback, and this user may not have it ({e})')

    def _write(self, name, text):
        with open(f'{self.dir}/{name}', 'w', encoding='utf-8') as f:
            f.write(text)
        return f'{self.dir}/{name}'

    def _read(self, path):
        with open(path, encoding='utf-8') as f:
            return f.read()

    def _run(self, *args):
        return subprocess.run(args, cwd=self.dir, check=True, capture_output=True, text=True).stdout.strip()

    def _key(self, name):
        self.keys[name] = f'{self.dir}/' + self._run('ldns-keygen', '-a', 'ECDSAP256SHA256', '-k', name)
        return self.keys[name]

    def _sign(self, name, when):
        key = os.path.basename(self._key(name))
        self._write('unsigned-zone', self.zones[name])
        self._run('ldns-signzone', '-o', name, '-f', 'signed-zone', *when, 'unsigned-zone', key)
        self.zones[name] = self._read(f'{self.dir}/signed-zone')

    def _serve(self, at, names):
        n = len(self.processes)
        conf = f'''server:
  ip-address: {at}
  username: ""
  zonesdir: "{self.dir}"
  zonelistfile: "{self.dir}/list{n}"
  xfrdfile: "{self.dir}/xfrd{n}"
  xfrdir: "{self.dir}"
  pidfile: "{self.dir}/pid{n}"
  database: ""
  logfile: "{self.dir}/log{n}"
  server-count: 1
remote-control:
  control-enable: no
'''
        if any(n != '.' for n in names):
            conf += 'zone:\n  name: "broken"\n  zonefile: "missing"\n'
        for i, name in enumerate(names):
            self._write(f'zone{n}-{i}', self.zones[name])
            conf += f'zone:\n  name: "{name}"\n  zonefile: "zone{n}-{i}"\n'
        self.processes.append(subprocess.Popen(['/usr/sbin/nsd', '-d', '-c', self._write(f'conf{n}', conf)],
                                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))
        host, port = at.split('@')

        def listens():
            """the name server listens"""
            assert self.processes[-1].poll() is None, self._read(f'{self.dir}/log{n}')
            with socket.socket() as s:
                s.settimeout(1)
                return s.connect_ex((host, int(port))) == 0

        wait_until(listens, 15)

    def fall_silent(self):
        for process in self.processes:
            process.terminate()
            process.wait(10)
        self.processes = []

    def stop(self):
        self.fall_silent()
        shutil.rmtree(self.dir, ignore_errors=True)


def site_that_asks(sites, whom, more=''):
    """A site, not yet started, whose resolver is `whom`."""
    site = sites(more, started=False, queue='segment 16M; reserve 1M; retry 1h .. 1h')
    with open(site.config, encoding='utf-8') as f:
        usual = f.read()
    site.write('posthouse.conf', re.sub(r'(?m)^resolver forward .*$', f'resolver {whom}', usual))
    return site


@pytest.fixture(params=['forward', 'recursive'])
def world(request, peer, sites):
    """A world, the servers that the right and the wrong host are, and a site that asks this world."""
    there = peer(World, free_port() if request.param == 'forward' else None)
    port = free_port(RIGHT)
    there.right, there.wrong = peer(Sink, RIGHT, port), peer(Sink, WRONG, port)
    how = f'forward 127.0.0.1:{there.port}' if there.port else f'recursive\nresolver root-hints {there.hints}'
    there.site = site_that_asks(sites, f'{how}\nresolver trust-anchors {there.anchors}',
                                f'relay from 127.0.0.0/8\nroute * via mx port {port}').start()
    if there.port:
        wait_until(lambda: 'dnssec-works' in there.site.logged(), 20)
    return there


def deferral_of(site, address):
    """The reason why a recipient waits, once there is one."""
    def reason():
        for message in site.queue():
            for r in message['recipients']:
                if r['address'] == address and r.get('delay_reason'):
                    return r['delay_reason']
        return None
    reason.__doc__ = f'{address} is deferred'
    return wait_until(reason, 45, 0.2)


def test_signed(world):
    send_by_hand(world.site, recipients=['a@one.secure'])
    world.right.wait()
    assert world.site.metric('posthouse_dns_answers_total', dnssec='secure') >= 3  # MX, A, AAAA
    assert world.site.metric('posthouse_dns_answers_total', dnssec='bogus') == 0


def test_signed_that_there_is_nobody(world):
    send_by_hand(world.site, sender='alice@example.org', recipients=['a@nobody.secure'])
    assert b'5.1.2' in world.site.wait_mail('alice')[0]
    assert world.site.metric('posthouse_dns_answers_total', dnssec='secure') >= 1


def test_unsigned(world):
    send_by_hand(world.site, recipients=['a@one.plain'])
    world.right.wait()
    assert world.site.metric('posthouse_dns_answers_total', dnssec='insecure') >= 3


@pytest.mark.parametrize('name', ['forged', 'expired', 'unsigned'])
def test_bogus_waits(world, name):
    send_by_hand(world.site, sender='alice@example.org', recipients=[f'a@one.{name}'])
    assert 'DNSSEC' in deferral_of(world.site, f'a@one.{name}')
    assert world.site.metric('posthouse_dns_answers_total', dnssec='bogus') >= 1
    assert world.wrong.got == [] and world.right.got == [] and world.site.mailbox('alice') == []
    # The verdict comes from the cache as what it is, too.
    send_by_hand(world.site, sender='alice@example.org', recipients=[f'b@one.{name}'])
    world.site.run('queue', 'retry', '--all')
    assert 'DNSSEC' in deferral_of(world.site, f'b@one.{name}')
    assert world.wrong.got == [] and world.right.got == [] and world.site.mailbox('alice') == []


@pytest.mark.parametrize('name', ['lame', 'broken'])
def test_a_failure_from_the_cache_is_a_failure(world, name):
    """libunbound keeps SERVFAIL for some seconds, and hands it out as a success whose packet alone tells."""
    for n in range(3):
        send_by_hand(world.site, sender='alice@example.org', recipients=[f'a{n}@one.{name}'])
        assert 'no answer from DNS' in deferral_of(world.site, f'a{n}@one.{name}')
        world.site.run('queue', 'retry', '--all')
    assert world.site.mailbox('alice') == []


def test_cache(world):
    send_by_hand(world.site, recipients=['a@one.secure'])
    world.right.wait()
    world.fall_silent()
    world.right.stop()  # and with it the connection that was kept
    again = Sink(RIGHT, world.right.port)
    try:
        send_by_hand(world.site, recipients=['b@one.secure'])
        again.wait()
    finally:
        again.stop()


@pytest.mark.parametrize('directive', ['trust-anchors', 'root-hints'])
def test_a_file_that_is_not_there(sites, directive):
    site = site_that_asks(sites, f'recursive\nresolver {directive} nowhere')
    site.spawn()
    status = site.process.wait(20)
    site.process = None
    with open(f'{site.dir}/out', encoding='utf-8') as f:
        told = f.read() + site.logged()
    assert status != 0 and f'{site.dir}/nowhere' in told, (status, told)
