# test_filters_hostile: filters that die at each step, talk nonsense, say nothing, never end, or want what may not be:
# the mail is never half changed, the configuration says what becomes of it, and the server goes on.
import re
import struct
import time

import pytest

from milter import ALL, Milter, at, flood, header, packet
from site_of_test import wait_until
from wire import Wire

BODY = b'Subject: hello\r\nTo: alice@example.org\r\nFrom: you@example.net\r\n\r\none\r\n.two\r\nthree\r\n'
CHANGES = (header(b'h', 'X-Half', 'done') + header(b'm', 'Subject', 'changed', 1) + packet(b'b', b'replaced\r\n') +
           packet(b'+', b'<bob@example.org>\0') + packet(b'-', b'<alice@example.org>\0') + packet(b'q', b'why\0'))
TIMES = 'connect 2s; reply 600ms; content 1s'

BROKEN = {
    **{f'dies at {name}': at(letter, None) for name, letter in (
        ('negotiation', b'O'), ('connect', b'C'), ('helo', b'H'), ('mail', b'M'), ('rcpt', b'R'), ('data', b'T'),
        ('header', b'L'), ('end of header', b'N'), ('body', b'B'), ('end', b'E'))},
    'dies after half of its changes': at(b'E', lambda *a: _say_and_die(a[2], CHANGES)),
    'dies within a packet': at(b'E', lambda *a: _say_and_die(a[2], CHANGES + packet(b'h', b'X-Long\0' + b'x' * 999)[:200])),
    'garbage at negotiation': at(b'O', b'220 mail.example.net ESMTP\r\n'),
    'garbage at the end': at(b'E', CHANGES + b'\0\0\0\x05?abcd'),
    'too long a packet': at(b'E', CHANGES + struct.pack('>I', 0x7fffffff) + b'c'),
    'no length': at(b'M', struct.pack('>I', 0) + b'cccc'),
    'never negotiates': at(b'O', b''),
    'never answers mail': at(b'M', b''),
    'never answers the end': at(b'E', CHANGES),
    'version 99': at(b'O', packet(b'O', struct.pack('>III', 99, ALL, 0))),
    'wants all actions': at(b'O', packet(b'O', struct.pack('>III', 6, 0xffffffff, 0))),
    'macros without end': at(b'O', packet(b'O', struct.pack('>III', 6, ALL, 0) + struct.pack('>I', 2) + b'i ' * 30000 + b'\0')),
    'a change too early': at(b'M', header(b'h', 'X-Early', 'x') + packet(b'c')),
    'a field without end': at(b'E', CHANGES + packet(b'h', b'X-Name\0value') + packet(b'c')),
    'a name that is none': at(b'E', CHANGES + header(b'h', 'X Name\r\nEvil', 'x') + packet(b'c')),
    'an address that is none': at(b'E', CHANGES + packet(b'+', b'<no one@@example.org>\0') + packet(b'c')),
    'a sender that is none': at(b'E', CHANGES + packet(b'e', b'<a@b\r\nRCPT TO:<x@y>>\0') + packet(b'c')),
    'fields of a megabyte': at(b'E', CHANGES + header(b'h', 'X-Big', 'x' * 60000) * 18 + packet(b'c')),
    'a hundred thousand fields': at(b'E', CHANGES + header(b'h', 'X', 'y') * 100000 + packet(b'c')),
    'a body without end': at(b'E', flood(packet(b'b', b'x' * 65535), 20)),
    'progress without end': at(b'E', flood(packet(b'p'), 20)),
    'a reply that is none': at(b'R', packet(b'y', b'250 fine\0')),
}


def _say_and_die(milter, text):
    next(iter(milter.open)).sendall(text)


def send(site):
    """The code of the first refusal, or 250."""
    with Wire(site.port) as w:
        w.hello()
        for line in ('MAIL FROM:<you@example.net>', 'RCPT TO:<alice@example.org>', 'DATA'):
            code = w.say(line)[0]
            if code >= 400:
                return code
        w.send(BODY.replace(b'\r\n.', b'\r\n..') + b'.\r\n')
        return w.reply()[0]


def limited(milter):
    return f'filter one milter {milter.listen} {{ {TIMES}; failure accept }}\nlimit {{ message-size 2M }}\n'


def arrives_as_sent(site, n):
    """The n-th message is for alice alone, as it was sent."""
    got = site.wait_mail('alice', n)
    assert all(m.replace(b'\r\n', b'\n').endswith(BODY.replace(b'\r\n', b'\n')) for m in got), got
    assert not any(b'X-Half' in m or b'replaced' in m for m in got) and not site.mailbox('bob')


def test_accepts_unchanged(sites, peer):
    """With `failure accept` the message arrives as it was sent, whatever the filter did half."""
    milter = peer(Milter)
    site = sites(extra=limited(milter))
    for n, (name, answer) in enumerate(BROKEN.items(), 1):
        milter.answer = answer
        assert send(site) == 250, name
        arrives_as_sent(site, n)
        wait_until(lambda: site.logged().count('broke off') == n)
    assert 'process-ended' not in site.logged()


@pytest.mark.parametrize('failure, code', [('tempfail', 451), ('reject', 550), ('quarantine', 250)])
def test_failures(sites, peer, failure, code):
    milter = peer(Milter)
    site = sites(extra=f'filter one milter {milter.listen} {{ {TIMES}; failure {failure} }}')
    for n, name in enumerate(['dies at mail', 'dies after half of its changes', 'never answers the end'], 1):
        milter.answer = BROKEN[name]
        assert send(site) == code, name
        if failure == 'quarantine':
            assert len(wait_until(lambda: [m for m in site.queue() if 'held' in str(m)])) == n
    assert not site.mailbox('alice') and not site.mailbox('bob')


def test_nobody_is_there(sites):
    site = sites(extra=f'filter one milter unix:/nowhere/filter.sock {{ {TIMES} }}')
    assert send(site) == 451
    wait_until(lambda: 'filter-unreachable' in site.logged())


LINES = {
    'a bare LF in a value': (header(b'h', 'X-New', 'one\nEvil: two'), b'X-New: one\n\tEvil: two\n'),
    'a bare CR in a value': (header(b'h', 'X-New', 'one\rEvil: two'), b'X-New: one\n\tEvil: two\n'),
    'an empty line in a value': (header(b'h', 'X-New', 'one\n\nbody'), b'X-New: one\n\tbody\n'),
    'a folded value': (header(b'h', 'X-New', 'one\n\ttwo'), b'X-New: one\n\ttwo\n'),
    'smuggling in a value': (header(b'h', 'X-New', 'x\r\n.\r\nMAIL FROM:<>'), b'X-New: x\n\t.\n\tMAIL FROM:<>\n'),
    'bare LF in a body': (packet(b'b', b'one\ntwo\n'), b'\n\none\ntwo\n'),
    'bare CR in a body': (packet(b'b', b'one\rtwo\r') + packet(b'b', b'\nthree\r\n'), b'\n\none\ntwo\nthree\n'),
    'smuggling in a body': (packet(b'b', b'a\n.\r\nMAIL FROM:<x@y>\r\n'), b'\n\na\n.\nMAIL FROM:<x@y>\n'),
}


def test_line_ends(sites, peer):
    """What a filter makes obeys the rules of content from the wire."""
    milter = peer(Milter)
    site = sites(extra=f'filter one milter {milter.listen}')
    for n, (name, (change, want)) in enumerate(LINES.items(), 1):
        milter.answer = at(b'E', change + packet(b'c'))
        assert send(site) == 250, name
        got = site.wait_mail('alice', n)
        assert any(want in m.replace(b'\r\n', b'\n') for m in got), (name, got)
        assert not any(re.search(rb'\r(?!\n)', m) for m in got), name


def test_many_at_once(sites, peer):
    """A filter that never answers holds nobody up who doesn't ask it."""
    milter = peer(Milter, at(b'M', b''))
    site = sites(extra=f'filter one milter {milter.listen} {{ reply 3s; failure tempfail }}')
    wires = [Wire(site.port) for _ in range(20)]
    for w in wires:
        w.hello()
        w.send(b'MAIL FROM:<you@example.net>\r\n')
    begun = time.monotonic()
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'NOOP')
    assert time.monotonic() - begun < 2
    assert [w.reply()[0] for w in wires] == [451] * 20
    for w in wires:
        w.close()
