# test_submission: users log in on both ports, clients behind proxies are who they are, and REQUIRETLS is kept on the way to
# another house.
import base64
import os
import re
import smtplib
import socket
import ssl
import struct
import time

import pytest

from site_of_test import PASSWORDS, ROOT, wait_until
from wire import Wire, arrived_as_sent, check_added

QUICK = 'lockout { delay 0ms .. 10ms }'
PROXIED = QUICK + '\nproxy from 127.0.0.2\nxclient from 127.0.0.3\npolicy recipient { accept }\npolicy content { accept }'
MAIL = b'From: alice@example.org\r\nSubject: hi\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <a@b>\r\n\r\nhello\r\n'
PORTS = pytest.mark.parametrize('implicit', [False, True], ids=['starttls', 'implicit'])


def anybody():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def plain(user, password):
    return 'AUTH PLAIN ' + base64.b64encode(f'\0{user}\0{password}'.encode()).decode()


def logged(site, pattern):
    return wait_until(lambda: re.search(pattern, site.logged()), 5)


# --- Python's smtplib

@PORTS
def test_smtplib(sites, implicit):
    site = sites(QUICK, submission=True)
    if implicit:
        client = smtplib.SMTP_SSL('127.0.0.1', site.submissions_port, timeout=20, context=anybody())
    else:
        client = smtplib.SMTP('127.0.0.1', site.submission_port, timeout=20)
        client.starttls(context=anybody())
    with client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail('alice@example.org', ['bob@example.org'], MAIL)
        assert refused.value.smtp_code == 530
        with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
            client.login('alice', 'wrong')
        assert wrong.value.smtp_code == 535
        client.login('alice', PASSWORDS['alice'])
        client.sendmail('alice@example.org', ['bob@example.org'], MAIL)
    check_added(arrived_as_sent(site.wait_mail('bob')[0], MAIL), 'alice@example.org', 'bob@example.org', 'ESMTPSA')
    assert site.metric('posthouse_logins_total', result='ok') == 1
    assert site.metric('posthouse_logins_total', result='failed') == 2  # it tries PLAIN, then LOGIN
    assert site.metric('posthouse_logins_accepted_total', mechanism='plain') == 1
    logged(site, r'auth-failed .*client=127\.0\.0\.1:\d+ user=alice mechanism=(plain|login)')
    logged(site, r'auth-ok session=\S+ client=127\.0\.0\.1:\d+ user=alice mechanism=plain')


def test_no_password_in_the_log(sites):
    site = sites(QUICK, submission=True)
    with Wire(site.submission_port) as c:
        c.hello()
        c.expect(538, plain('alice', 'before-TLS-S3cret'))
        c.starttls()
        c.expect(250, 'EHLO client.example.net')
        c.expect(535, plain('alice', 'wr0ng-S3cret'))
        c.expect(235, plain('alice', PASSWORDS['alice']))
        c.expect(221, 'QUIT')
    logged(site, 'auth-ok')
    for secret in ('S3cret', PASSWORDS['alice'], plain('alice', PASSWORDS['alice'])[11:]):
        assert secret not in site.logged()


def test_fail2ban_reads_the_client(sites):
    """The filter in contrib, with fail2ban's <ADDR> as it is for IPv4: whom it bans is who failed, whatever was said."""
    with open(os.path.join(ROOT, 'contrib', 'fail2ban', 'filter.d', 'posthouse.conf'), encoding='utf-8') as f:
        rule = re.search(r'(?m)^failregex = (.*)$', f.read()).group(1).replace('<ADDR>', r'(?P<ip>[0-9.]+)')
    site = sites(QUICK, submission=True)
    with Wire(site.submissions_port, tls=True) as c:
        c.hello()
        c.expect(535, plain('x client=192.0.2.9:1', 'wrong'))
        c.expect(334, 'AUTH LOGIN')
        c.expect(501, '*')
        c.expect(501, 'AUTH PLAIN AAAA')
    logged(site, 'auth-cancelled')
    found = wait_until(lambda: [m for m in map(re.compile(rule).search, site.logged().splitlines()) if m][1:], 5)
    assert len(found) == 1 and found[0]['ip'] == '127.0.0.1'
    assert not re.search(rule.replace('(?P<ip>[0-9.]+)', '192.0.2.9'), site.logged(), re.M)


def test_port_25_has_no_auth(sites):
    site = sites(QUICK, submission=True)
    with Wire(site.port) as c:
        c.hello()
        c.starttls()
        assert not any('AUTH' in line for line in c.expect(250, 'EHLO client.example.net'))
        c.expect(502, plain('alice', PASSWORDS['alice']))
        c.expect(250, 'MAIL FROM:<alice@example.org>')
        c.expect(550, 'RCPT TO:<x@elsewhere.example>')


def test_trusted_networks_must_log_in(sites):
    site = sites(QUICK + '\nrelay from 127.0.0.0/8', submission=True)
    with Wire(site.submissions_port, tls=True) as c:
        c.hello()
        c.expect(530, 'MAIL FROM:<alice@example.org>')
        c.expect(530, 'VRFY alice')
        c.send('BDAT 6\r\nQUIT\r\n')
        c.expect(530)
        c.expect(250, 'NOOP')


def test_plaintext_where_tls_is_meant(sites):
    site = sites(QUICK, submission=True)
    with Wire(site.submissions_port) as c:
        c.send('EHLO client.example.net\r\n')
        assert c.is_closed()
    logged(site, 'tls-failed')
    with Wire(site.submissions_port, tls=True) as c:
        c.hello()


# --- behind proxies

def v1(client, local_port):
    return f'PROXY TCP4 {client} 127.0.0.1 51234 {local_port}\r\n'.encode()


def v2(client, local_port):
    rest = socket.inet_aton(client) + socket.inet_aton('127.0.0.1') + struct.pack('>HH', 51234, local_port)
    rest += b'\x20\x00\x05\x01\x00\x00\x00\x00'  # PP2_TYPE_SSL
    return b'\r\n\r\n\x00\r\nQUIT\n\x21\x11' + struct.pack('>H', len(rest)) + rest


@pytest.mark.parametrize('header', [v1, v2])
def test_proxy(sites, header):
    site = sites(PROXIED, submission=True)
    with Wire(site.port, source='127.0.0.2') as c:
        c.send(header('192.0.2.77', site.port))
        c.hello()
        c.message('a@example.net', ['bob@example.org'], MAIL)
    assert b'[192.0.2.77]' in site.wait_mail('bob')[0]
    logged(site, r'smtpd\[\d+\] session-begin session=\S+ client=192\.0\.2\.77:51234 trusted=false')


@pytest.mark.parametrize('header', [v1, v2])
def test_proxy_before_implicit_tls(sites, header):
    site = sites(PROXIED, submission=True)
    with Wire(site.submissions_port, source='127.0.0.2') as c:
        c.send(header('192.0.2.77', site.submissions_port))
        c.handshake()
        c.hello()
        c.expect(235, plain('alice', PASSWORDS['alice']))
    logged(site, r'auth-ok session=\S+ client=192\.0\.2\.77:51234 user=alice')


def test_proxy_must_say_who(sites):
    site = sites(PROXIED, submission=True)
    with Wire(site.port, source='127.0.0.2') as c:
        c.send('EHLO client.example.net\r\n')
        assert c.is_closed()
    with Wire(site.port, source='127.0.0.2') as c:
        begun = time.monotonic()
        assert c.is_closed() and 4 < time.monotonic() - begun < 10
    wait_until(lambda: len(re.findall('proxy-refused', site.logged())) == 2)
    with Wire(site.port) as c:  # nobody else is believed
        c.expect(220)
        c.expect(500, v1('10.0.0.1', site.port).decode().rstrip())


def test_xclient(sites):
    site = sites(PROXIED, submission=True)
    with Wire(site.submission_port, source='127.0.0.3') as c:
        assert any(line.startswith('XCLIENT ') for line in c.hello('proxy.example.org'))
        c.expect(220, 'XCLIENT ADDR=192.0.2.78 PORT=5 HELO=client.example.net PROTO=ESMTP LOGIN=alice')
        c.expect(250, 'EHLO client.example.net')
        c.message('alice@example.org', ['bob@example.org'], MAIL)
    assert b'[192.0.2.78]' in site.wait_mail('bob')[0]
    with Wire(site.submission_port) as c:
        assert not any(line.startswith('XCLIENT') for line in c.hello())
        c.expect(550, 'XCLIENT ADDR=192.0.2.78 LOGIN=alice')


# --- REQUIRETLS (RFC 8689)

def send_required(site, recipient):
    with Wire(site.submissions_port, tls=True) as c:
        assert 'REQUIRETLS' in c.hello()
        c.expect(235, plain('alice', PASSWORDS['alice']))
        c.expect(250, 'MAIL FROM:<alice@example.org> REQUIRETLS')
        c.expect(250, f'RCPT TO:<{recipient}>')
        c.expect(354, 'DATA')
        c.send(MAIL + b'.\r\n')
        c.expect(250)


def test_requiretls_goes_on(sites):
    other = sites(domain='example.net')
    site = sites(f'{QUICK}\nroute example.net via 127.0.0.1:{other.port}\ntls ca {other.dir}/cert.pem', submission=True)
    send_required(site, 'bob@example.net')
    stored = other.wait_mail('bob', domain='example.net')[0]
    assert b'with ESMTPS ' in stored
    site.wait_queue_empty()


def test_requiretls_bounces_without_tls(sites):
    other = sites(domain='example.net', tls=False)
    site = sites(f'{QUICK}\nroute example.net via 127.0.0.1:{other.port}', submission=True)
    send_required(site, 'bob@example.net')
    bounce = site.wait_mail('alice')[0]
    assert b'5.7.10' in bounce and b'REQUIRETLS' in bounce and b'\nhello' not in bounce
    assert not other.mailbox('bob', 'example.net')


def test_requiretls_never_to_a_stranger(sites):
    """A certificate by nobody that we know: it waits, since that may be put right; it never goes."""
    other = sites(domain='example.net')
    site = sites(f'{QUICK}\nroute example.net via 127.0.0.1:{other.port}', submission=True)
    send_required(site, 'bob@example.net')
    logged(site, r'deferred id=\S+ .*dsn=4\.7\.5')
    assert not other.mailbox('bob', 'example.net')
