# test_hostile_clients: what strangers may do to port 25: nothing that they do takes memory, descriptors or the service
# from others, and nothing that they say becomes a line of the log.
import json
import random
import re
import socket
import struct
import threading
import time

import pytest

from site_of_test import wait_until
from test_clients import PLAIN, send_by_hand
from test_crash import pids
from torment import SANITIZED, TRUST, Bulk, at_rest, cpu_seconds, rss, settled_descriptors
from wire import Wire

# Kilobytes that smtpd may have grown by when all is over; a sanitizer keeps freed memory for a while.
GROWTH = 400_000 if SANITIZED else 8_000


def works(site, n=1):
    send_by_hand(site, PLAIN, 'you@example.net', ['alice@example.org'])
    site.wait_mail('alice', n)


def calm(site, was, seconds=15):
    wait_until(lambda: site.metric('posthouse_sessions_open') == 0, seconds, 0.1)
    wait_until(lambda: rss(pids(site)['smtpd']) < was + GROWTH, seconds, 0.2)


def reset(s):
    """Closes with a reset."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()


def test_endless_line(site):
    was = rss(pids(site)['smtpd'])
    for phase in ('', 'MAIL FROM:<you@example.net>', 'DATA'):
        with Wire(site.port) as w:
            w.hello()
            if phase:
                w.expect(250, 'MAIL FROM:<you@example.net>')
            if phase == 'DATA':
                w.expect(250, 'RCPT TO:<alice@example.org>')
                w.expect(354, 'DATA')
            try:
                for _ in range(64 if phase != 'DATA' else 80):
                    w.send(b'x' * 1048576)
            except OSError:
                pass
            assert rss(pids(site)['smtpd']) < was + GROWTH
    calm(site, was)
    works(site)


def test_never_reads_what_it_asked_for(site):
    """10 MB of pipelined commands whose replies are not read: smtpd stops reading, and keeps little."""
    was = rss(pids(site)['smtpd'])
    with Wire(site.port) as w:
        w.hello()
        w.socket.setblocking(False)
        line, sent = b'HELP\r\n' * 10000, 0
        end = time.monotonic() + 4
        while sent < 10_000_000 and time.monotonic() < end:
            try:
                sent += w.socket.send(line)
            except BlockingIOError:
                time.sleep(0.02)
        assert rss(pids(site)['smtpd']) < was + GROWTH
        spent = cpu_seconds(pids(site)['smtpd'])
        time.sleep(1)
        assert cpu_seconds(pids(site)['smtpd']) - spent < 0.3, 'it spins'
        works(site)
    calm(site, was)


def test_half_open_and_one_byte_at_a_time(site):
    slow = [Wire(site.port) for _ in range(20)]
    for w in slow[:10]:
        w.socket.shutdown(socket.SHUT_WR)
    for c in b'EHLO client.example.net\r\n':
        for w in slow[10:]:
            w.send(bytes([c]))
        time.sleep(0.02)
    for w in slow[10:]:
        w.expect(220)
        w.expect(250)
    for w in slow[:10]:
        assert w.is_closed()
    works(site)
    for w in slow:
        w.close()
    calm(site, 10**9)


def test_idle_sessions(sites):
    site = sites(f'{TRUST}\nlimit {{ sessions 1500 }}')
    was, files = rss(pids(site)['smtpd']), at_rest(site)
    idle = [socket.create_connection(('127.0.0.1', site.port), 20) for _ in range(1490)]
    wait_until(lambda: site.metric('posthouse_sessions_open') >= 1490, 20, 0.1)
    works(site)
    more = [socket.create_connection(('127.0.0.1', site.port), 20) for _ in range(30)]
    assert more[-1].recv(100).startswith(b'421 ')
    for s in idle + more:
        s.close()
    calm(site, was)
    settled_descriptors(site, files)
    works(site, 2)


def test_connect_storm(site):
    was, files = rss(pids(site)['smtpd']), at_rest(site)
    for n in range(5000):
        s = socket.create_connection(('127.0.0.1', site.port), 20)
        if n % 3 == 0:
            reset(s)
        elif n % 3 == 1:
            s.close()
        else:
            s.sendall(b'EHLO x\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n')
            s.close()
    calm(site, was)
    works(site)
    settled_descriptors(site, files)


TALK = [b'EHLO x.example\r\n', b'MAIL FROM:<you@example.net>\r\n', b'RCPT TO:<alice@example.org>\r\n', b'DATA\r\n',
        b'Subject: x\r\n\r\n', b'body\r\n', b'.']
TALK_TLS = [b'EHLO x.example\r\n', b'STARTTLS\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', b'\0' * 100]
TALK_BDAT = [b'EHLO x.example\r\n', b'MAIL FROM:<you@example.net>\r\n', b'RCPT TO:<alice@example.org>\r\n',
             b'BDAT 100000\r\n', b'x' * 50000, b'x' * 50000, b'BDAT 200000 LAST\r\n', b'x' * 100000]


@pytest.mark.parametrize('talk', [TALK, TALK_TLS, TALK_BDAT], ids=['data', 'tls', 'bdat'])
def test_reset_in_each_state(site, talk):
    was, files = rss(pids(site)['smtpd']), at_rest(site)
    for _ in range(5):
        for steps in range(len(talk) + 1):
            for end in (reset, socket.socket.close, lambda s: s.shutdown(socket.SHUT_RDWR)):
                s = socket.create_connection(('127.0.0.1', site.port), 20)
                s.recv(500)
                for step in talk[:steps]:
                    s.sendall(step)
                    time.sleep(0.001)
                end(s)
    assert site.mailbox('alice') == []
    works(site)
    calm(site, was)
    settled_descriptors(site, files)


def test_ten_thousand_recipients(sites):
    site = sites('limit { recipients 1000; errors 1000 }')
    was = rss(pids(site)['smtpd'])
    with Wire(site.port, timeout=60) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        codes = []
        for _ in range(19):
            w.send(b'RCPT TO:<alice+0123456789012345678901234567890@example.org>\r\n' * 100)
            codes += [w.reply()[0] for _ in range(100)]
        assert set(codes[:1000]) == {250} and set(codes[1000:]) == {452}
        w.expect(354, 'DATA')
        w.send(b'Subject: x\r\n\r\nx\r\n.\r\n')
        w.expect(250)
        with pytest.raises((OSError, AssertionError)):
            w.expect(250, 'MAIL FROM:<you@example.net>')
            for _ in range(100):
                w.send(b'RCPT TO:<nobody@example.org>\r\n' * 100)
                assert {w.reply()[0] for _ in range(100)} == {550}
    wait_until(lambda: site.mailbox('alice'), 20)
    site.wait_queue_empty(60)
    calm(site, was)


def test_headers_without_measure(sites):
    site = sites('limit { header-size 256K; hops 50 }')
    was = rss(pids(site)['smtpd'])

    def gets(content, *codes):
        with Wire(site.port, timeout=60) as w:
            w.hello()
            w.envelope('you@example.net', 'alice@example.org')
            w.expect(354, 'DATA')
            w.send(content + b'\r\n.\r\n')
            code, text = w.reply()
            assert code in codes, (code, text)
            w.expect(250, 'NOOP')
    gets(b'Received: from a by b; now\r\n' * 1000 + b'\r\nx', 554)
    gets(b'X: ' + b'y' * 990 + b'\r\n' * 1 + b'X-A: b\r\n' * 60000 + b'\r\nx', 552)
    gets(b'X-Folded: a\r\n' + b' b\r\n' * 100000 + b'\r\nx', 552)
    gets(b':' * 900 + b'\r\n\r\nx', 250, 550, 554)
    gets(b'\r\n' * 500000, 250)
    gets(b'Subject: nul \0 and \x7f\x01\x1b[31m\r\n\r\nx\0y', 250, 550, 554)
    gets(b'no header at all\r\nnone here either', 250)
    calm(site, was)
    site.wait_queue_empty(30)


EVIL = ['a\rQUEUE forged', 'a\x1b[2Jb', 'x" level=error y="', 'x\\nforged event', '\x00\x01\x7f', '\u2028forged', '\x85',
        '{"event":"forged"}', "a' b=c", '%n%s%x', 'é\udcff'.encode('utf-8', 'surrogateescape').decode('latin-1'), 'x' * 900]


@pytest.mark.parametrize('form', ['text', 'json'])
def test_nothing_said_becomes_a_line(sites, form):
    site = sites(f'log {form}\nlimit {{ errors 1000 }}\n{TRUST}\nroute * hold')
    for evil in EVIL:
        word = evil.encode('utf-8', 'replace')
        for line in (b'EHLO ' + word, b'HELO ' + word, word, b'MAIL FROM:<' + word + b'@example.net>',
                     b'MAIL FROM:<"' + word + b'"@example.net>', b'MAIL FROM:<a@example.net> X=' + word):
            with Wire(site.port) as w:
                w.expect(220)
                if not line.upper().startswith((b'EHLO', b'HELO')):
                    w.expect(250, 'EHLO x.example')
                w.send(line + b'\r\n')
                w.reply()
                w.say('RSET')
                w.say('EHLO ok.example')
                w.say(b'MAIL FROM:<"' + word + b'"@example.net> SMTPUTF8')
                w.say(b'RCPT TO:<' + word + b'@example.org>')
                w.say(b'RCPT TO:<"' + word + b'"@far.example>')
                w.say(b'RCPT TO:<a@' + word + b'.example>')
                w.say(b'RCPT TO:<bob@far.example> ORCPT=' + word)
                if w.say('DATA')[0] == 354:
                    w.send(b'Subject: ' + word.replace(b'\r', b' ') + b'\r\nMessage-ID: <' + word.replace(b'\r', b' ') +
                           b'@x>\r\n\r\nx\r\n.\r\n')
                    w.reply()
    with open(f'{site.dir}/log', 'rb') as f:
        log = f.read()
    assert not re.search(rb'[\x00-\x08\x0b-\x1f\x7f]', log), re.search(rb'.{0,80}[\x00-\x08\x0b-\x1f\x7f].{0,80}', log)
    log.decode('utf-8')
    for line in log.decode().split('\n')[:-1]:
        if form == 'json':
            assert isinstance(json.loads(line), dict)
        else:
            assert re.match(r'\d{4}-\d\d-\d\dT\S+Z \S+\[\d+\] [a-z-]+( |$)', line), line
    # What goes to a terminal is harmless too.
    listed = site.run('queue', 'list').stdout
    assert not re.search(r'[\x00-\x09\x0b-\x1f\x7f-\x9f]', listed)
    for m in site.queue():
        assert not re.search(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]', site.run('queue', 'show', m['queue_id']).stdout)


def test_everything_at_once(sites):
    """Random bytes and halves of commands from 30 clients for some seconds, while one honest client sends."""
    site = sites('limit { sessions-per-client 500 }')
    was, files, over = rss(pids(site)['smtpd']), at_rest(site), time.monotonic() + 6
    words = [b'EHLO x\r\n', b'MAIL FROM:<', b'RCPT TO:<alice@example.org>\r\n', b'DATA\r\n', b'BDAT 99999999\r\n', b'.\r\n',
             b'BDAT 0 LAST\r\n', b'RSET\r\n', b'STARTTLS\r\n', b'\0\xff\r', b'\n', b'a@b.example>\r\n', b'x' * 3000,
             b'NOOP\r\n' * 50, b'BDAT -1\r\n', b'BDAT 18446744073709551616 LAST\r\n', b'QUIT']

    def bother(seed):
        pick = random.Random(seed)
        while time.monotonic() < over:
            try:
                s = socket.create_connection(('127.0.0.1', site.port), 5)
                for _ in range(pick.randrange(1, 30)):
                    s.sendall(pick.choice(words))
                pick.choice([reset, socket.socket.close])(s)
            except OSError:
                pass
    threads = [threading.Thread(target=bother, args=(n,), daemon=True) for n in range(30)]
    for t in threads:
        t.start()
    n, longest = 0, 0.0
    while time.monotonic() < over:
        began = time.monotonic()
        try:
            with Bulk(site.port) as b:
                n += b.send('you@example.net', 'bob@example.org', b'Subject: x\r\n\r\nx\r\n') == 250
        except OSError:
            pass  # "too many sessions from your address" is fair
        longest = max(longest, time.monotonic() - began)
    for t in threads:
        t.join(20)
    wait_until(lambda: len(site.mailbox('bob')) >= n, 30, 0.2)
    assert n > 5 and longest < 5, (n, longest)
    send_by_hand(site, PLAIN, 'you@example.net', ['bob@example.org'])
    wait_until(lambda: any(b'a few odd lines' in m for m in site.mailbox('bob')), 20)
    calm(site, was)
    settled_descriptors(site, files)
