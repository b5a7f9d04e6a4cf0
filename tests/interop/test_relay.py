# test_relay: mail goes on to MTAs of another make, by route and by MX, and only what was taken there counts as gone.
import re
import time

import pytest

from peers import Dns, Exim, Sink
from site_of_test import free_port, wait_until
from test_clients import PLAIN, send_by_hand
from wire import Wire, arrived_as_sent, split_added

TRUST = 'relay from 127.0.0.0/8\nresolver dnssec off\n'


def test_to_exim(sites, peer):
    exim = peer(Exim)
    site = sites(f'{TRUST}route example.com via 127.0.0.1:{exim.port}')
    send_by_hand(site, recipients=['carol@example.com', 'dave@example.com'])
    # Exim writes one file for each of the two, whom it got in one transaction.
    assert sorted(re.search(rb'(?m)^Envelope-to: (.*)', m).group(1) for m in exim.wait_mail(2)) == \
        [b'carol@example.com', b'dave@example.com']
    assert exim.log().count(' <= ') == 1
    got = exim.mailbox()[0]
    added = dict(split_added(re.sub(rb'(?m)^Envelope-to:.*\n', b'', got, count=1))[0])
    assert added['return-path'] == '<you@example.net>'
    received = re.findall(rb'(?m)^Received: from (.*)', got)
    assert len(received) == 2 and b'mx1.example.org' in received[0] and b'client.example.net' in received[1], received
    assert got.endswith(PLAIN.replace(b'\r\n', b'\n')), got
    assert 'P=esmtps' in exim.log(), 'no STARTTLS although Exim offers it'
    site.wait_queue_empty()
    assert site.metric('posthouse_recipients_delivered_total') >= 2


def test_to_exim_without_tls_when_told_so(sites, peer):
    exim = peer(Exim)
    site = sites(f'{TRUST}tls out never\nroute example.com via 127.0.0.1:{exim.port}')
    send_by_hand(site, recipients=['carol@example.com'])
    exim.wait_mail()
    assert 'P=esmtp ' in exim.log()


def test_twenty_megabytes_to_exim(sites, peer):
    exim = peer(Exim)
    site = sites(f'{TRUST}route example.com via 127.0.0.1:{exim.port}')
    content = b'Subject: big\r\n\r\n' + b''.join(b'%070d\r\n' % i for i in range(20_000_000 // 72)) + b'.\r\n.end\r\n'
    with Wire(site.port, timeout=120) as w:
        w.hello()
        w.message('you@example.net', ['carol@example.com'], content)
    got = exim.wait_mail(1, 60)[0]
    assert got.endswith(content.replace(b'\r\n', b'\n'))


def test_refused_there_bounces_here(sites, peer):
    exim = peer(Exim)
    site = sites(f'{TRUST}route example.com via 127.0.0.1:{exim.port}')
    send_by_hand(site, sender='alice@example.org', recipients=['carol@example.com', 'nobody@example.com'])
    exim.wait_mail()
    bounce = site.wait_mail('alice')[0]
    assert b'no such user here' in bounce and b'nobody@example.com' in bounce
    site.wait_queue_empty()


def test_many_recipients_a_result_each(sites, peer):
    sink = peer(Sink, refuse=['r1', 'r2'], busy=['b1'])
    site = sites(f'{TRUST}route example.com via 127.0.0.1:{sink.port}')
    to = [f'{n}@example.com' for n in ('a1', 'r1', 'a2', 'b1', 'r2', 'a3')]
    send_by_hand(site, sender='alice@example.org', recipients=to)
    assert sink.wait()[0][0] == ['a1@example.com', 'a2@example.com', 'a3@example.com']
    bounce = site.wait_mail('alice')[0].decode()
    for failed in ('r1', 'r2'):
        assert re.search(rf'(?i)^Final-Recipient: rfc822; ?{failed}@example.com', bounce, re.MULTILINE), bounce
    assert not re.search(r'(?mi)^Final-Recipient:.*(a1|a2|a3|b1)@', bounce)
    left = site.queue()
    assert len(left) == 1 and [r['address'] for r in left[0]['recipients']] == ['b1@example.com'], left
    assert '450' in str(left) and 'try again' in str(left)
    sink.busy.clear()
    site.run('queue', 'retry', '--all')
    assert sink.wait(2)[1][0] == ['b1@example.com']
    assert len(sink.got) == 2
    site.wait_queue_empty()


def test_connection_is_used_again(sites, peer):
    sink = peer(Sink)
    site = sites(f'{TRUST}route example.com via 127.0.0.1:{sink.port}')
    for n in range(10):
        send_by_hand(site, recipients=[f'a{n}@example.com'])
        sink.wait(n + 1)
    assert sink.sessions <= 3, f'{sink.sessions} connections for 10 messages one after the other'


def test_content_reaches_the_next_hop_untouched(sites, peer):
    sink = peer(Sink)
    site = sites(f'{TRUST}route example.com via 127.0.0.1:{sink.port}')
    send_by_hand(site, recipients=['a@example.com'])
    content = sink.wait()[0][1]
    assert content.endswith(PLAIN) and content.startswith(b'Received: from client.example.net')
    arrived = [line for line in content.split(b'\r\n') if b'\n' in line or b'\r' in line]
    assert arrived == []


def test_a_dead_destination_holds_up_no_other(sites, peer):
    sink = peer(Sink)
    site = sites(f'{TRUST}route dead.example via 127.0.0.1:{free_port()}\nroute example.com via 127.0.0.1:{sink.port}')
    for n in range(20):
        send_by_hand(site, recipients=[f'x{n}@dead.example'])
    began = time.monotonic()
    send_by_hand(site, recipients=['a@example.com'])
    sink.wait()
    assert time.monotonic() - began < 2
    wait_until(lambda: len(site.queue()) == 20, 10, 0.2)
    assert 'refused' in str(site.queue()).lower()


# --- by MX ---

def mx_site(sites, peer, records, port, more=''):
    dns = peer(Dns, records)
    return sites(f'relay from 127.0.0.0/8\nresolver forward 127.0.0.1:{dns.port}\nresolver dnssec off\n'
                 f'route * via mx port {port}\n{more}')


def test_mx_by_preference_and_fallback(sites, peer):
    port = free_port('127.0.0.11')
    first = peer(Sink, '127.0.0.11', port)
    second = peer(Sink, '127.0.0.12', port)
    site = mx_site(sites, peer, '''
        two.example. MX 10 a.two.example.
        two.example. MX 20 b.two.example.
        a.two.example. A 127.0.0.11
        b.two.example. A 127.0.0.12
        ''', port)
    for n in range(3):
        send_by_hand(site, recipients=[f'p{n}@two.example'])
    first.wait(3)
    assert second.got == []
    first.stop()
    send_by_hand(site, recipients=['q@two.example'])
    assert second.wait()[0][0] == ['q@two.example']


def test_mx_that_is_busy_gives_way_to_the_next(sites, peer):
    port = free_port('127.0.0.11')
    peer(Sink, '127.0.0.11', port, keep_out=True)
    second = peer(Sink, '127.0.0.12', port)
    site = mx_site(sites, peer, '''
        two.example. MX 10 a.two.example.
        two.example. MX 20 b.two.example.
        a.two.example. A 127.0.0.11
        b.two.example. A 127.0.0.12
        ''', port)
    send_by_hand(site, recipients=['q@two.example'])
    second.wait()


def test_equal_preferences_share(sites, peer):
    port = free_port('127.0.0.11')
    both = [peer(Sink, host, port) for host in ('127.0.0.11', '127.0.0.12')]
    site = mx_site(sites, peer, '\n'.join(
        f'd{n}.example. MX 10 a.two.example.\nd{n}.example. MX 10 b.two.example.' for n in range(16)) + '''
        a.two.example. A 127.0.0.11
        b.two.example. A 127.0.0.12''', port)
    for n in range(16):
        send_by_hand(site, recipients=[f'q@d{n}.example'])
    wait_until(lambda: sum(len(s.got) for s in both) == 16, 20)
    assert all(s.got for s in both), 'sixteen times the same of two equals'


def test_address_where_there_is_no_mx(sites, peer):
    port = free_port('127.0.0.13')
    sink = peer(Sink, '127.0.0.13', port)
    site = mx_site(sites, peer, 'plain.example. A 127.0.0.13\nalias.example. CNAME plain.example.', port)
    send_by_hand(site, recipients=['a@plain.example'])
    sink.wait()
    send_by_hand(site, recipients=['a@alias.example'])
    sink.wait(2)


def test_ipv6_only(sites, peer):
    port = free_port()
    try:
        sink = peer(Sink, '::1', port)
    except (OSError, TimeoutError):
        pytest.skip('skipped: no IPv6 on this machine')
    site = mx_site(sites, peer, 'six.example. MX 10 a.six.example.\na.six.example. AAAA ::1', port)
    send_by_hand(site, recipients=['a@six.example'])
    sink.wait()


def test_address_literal(sites, peer):
    port = free_port('127.0.0.14')
    sink = peer(Sink, '127.0.0.14', port)
    site = mx_site(sites, peer, '', port)
    send_by_hand(site, recipients=['a@[127.0.0.14]'])
    assert sink.wait()[0][0] == ['a@[127.0.0.14]']


def test_ourselves_in_the_mx_list(sites, peer):
    port = free_port('127.0.0.11')
    better = peer(Sink, '127.0.0.11', port)
    worse = peer(Sink, '127.0.0.12', port)
    site = mx_site(sites, peer, '''
        backup.example. MX 10 a.backup.example.
        backup.example. MX 20 mx1.example.org.
        backup.example. MX 30 b.backup.example.
        lonely.example. MX 10 mx1.example.org.
        a.backup.example. A 127.0.0.11
        b.backup.example. A 127.0.0.12
        mx1.example.org. A 127.0.0.1
        ''', port)
    send_by_hand(site, recipients=['a@backup.example'])
    better.wait()
    better.stop()
    send_by_hand(site, recipients=['b@backup.example'])
    send_by_hand(site, sender='alice@example.org', recipients=['c@lonely.example'])
    assert b'5.4.6' in site.wait_mail('alice')[0]
    assert worse.got == [], 'mail went to a host that is no better than ourselves (RFC 5321 5.1)'


def test_dnssec_on_behind_a_forwarder_that_knows_nothing_of_it(sites, peer):
    port = free_port('127.0.0.11')
    sink = peer(Sink, '127.0.0.11', port)
    dns = peer(Dns, 'one.example. MX 10 a.one.example.\na.one.example. A 127.0.0.11')
    site = sites(f'relay from 127.0.0.0/8\nresolver forward 127.0.0.1:{dns.port}\nroute * via mx port {port}')
    send_by_hand(site, recipients=['a@one.example'])
    sink.wait()


def test_no_name_server_answers_defers(sites):
    site = sites(TRUST)
    send_by_hand(site, sender='alice@example.org', recipients=['a@one.example'])
    left = wait_until(lambda: [m for m in site.queue() if m['recipients'][0].get('delay_reason')], 45, 0.5)
    assert left and site.mailbox('alice') == []


def test_tls_certificate_does_not_matter_to_may(sites):
    """Opportunistic: the certificate of the test sites is self-signed and for another name."""
    receiver = sites()
    site = sites(f'{TRUST}route example.org via 127.0.0.1:{receiver.port}', domain='sender.example')
    send_by_hand(site, recipients=['alice@example.org'])
    stored = receiver.wait_mail('alice')[0]
    received = [value for name, value in arrived_as_sent(stored, PLAIN) if name == 'received']
    assert len(received) == 2 and 'from mx1.sender.example' in received[0] and 'with ESMTPS' in received[0], received
