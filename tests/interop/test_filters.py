# test_filters: filters of others behind us: a scripted one that sees everything, and Debian's OpenDKIM, OpenDMARC, Rspamd
# and ClamAV, unchanged.
import base64
import email
import re
import socket
import subprocess
import threading
import time

import dkim
import pytest

from filters import ClamAv, OpenDkimFilter, OpenDmarcFilter, Rspamd
from milter import Milter, PolicyServer, at, header, packet
from site_of_test import PASSWORDS, wait_until
from wire import Wire

MESSAGE = (b'Subject: hello\r\nFrom: you@example.net\r\nTo: alice@example.org\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n'
           b'Message-ID: <1@example.net>\r\n\r\none\r\n')
SPAM = b'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n'
ODD = b'YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n'


@pytest.fixture
def key(tmp_path):
    path = str(tmp_path / 'key.pem')
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', path],
                   check=True, capture_output=True)
    public = subprocess.run(['openssl', 'rsa', '-in', path, '-pubout', '-outform', 'DER'], check=True,
                            capture_output=True).stdout
    return path, 'v=DKIM1; k=rsa; p=' + base64.b64encode(public).decode()


def filters(*of, more=''):
    return ''.join(f'filter f{i} milter {f.listen} {{ {more} }}\n' for i, f in enumerate(of))


def send(site, content=MESSAGE, sender='you@example.net', recipients=('alice@example.org',)):
    """The reply to the end of content, as (code, text)."""
    with Wire(site.port) as w:
        w.hello()
        w.envelope(sender, *recipients)
        w.expect(354, 'DATA')
        w.send(content.replace(b'\r\n.', b'\r\n..') + b'.\r\n')
        code, text = w.reply()
        w.expect(221, 'QUIT')
        return code, '\n'.join(text)


def arrived(site, user='alice'):
    return email.message_from_bytes(site.wait_mail(user)[0])


def results_of(message, who):
    return [v for v in message.get_all('Authentication-Results', []) if v.startswith(who)]


# --- a scripted one

def test_sees_everything(sites, peer):
    milter = peer(Milter)
    site = sites(extra=filters(milter))
    with Wire(site.port) as w:
        w.hello('client.example.net')
        for i in range(2):
            w.expect(250, 'MAIL FROM:<you@example.net> SIZE=100 BODY=8BITMIME')
            w.expect(250, 'RCPT TO:<alice@example.org>')
            w.expect(550, 'RCPT TO:<nobody@example.org>')
            w.expect(354, 'DATA')
            w.send(MESSAGE + b'..dot\r\n.\r\n')
            w.expect(250)
        w.expect(250, 'MAIL FROM:<>')
        w.expect(250, 'RSET')
        w.expect(221, 'QUIT')
    site.wait_mail('alice', 2)
    wait_until(lambda: milter.letters().endswith('Q'))
    one = 'MRT' + 'L' * 5 + 'NBE'
    letters = milter.letters()
    assert letters == 'OCH' + one + one + 'MAQ', letters
    assert milter.connections == 1
    assert milter.data(b'M')[0] == b'<you@example.net>\0SIZE=100\0BODY=8BITMIME\0'
    assert milter.data(b'L')[0] == b'Subject\0hello\0'
    assert milter.data(b'B') == [b'one\r\n.dot\r\n'] * 2
    assert milter.data(b'C')[0].startswith(b'localhost\0' + b'4')
    macros = milter.macros
    assert macros[b'C']['j'] == 'mx1.example.org' and macros[b'C']['{client_addr}'] == '127.0.0.1'
    assert macros[b'C']['{client_name}'] == macros[b'C']['{client_ptr}'] == 'localhost'
    assert macros[b'C']['{daemon_name}'] == 'mx' and macros[b'R']['{rcpt_addr}'] == 'alice@example.org'
    assert macros[b'E']['i'] in site.logged(), macros


def test_tls_is_told(sites, peer):
    milter = peer(Milter)
    site = sites(extra=filters(milter))
    with Wire(site.port) as w:
        w.hello()
        w.starttls()
        w.expect(250, 'EHLO client.example.net')
        w.message('you@example.net', ['alice@example.org'], MESSAGE)
    assert milter.macros[b'H']['{tls_version}'].startswith('TLSv1')
    assert milter.macros[b'H']['{cipher}'] and int(milter.macros[b'H']['{cipher_bits}']) >= 128


def test_changes(sites, peer):
    changes = (header(b'i', 'X-First', 'one', 0) + header(b'm', 'Subject', 'bye', 1) + header(b'm', 'Date', '', 1) +
               header(b'h', 'X-Last', 'two') + packet(b'b', b'new\n') + packet(b'b', b'.body\n') +
               packet(b'+', b'<bob@example.org>\0') + packet(b'-', b'<alice@example.org>\0') +
               packet(b'e', b'<other@example.net>\0') + packet(b'c'))
    milter = peer(Milter, at(b'E', changes))
    site = sites(extra=filters(milter))
    assert send(site)[0] == 250
    got = arrived(site, 'bob')
    assert not site.mailbox('alice')
    assert got['X-First'] == 'one' and got['Subject'] == 'bye' and got['Date'] is None and got['X-Last'] == 'two'
    assert got['Return-Path'] == '<other@example.net>'
    assert got.get_payload().replace('\r', '') == 'new\n.body\n'


def test_large_body_replaced(sites, peer):
    piece = b'y' * 70 + b'\r\n'
    milter = peer(Milter, at(b'E', packet(b'b', piece * 900) * 40 + packet(b'c')), steps=0x80000)
    site = sites(extra=filters(milter))
    content = MESSAGE + (b'x' * 70 + b'\r\n') * 50000
    assert send(site, content)[0] == 250
    body = arrived(site).get_payload().replace('\r', '')
    assert body == ('y' * 70 + '\n') * 36000
    assert sum(len(d) for d in milter.data(b'B')) == len(content) - content.index(b'\r\n\r\n') - 4


def test_later_filters_see_changes(sites, peer):
    first = peer(Milter, at(b'E', header(b'h', 'X-First', '1') + packet(b'b', b'first\r\n') + packet(b'c')))
    second = peer(Milter, at(b'E', header(b'h', 'X-Second', '2') + packet(b'c')))
    site = sites(extra=filters(first, second))
    assert send(site)[0] == 250
    got = arrived(site)
    assert got['X-First'] == '1' and got['X-Second'] == '2' and got.get_payload().strip() == 'first'
    assert b'X-First\x001\0' in second.data(b'L') and second.data(b'B') == [b'first\r\n']


VERDICTS = [
    (b'C', packet(b'r'), 550), (b'H', packet(b't'), 451), (b'M', packet(b'y', b'552 5.2.2 no room\0'), 552),
    (b'R', packet(b'r'), 550), (b'T', packet(b'y', b'451 4.2.0 later\0'), 451), (b'L', packet(b'r'), 550),
    (b'N', packet(b't'), 451), (b'B', packet(b'r'), 550), (b'E', packet(b'y', b'550-5.7.1 one\r\n550 5.7.1 two\0'), 550)]


def test_verdicts(sites, peer):
    milter = peer(Milter)
    site = sites(extra=filters(milter))
    for letter, answer, code in VERDICTS:
        milter.answer = at(letter, answer)
        with Wire(site.port) as w:
            w.hello()
            for line in ('MAIL FROM:<you@example.net>', 'RCPT TO:<alice@example.org>', 'DATA'):
                got, text = w.say(line)
                if got >= 400:
                    break
            else:
                w.send(MESSAGE + b'.\r\n')
                got, text = w.reply()
            assert got == code, (letter, text)
            assert letter != b'E' or text == ['5.7.1 one', '5.7.1 two']
            w.expect(250, 'RSET')
    assert not site.mailbox('alice')


def test_discard_and_quarantine(sites, peer):
    milter = peer(Milter, at(b'E', lambda letter, data, m: packet(b'd') if b'gone' in b''.join(m.data(b'B'))
                             else packet(b'q', b'smells\0') + packet(b'c')))
    site = sites(extra=filters(milter))
    assert send(site)[0] == 250
    wait_until(lambda: [m for m in site.queue() if 'held' in str(m)])
    assert send(site, MESSAGE + b'gone\r\n')[0] == 250
    assert len(site.queue()) == 1 and not site.mailbox('alice')


def test_steps(sites, peer):
    """A filter that asks for little is told little; some steps aren't answered."""
    milter = peer(Milter, steps=0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x200 | 0x80000 | 0x100000)
    site = sites(extra=filters(milter))
    assert send(site)[0] == 250
    site.wait_mail('alice')
    assert milter.letters().startswith('O' + 'L' * 5 + 'BE'), milter.letters()
    assert milter.data(b'L')[0] == b'Subject\0 hello\0'


def test_submission(sites, peer):
    milter = peer(Milter, at(b'E', header(b'h', 'X-Seen', 'yes') + packet(b'c')))
    site = sites(extra=filters(milter, more='for submission'), submission=True)
    with Wire(site.submissions_port, tls=True) as w:
        w.hello()
        w.login('alice', PASSWORDS['alice'])
        w.message('alice@example.org', ['bob@example.org'], MESSAGE.replace(b'you@example.net', b'alice@example.org'))
    assert arrived(site, 'bob')['X-Seen'] == 'yes'
    assert milter.macros[b'M']['{auth_authen}'] == 'alice' and milter.macros[b'M']['{auth_type}'] == 'PLAIN'
    assert send(site)[0] == 250 and milter.connections == 1  # not for port 25


def test_trusted_clients(sites, peer):
    """Their mail is seen too, small and large; what they say of themselves stays."""
    milter = peer(Milter, at(b'E', header(b'h', 'X-Seen', 'yes') + packet(b'c')), steps=0x80000)
    site = sites(extra=filters(milter) + 'relay from 127.0.0.0/8\n')
    content = b'Authentication-Results: mx1.example.org; none\r\n' + MESSAGE
    assert send(site, content)[0] == 250
    assert send(site, content + b'line of text\r\n' * 30000, recipients=['bob@example.org'])[0] == 250
    for user in 'alice', 'bob':
        got = arrived(site, user)
        assert got['X-Seen'] == 'yes' and results_of(got, 'mx1.example.org') == ['mx1.example.org; none']
    assert len(arrived(site, 'bob').get_payload()) > 13 * 30000


SIGNED = {
    'in front of all': header(b'i', 'Subject', 'changed', 0) + header(b'i', 'X-New', 'x', 0),
    'header': header(b'm', 'Subject', 'changed', 1),
    'body': packet(b'b', b'another body\r\n' * 4000) * 3,
    'both': header(b'h', 'X-New', 'x') + header(b'm', 'Subject', 'changed', 1) + packet(b'b', b'neu\n\xc3\xa4')}


@pytest.mark.parametrize('what', SIGNED)
def test_signs_what_leaves(sites, peer, key, what):
    """A user's mail is signed as filters left it."""
    path, record = key
    milter = peer(Milter, at(b'E', SIGNED[what] + packet(b'c')))
    site = sites(extra=filters(milter, more='for submission') +
                 f'dkim sign example.org as example.org selector s1 key {path}\n', submission=True)
    with Wire(site.submissions_port, tls=True) as w:
        w.hello()
        w.login('alice', PASSWORDS['alice'])
        w.message('alice@example.org', ['bob@example.org'], MESSAGE.replace(b'you@example.net', b'alice@example.org'))
    stored = re.sub(rb'\r?\n', b'\r\n', site.wait_mail('bob')[0])
    assert b'changed' in stored or b'another body' in stored
    assert dkim.verify(stored, dnsfunc=lambda name, timeout=5: record.encode() if name.startswith(b's1.') else None)


def test_restart(sites, peer):
    """A filter that comes back is asked again by the next session."""
    milter = peer(Milter)
    site = sites(extra=filters(milter))
    assert send(site)[0] == 250
    milter.stop()
    with Wire(site.port) as w:
        w.hello()
        w.expect(451, 'MAIL FROM:<you@example.net>')
    peer(Milter, port=milter.port)
    assert send(site)[0] == 250
    assert site.logged().count('filter-unreachable') == 1 and 'filter-reachable' in site.logged()


class Full(Milter):
    """Nobody can connect to it until `opened` is set."""

    def __init__(self):
        self.opened = threading.Event()
        super().__init__()
        self.server.listen(0)
        self.waiting = [socket.socket() for _ in range(2)]
        for s in self.waiting:
            s.setblocking(False)
            s.connect_ex(('127.0.0.1', self.port))

    def _accept(self):
        self.opened.wait()
        super()._accept()

    def stop(self):
        self.opened.set()
        for s in self.waiting:
            s.close()
        super().stop()


def test_reload(sites, peer):
    """What takes the filter away takes it away from later sessions only, even while one waits to be connected."""
    milter = peer(Full)
    site = sites(extra=filters(milter, more='connect 20s'))
    with Wire(site.port) as w:
        w.hello()
        w.send(b'MAIL FROM:<you@example.net>\r\n')
        time.sleep(0.5)
        with open(site.config, encoding='utf-8') as f:
            site.write('posthouse.conf', f.read().replace('filter f0', '# filter f0'))
        site.run('reload')
        time.sleep(0.5)
        milter.opened.set()
        w.expect(250)
    assert 'M' in milter.letters()


def test_delegation(sites, peer):
    """A server of Postfix's policy delegation is asked by a rule, over one connection."""
    server = peer(PolicyServer, lambda asked: '550 5.7.1 no mail for bob' if asked['recipient'].startswith('bob')
                  else 'DUNNO')
    site = sites(extra=f'filter post delegation {server.listen}\npolicy recipient {{ ask post }}\n')
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        w.expect(250, 'RCPT TO:<alice@example.org>')
        assert w.expect(550, 'RCPT TO:<bob@example.org>') == ['5.7.1 no mail for bob']
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        w.expect(250, 'RCPT TO:<alice@example.org>')
    assert server.connections == 1 and len(server.asked) == 3
    first = server.asked[0]
    assert first['request'] == 'smtpd_access_policy' and first['protocol_state'] == 'RCPT'
    assert first['client_address'] == '127.0.0.1' and first['sender'] == 'you@example.net'


def test_delegation_is_away(sites, peer):
    site = sites(extra='filter post delegation 127.0.0.1:9 { failure tempfail }\npolicy recipient { ask post }\n')
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        w.expect(451, 'RCPT TO:<alice@example.org>')


# --- Debian's

def test_opendkim_verifies(sites, peer, key):
    path, record = key
    dkim_filter = peer(OpenDkimFilter, records={'s1._domainkey.example.net': record})
    site = sites(extra=filters(dkim_filter))
    signature = dkim.sign(MESSAGE, b's1', b'example.net', open(path, 'rb').read(), include_headers=[b'from', b'subject'])
    assert send(site, signature + MESSAGE)[0] == 250
    results = results_of(arrived(site), 'filter.example.org')
    assert len(results) == 1 and 'dkim=pass' in results[0], results
    assert send(site, signature + MESSAGE.replace(b'one', b'two'), recipients=['bob@example.org'])[0] == 250
    results = results_of(arrived(site, 'bob'), 'filter.example.org')
    assert len(results) == 1 and 'dkim=fail' in results[0], results


def test_opendkim_signs(sites, peer, key):
    path, record = key
    signer = peer(OpenDkimFilter, sign=('example.net', 's1', path))
    site = sites(extra=filters(signer))
    assert send(site)[0] == 250
    stored = site.wait_mail('alice')[0].replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')
    signed = stored[stored.lower().index(b'dkim-signature'):]
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: record.encode() if name.startswith(b's1.') else None)


def test_opendmarc(sites, peer):
    dmarc = peer(OpenDmarcFilter)
    site = sites(extra=filters(dmarc))
    assert send(site)[0] == 250
    results = results_of(arrived(site), 'dmarc.example.org')
    assert results and 'dmarc=' in results[0], results


def test_rspamd(sites, peer):
    rspamd = peer(Rspamd)
    site = sites(extra=filters(rspamd))
    assert send(site)[0] == 250
    assert arrived(site)['X-Filtered-Spam'] is None
    code, text = send(site, MESSAGE + SPAM)
    assert code in (550, 554) and 'gtube' in text.lower(), (code, text)
    assert send(site, MESSAGE + ODD, recipients=['bob@example.org'])[0] == 250
    got = arrived(site, 'bob')
    assert got['X-Filtered-Spam'] == 'Yes', got.items()


def test_clamav(sites, peer):
    clamav = peer(ClamAv)
    site = sites(extra=filters(clamav))
    assert send(site)[0] == 250
    assert arrived(site)['X-Virus-Status'] == 'Clean'
    code, text = send(site, MESSAGE + b'look: ' + ClamAv.SIGNATURE + b'\r\n')
    assert code == 550 and 'Posthouse.Test' in text, (code, text)
    assert len(site.mailbox('alice')) == 1


def test_all_of_them(sites, peer, key):
    path, record = key
    several = [peer(OpenDkimFilter, records={'s1._domainkey.example.net': record}), peer(Rspamd), peer(ClamAv)]
    site = sites(extra=filters(*several))
    signature = dkim.sign(MESSAGE, b's1', b'example.net', open(path, 'rb').read(), include_headers=[b'from', b'subject'])
    assert send(site, signature + MESSAGE)[0] == 250
    got = arrived(site)
    assert got['X-Virus-Status'] == 'Clean' and 'dkim=pass' in results_of(got, 'filter.example.org')[0]
