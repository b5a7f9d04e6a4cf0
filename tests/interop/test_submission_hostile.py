# test_submission_hostile: what is sent to submission by who means no good, or breaks off.
import base64
import socket
import ssl

import pytest

from site_of_test import PASSWORDS
from wire import Wire

PLAIN_RESPONSE = base64.b64encode(f'\0alice\0{PASSWORDS["alice"]}'.encode()).decode()
WRONG_RESPONSE = base64.b64encode(b'\0alice\0wrong').decode()


@pytest.fixture
def site(sites):
    made = sites('lockout { delay 0ms .. 10ms; account 0; address 0; network 0 }', submission=True)
    yield made
    logged = made.logged()
    for secret in (PASSWORDS['alice'], PLAIN_RESPONSE):
        assert secret not in logged, 'a password is in the log'


def enter(site, timeout=20):
    """A session over implicit TLS that has said EHLO."""
    w = Wire(site.submissions_port, tls=True, timeout=timeout)
    w.hello()
    return w


def restarts(site):
    return sum(p['restarts'] for p in site.json('status')['processes'])


def still_serves(site):
    with enter(site) as w:
        w.login('alice', PASSWORDS['alice'])
        w.expect(250, 'MAIL FROM:<alice@example.org>')
    assert restarts(site) == 0


CONVERSATIONS = [f'AUTH PLAIN {PLAIN_RESPONSE}\r\n', f'AUTH PLAIN\r\n{PLAIN_RESPONSE}\r\n', 'AUTH LOGIN\r\nYWxpY2U=\r\nd3Jvbmc=\r\n',
                 'AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2RlZmdoaWprbG1ub3A=\r\nYz1iaXdzLHI9YWJj\r\n']


@pytest.mark.parametrize('said', CONVERSATIONS, ids=['plain-initial', 'plain', 'login', 'scram'])
def test_auth_cut_at_every_byte(site, said):
    """Whether the client goes away with a FIN or with a reset."""
    said = said.encode()
    for n in range(0, len(said), max(1, len(said) // 40)):
        w = enter(site)
        w.send(said[:n])
        if n % 2:
            w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        w.close()
    still_serves(site)


def test_auth_byte_by_byte(site):
    with enter(site) as w:
        for byte in f'AUTH PLAIN {PLAIN_RESPONSE}\r\n'.encode():
            w.send(bytes([byte]))
        w.expect(235)


@pytest.mark.parametrize('size', [12288, 16 * 1024, 100 * 1000, 1000 * 1000])
def test_long_responses_end_safely(site, size):
    response = base64.b64encode(b'\0alice\0' + b'x' * (size * 3 // 4)).decode()
    for line in ('AUTH PLAIN\r\n', None):
        with enter(site) as w:
            if line:
                w.send(line)
                w.expect(334)
                w.send(response + '\r\n')
            else:
                w.send(f'AUTH PLAIN {response}\r\n')
            code, _ = w.reply()
            assert code in (500, 501, 535, 421, 0), code
    still_serves(site)


def test_what_follows_starttls_in_the_same_segment_ends_the_session(site):
    for more in (b'EHLO evil.example\r\n', b'AUTH PLAIN ' + PLAIN_RESPONSE.encode() + b'\r\n', b'x'):
        with Wire(site.submission_port) as w:
            w.hello()
            w.send(b'STARTTLS\r\n' + more)
            w.reply()
            try:
                w.handshake()
                w.send(b'NOOP\r\n')
                assert w.is_closed()
            except (ssl.SSLError, OSError):
                pass
    still_serves(site)


def test_nothing_from_before_starttls_counts(site):
    with Wire(site.submission_port) as w:
        w.hello()
        w.expect((530, 538, 503), f'AUTH PLAIN {PLAIN_RESPONSE}')
        w.expect(530, 'MAIL FROM:<alice@example.org>')
        w.starttls()
        w.expect(503, f'AUTH PLAIN {PLAIN_RESPONSE}')  # EHLO is needed once more
        w.expect((503, 530), 'MAIL FROM:<alice@example.org>')
        w.expect(250, 'EHLO client.example.net')
        w.login('alice', PASSWORDS['alice'])


def test_nobody_sends_without_a_log_in(site):
    with enter(site) as w:
        for line in ('MAIL FROM:<alice@example.org>', 'RCPT TO:<bob@example.org>', 'DATA', 'BDAT 7 LAST\r\nhello', 'VRFY bob'):
            assert w.say(line)[0] in (530, 503), line
    assert site.queue() == [] and site.mailbox('bob') == []


def test_trust_in_a_network_is_no_log_in(sites):
    site = sites('relay from 127.0.0.0/8', submission=True)
    with enter(site) as w:
        w.expect(530, 'MAIL FROM:<alice@example.org>')


def test_bad_base64_cancel_and_another_mechanism(site):
    with enter(site) as w:
        w.expect(501, 'AUTH PLAIN !!!!')
        w.expect(334, 'AUTH LOGIN')
        w.expect(501, '*')
        w.expect(250, f'EHLO client.example.net')
    with enter(site) as w:
        w.expect(535, f'AUTH PLAIN {WRONG_RESPONSE}')
        w.expect(334, 'AUTH LOGIN')
        w.expect(334, base64.b64encode(b'alice').decode())
        w.expect(235, base64.b64encode(PASSWORDS['alice'].encode()).decode())
        w.expect(503, f'AUTH PLAIN {PLAIN_RESPONSE}')


def test_commands_pipelined_behind_auth_are_the_response(site):
    """What comes where a response is due is one: a MAIL there is bad base64, not a command."""
    with enter(site) as w:
        w.send('AUTH LOGIN\r\nMAIL FROM:<alice@example.org>\r\n')
        w.expect(334)
        w.expect(501)
        w.expect(530, 'MAIL FROM:<alice@example.org>')
    with enter(site) as w:
        w.send(f'AUTH PLAIN {PLAIN_RESPONSE}\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\n')
        w.expect(235)
        w.expect(250)
        w.expect(250)


def test_three_failures_end_the_session(site):
    with enter(site) as w:
        codes = [w.say(f'AUTH PLAIN {WRONG_RESPONSE}')[0] for _ in range(3)]
        assert codes[:2] == [535, 535] and codes[2] in (421, 535)
        assert codes[2] == 421 or w.is_closed()


def test_plaintext_on_the_port_of_implicit_tls(site):
    with Wire(site.submissions_port) as w:
        w.send('EHLO client.example.net\r\n')
        try:
            assert w.socket.recv(4096)[:1] in (b'', b'\x15')  # nothing, or an alert
        except ConnectionResetError:
            pass
    still_serves(site)
