# test_smuggling: only <CRLF>.<CRLF> ends DATA (RFC 5321 4.1.1.4), and nothing that came before the TLS handshake counts
# after it (RFC 3207 4.2).
import json
import os

import pytest

from milter import Milter
from site_of_test import PASSWORDS, ROOT
from wire import Wire

SEQUENCES = [b'\n.\n', b'\n.\r', b'\r.\n', b'\r.\r', b'\n.\r\n', b'\r.\r\n', b'\r\n.\n', b'\r\n.\r', b'\r\n\0.\r\n',
             b'\r\n.\0\r\n', b'\r\n.\r\r\n', b'\r\r\n.\r\r\n', b'\r\n\x85.\r\n', b'\x0b.\x0b', b'\r\n. \r\n', b'\r\n.\t\r\n']
SMUGGLED = b'MAIL FROM:<evil@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nboo\r\n'


def corpus():
    path = os.path.join(os.environ.get('POSTHOUSE_CORPORA', os.path.join(ROOT, '..', 'shared', 'corpora')), 'smtp-smuggling',
                        'end-of-data.json')
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf-8') as f:
        return [bytes.fromhex(case['bytes_hex']) for case in json.load(f)]


def everything():
    return SEQUENCES + [s for s in corpus() if s not in SEQUENCES]


def is_bare(sequence):
    rest = sequence.replace(b'\r\n', b'')
    return b'\n' in rest or b'\r' in rest


def content(sequence, before=b'outer'):
    return b'From: bob@example.org\r\nSubject: outer\r\n\r\n' + before + sequence + SMUGGLED


def attempt(site, sequence, split):
    """One message with the sequence in it; gives the code of its end."""
    with Wire(site.port) as w:
        w.hello()
        w.envelope('you@example.net', 'alice@example.org')
        return finish(w, sequence, split)


def finish(w, sequence, split, before=b'outer'):
    """From DATA on."""
    w.expect(354, 'DATA')
    w.send(content(b'', before)[:-len(SMUGGLED)])
    for piece in ([sequence[i:i + 1] for i in range(len(sequence))] if split else [sequence]):
        w.send(piece)
    w.send(SMUGGLED)
    w.send(b'.\r\n')
    code, text = w.reply()
    assert code in (250, 550, 554, 500, 501, 552), (sequence, code, text)
    w.expect(221, 'QUIT')
    assert w.is_closed()
    return code, text


@pytest.mark.parametrize('mode', ['refuse', 'repair'])
def test_no_sequence_ends_data(sites, mode):
    site = sites(f'content line-ends {mode}')
    taken = 0
    for sequence in everything():
        for split in (False, True):
            code, text = attempt(site, sequence, split)
            taken += code == 250
            bare = is_bare(sequence)
            if mode == 'refuse' and bare:
                assert code >= 550 and 'bare' in ' '.join(text).lower(), (sequence, code, text)
            elif bare and b'\0' not in sequence:
                assert code == 250, (sequence, code, text)
    got = site.wait_mail('alice', taken)
    assert all(b'MAIL FROM:<evil@example.net>' in m for m in got or []), 'a part was cut off'
    assert site.mailbox('bob') == []


# --- the ways that content takes: who sends it, how much there is, and what has been refused before

LARGE = b'0123456789abcde\r\n' * 9000  # the queue has its first piece before the sequence comes


def connect(site, who):
    if who != 'user':
        w = Wire(site.port)
        w.hello()
        return w
    w = Wire(site.submissions_port, tls=True)
    w.hello()
    w.login('bob', PASSWORDS['bob'])
    return w


@pytest.mark.parametrize('before', [b'outer', LARGE], ids=['small', 'large'])
@pytest.mark.parametrize('who', ['stranger', 'trusted', 'user', 'filtered', 'cut off'])
def test_no_sequence_ends_content_of(sites, who, before):
    milter = Milter() if who == 'filtered' else None
    extra = {'trusted': 'relay from 127.0.0.0/8\n', 'cut off': 'limit { message-size 64K }\n',
             'filtered': f'filter f milter {milter.listen} {{ }}\n' if milter else ''}.get(who, '')
    site = sites('content line-ends repair\n' + extra, submission=who == 'user')
    taken = 0
    for sequence in everything():
        with connect(site, who) as w:
            w.expect(250, 'MAIL FROM:<bob@example.org>')
            w.expect(550, 'RCPT TO:<nobody@example.org>')
            w.expect(250, 'RCPT TO:<alice@example.org>')
            code, text = finish(w, sequence, before == b'outer', before)
        taken += code == 250
        nul = who == 'user' and b'\0' in sequence
        large = who == 'cut off' and before == LARGE
        assert code == (550 if nul else 552 if large else 250), (sequence, code, text)
    got = site.wait_mail('alice', taken) if taken else []
    assert all(b'MAIL FROM:<evil@example.net>' in m for m in got), 'a part was cut off'
    assert site.mailbox('bob') == []
    if milter:
        assert not milter.failures
        senders = {data for letter, data in milter.told if letter == b'M'}
        assert all(b'evil' not in data for data in senders), senders


def chunked(w, chunks):
    """All chunks, pipelined; the codes of their replies."""
    for i, chunk in enumerate(chunks):
        w.send(f'BDAT {len(chunk)}{" LAST" if i + 1 == len(chunks) else ""}\r\n'.encode() + chunk)
    return [w.reply()[0] for _ in chunks]


@pytest.mark.parametrize('before', [b'outer', LARGE], ids=['small', 'large'])
@pytest.mark.parametrize('who', ['stranger', 'trusted', 'user'])
def test_no_sequence_ends_a_chunk_of(sites, who, before):
    """Nor does any cut of the sequence between two chunks; a chunk's length alone says where it ends (RFC 3030 2)."""
    site = sites('content line-ends repair\n' + ('relay from 127.0.0.0/8\n' if who == 'trusted' else ''),
                 submission=who == 'user')
    taken = 0
    for sequence in everything() + [b'\r\n.\r\n']:
        whole = content(sequence, before) + b'.\r\n'
        at = whole.index(SMUGGLED)
        for cut in range(at - len(sequence), at + 1, 1 if before == b'outer' else 3):
            with connect(site, who) as w:
                w.envelope('bob@example.org', 'alice@example.org')
                codes = chunked(w, [whole[:cut], whole[cut:]])
                nul = who == 'user' and b'\0' in sequence
                assert codes in ([250, 550], [550, 503]) if nul else codes == [250, 250], (sequence, cut, codes)
                taken += not nul
                w.expect(221, 'QUIT')
                assert w.is_closed()
    got = site.wait_mail('alice', taken)
    assert all(b'MAIL FROM:<evil@example.net>' in m for m in got), 'a part was cut off'
    assert site.mailbox('bob') == []


def test_missing_corpus():
    if not corpus():
        pytest.skip('skipped: no corpora')
    assert len(corpus()) == 12


@pytest.mark.parametrize('what', ['NOOP', 'MAIL FROM:<evil@example.net>', 'EHLO evil.example.net'])
def test_plaintext_after_starttls_ends_the_session(site, what):
    with Wire(site.port) as w:
        w.hello()
        w.send(f'STARTTLS\r\n{what}\r\n')
        code, _ = w.reply()
        assert code in (0, 220, 421, 501, 503, 554)
        if code == 220:
            with pytest.raises(OSError):
                w.handshake()
        else:
            assert w.is_closed()


def test_state_from_before_the_handshake_is_forgotten(site):
    with Wire(site.port) as w:
        w.hello()
        w.envelope('you@example.net', 'alice@example.org')
        w.starttls()
        w.expect((503,), 'RCPT TO:<alice@example.org>')
        w.expect((503,), 'DATA')
        text = w.expect(250, 'EHLO client.example.net')
        assert 'STARTTLS' not in text
        w.expect((503, 502, 501, 454), 'STARTTLS')
        w.message('you@example.net', ['alice@example.org'], b'Subject: x\r\n\r\ny\r\n')
    site.wait_mail('alice')


def test_no_commands_out_of_a_bdat_chunk(site):
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        # Refused recipient, so the chunk has nowhere to go; its bytes are content all the same (RFC 3030 2).
        w.expect(550, 'RCPT TO:<nobody@example.org>')
        chunk = b'RSET\r\n' + SMUGGLED + b'.\r\n'
        w.send(f'BDAT {len(chunk)} LAST\r\n'.encode() + chunk)
        w.expect((503, 554))
        w.expect(221, 'QUIT')
        assert w.is_closed()
    assert site.mailbox('bob') == []


def test_a_header_cannot_be_injected_by_the_envelope(site):
    with Wire(site.port) as w:
        w.expect(220)
        w.expect((501, 500, 550), b'EHLO evil\rX-Injected: 1')
        w.expect((501, 500, 550), b'EHLO evil\0example')
        w.expect(250, 'EHLO evil.example.net')
        w.expect((501, 500, 553), b'MAIL FROM:<a\rb@example.net>')
        w.expect((501, 500, 553), b'MAIL FROM:<a\nb@example.net>')
