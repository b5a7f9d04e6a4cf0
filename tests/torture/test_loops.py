# test_loops: mail that goes in circles ends in one bounce, and bounces that can't be delivered end in nothing.
import time

import pytest

from peers import Dns, Sink
from site_of_test import free_port, wait_until
from torment import TRUST, Bulk, numbered


def quiet(site, seconds=2):
    """Nothing moves any more: the queue is empty and stays so."""
    site.wait_queue_empty(60)
    time.sleep(seconds)
    assert not site.queue()


def events(site, name):
    return sum(f' {name} ' in line for line in site.logged().splitlines())


def test_mx_that_leads_back_to_us(sites, peer):
    """Our own address behind another name in the MX: known by name or address, or else ended by the hops."""
    dns = peer(Dns, 'loop.example. MX 10 elsewhere.example.\nelsewhere.example. A 127.0.0.1\n'
                    'named.example. MX 10 mx1.example.org.\nmx1.example.org. A 127.0.0.1')
    site = sites(started=False)
    with open(site.config, encoding='utf-8') as f:
        text = f.read().split('resolver')[0]
    site.write('posthouse.conf', text + f'{TRUST}\nresolver forward 127.0.0.1:{dns.port}\nresolver dnssec off\n'
                                        f'route * via mx port {site.port}\nlimit {{ hops 20 }}\n')
    site.start()
    with Bulk(site.port) as b:
        for domain in ('loop.example', 'named.example'):
            assert b.send('alice@example.org', f'x@{domain}', numbered(domain)) == 250
    site.wait_mail('alice', 2, 30)
    quiet(site)
    assert len(site.mailbox('alice')) == 2 and events(site, 'message-queued') < 30


def test_two_houses_that_send_to_each_other(sites):
    """a.example is routed to B by A and to A by B."""
    a, b = sites(started=False, domain='example.org'), sites(started=False, domain='example.net')
    for one, other in ((a, b), (b, a)):
        with open(one.config, 'a', encoding='utf-8') as f:
            f.write(f'{TRUST}\nroute a.example via 127.0.0.1:{other.port}\nroute example.org via 127.0.0.1:{a.port}\n'
                    .replace(f'route example.org via 127.0.0.1:{a.port}\n' if one is a else '\0', '') + 'limit { hops 30 }\n')
        one.start()
    with Bulk(a.port) as s:
        for n in range(5):
            assert s.send('alice@example.org', f'x{n}@a.example', numbered(f'm{n}')) == 250
    a.wait_mail('alice', 5, 60)
    quiet(a)
    quiet(b)
    assert len(a.mailbox('alice')) == 5 and b.mailbox('alice') == []
    assert events(a, 'message-queued') + events(b, 'message-queued') < 5 * 35


@pytest.mark.parametrize('aliases,taken', [
    ('x: x\n', False), ('x: y\ny: x\n', False), ('x: y, z\ny: z, x\nz: x, y\n', False), ('x: x@example.org\n', False),
    ('x: alice, x\n', False), ('x: alice, y\ny: alice, x\n', False), ('alice: alice\nx: alice\n', True),
    ('x: alice+tag\nalice: alice+other\n', True)])
def test_alias_loops(sites, aliases, taken):
    site = sites(started=False)
    site.write('aliases', aliases)
    site.start()
    with Bulk(site.port) as b:
        code = b.send('you@example.net', 'x@example.org', numbered('m'))
    if code == 250:
        wait_until(lambda: site.mailbox('alice'), 15)
        quiet(site, 1)
        assert len(site.mailbox('alice')) == 1
    assert (code == 250) == taken, (code, b.last)
    if not taken:
        wait_until(lambda: events(site, 'alias-broken') == 1)  # the log may be a moment behind the reply


def test_aliases_that_grow_without_end(sites):
    """Each name stands for two others: a million recipients from one; refused or cut, and quickly."""
    site = sites(started=False)
    site.write('aliases', ''.join(f'a{n}: a{n + 1}, a{n + 1}x\na{n}x: a{n + 1}, a{n + 1}x\n' for n in range(20)) + 'a20: alice\na20x: alice\n' +
               ''.join(f'w{n}: ' + ', '.join(f'w{n + 1}v{k}' for k in range(50)) + '\n' +
                       ''.join(f'w{n + 1}v{k}: w{n + 1}\n' for k in range(50)) for n in range(5)) + 'w5: alice\n' +
               'wide: ' + ', '.join(f'alice+{n}' for n in range(20000)) + '\n')
    site.start()
    for name in ('a0', 'w0', 'wide'):
        began = time.monotonic()
        with Bulk(site.port) as b:
            code = b.send('you@example.net', f'{name}@example.org', numbered('m'))
        assert time.monotonic() - began < 5, f'{name}: {code} after {time.monotonic() - began:.1f} s'
        print(name, code, b.last)
    with Bulk(site.port) as b:
        assert b.send('you@example.net', 'bob@example.org', numbered('m')) == 250
    site.wait_mail('bob')


def test_bounces_of_bounces(sites, peer):
    """500 messages from a sender who does not exist here, to recipients who fail: no second bounces, no storm."""
    sink = peer(Sink, refuse=['gone'])
    site = sites(f'{TRUST}\nroute example.com via 127.0.0.1:{sink.port}')
    with Bulk(site.port, 60) as b:
        assert b.many('nobody@example.org', ['gone@example.com'] * 250, numbered('m')) == 250
        assert b.many('gone@example.com', ['gone@example.com'] * 250, numbered('m')) == 250
    quiet(site)
    assert sink.got == [] and site.mailbox('alice') == [] and site.mailbox('bob') == []
    # Each message, and at most one notification for each.
    assert events(site, 'message-queued') <= 1000
    assert site.metric('posthouse_bounces_sent_total') <= 500


def test_unreachable_null_sender(sites):
    site = sites(f'{TRUST}\nroute * via 127.0.0.1:{free_port()}', queue='segment 4M; reserve 1M; retry 1s .. 1s; expire 2s')
    with Bulk(site.port, 60) as b:
        assert b.many('', [f'x{n}@far.example' for n in range(100)], numbered('m')) == 100
    quiet(site)
    wait_until(lambda: events(site, 'message-queued') == 100)
