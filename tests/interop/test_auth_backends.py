# test_auth_backends: users whom others know: Dovecot's auth, PAM, signed tokens, an issuer that is asked; and a password
# file that is replaced. The processes that ask are killed now and then.
import base64
import http.server
import json
import os
import signal
import ssl
import stat
import subprocess
import threading
import time
import urllib.parse

import pytest

from dovecot import Dovecot
from site_of_test import PASSWORDS, certificate, password_line, wait_until
from wire import Wire

QUICK = 'lockout { delay 0ms .. 10ms }\n'
USERS = {'dave': 'dovecotes are white', 'erin': 'é=ü "'}


def say(site, *lines):
    """EHLO and these lines in a TLS session; gives the last reply's code and text."""
    with Wire(site.submissions_port, tls=True) as w:
        assert w.reply()[0] == 220
        for line in ('EHLO client.example.org',) + lines:
            w.send(line + '\r\n')
            code, text = w.reply()
    return code, ' '.join(text)


def plain(site, user, password):
    response = base64.b64encode(f'\0{user}\0{password}'.encode()).decode()
    return say(site, f'AUTH PLAIN {response}')[0]


def xoauth2(site, user, token):
    response = base64.b64encode(f'user={user}\1auth=Bearer {token}\1\1'.encode()).decode()
    with Wire(site.submissions_port, tls=True) as w:
        w.reply()
        w.send('EHLO client.example.org\r\n')
        w.reply()
        w.send(f'AUTH XOAUTH2 {response}\r\n')
        code, text = w.reply()
        if code == 334:  # what is wrong, in JSON; it wants an empty answer
            assert json.loads(base64.b64decode(text[0]))['status']
            w.send('\r\n')
            code = w.reply()[0]
    return code


def offered(site):
    with Wire(site.submissions_port, tls=True) as w:
        w.reply()
        w.send('EHLO client.example.org\r\n')
        return next((set(line.split()[1:]) for line in w.reply()[1] if line.startswith('AUTH ')), set())


def kill(site, process):
    """Ends one of the house's processes; it is started again."""
    def ids():
        return [int(line.rsplit('process-id=', 1)[1].split()[0]) for line in site.logged().splitlines()
                if f'process-started process={process} ' in line]
    before = ids()
    os.kill(before[-1], signal.SIGKILL)
    wait_until(lambda: len(ids()) > len(before))


# --- Dovecot

def test_dovecot(sites, peer):
    dovecot = peer(Dovecot, USERS)
    site = sites(f'{QUICK}auth dovecot {dovecot.socket}', submission=True, auth=False)
    assert offered(site) == {'PLAIN', 'LOGIN'}
    for user, password in USERS.items():
        assert plain(site, user, password) == 235
    assert plain(site, 'dave', 'wrong') == 535
    assert plain(site, 'nobody', 'wrong') == 535


def test_dovecot_comes_and_goes(sites, peer):
    dovecot = peer(Dovecot, USERS)
    site = sites(f'{QUICK}auth dovecot {dovecot.socket}', submission=True, auth=False)
    assert plain(site, 'dave', USERS['dave']) == 235
    dovecot.halt()
    assert plain(site, 'dave', USERS['dave']) == 454
    wait_until(lambda: 'auth-trouble' in site.logged())
    dovecot.start()
    time.sleep(1.1)  # it isn't asked again at once
    assert plain(site, 'dave', USERS['dave']) == 235


def test_dovecot_behind_a_file(sites, peer):
    dovecot = peer(Dovecot, USERS)
    site = sites(f'{QUICK}auth dovecot {dovecot.socket}', submission=True)
    assert offered(site) == {'PLAIN', 'LOGIN'}  # SCRAM would keep dave out
    assert plain(site, 'alice', PASSWORDS['alice']) == 235
    assert plain(site, 'dave', USERS['dave']) == 235
    assert plain(site, 'dave', 'wrong') == 535


# --- PAM

@pytest.fixture
def pam_service(tmp_path):
    """A service of PAM that knows one password, and says in a file what it was told."""
    if os.geteuid() != 0:
        pytest.skip('only root can describe a service of PAM')
    check, told = tmp_path / 'check', tmp_path / 'told'
    check.write_text('#!/bin/sh\n'
                     f'echo "$PAM_USER $PAM_RHOST $PAM_SERVICE" >> {told}\n'
                     '[ "$PAM_USER" != hanger ] || exec sleep 100\n'
                     '[ "$(cat | tr -d "\\000")" = "open sesame" ] && [ "$PAM_USER" != sleeper ]\n')
    check.chmod(0o755)
    name = f'posthouse-test-{os.getpid()}'
    path = f'/etc/pam.d/{name}'
    with open(path, 'w', encoding='utf-8') as f:
        f.write(f'auth [success=1 default=ignore] pam_exec.so quiet expose_authtok {check}\nauth requisite pam_deny.so\n'
                'auth required pam_permit.so\n'
                'account required pam_permit.so\n')
    yield name, told
    os.unlink(path)


def test_pam(sites, pam_service):
    name, told = pam_service
    site = sites(f'{QUICK}auth pam {name}', submission=True, auth=False)
    assert offered(site) == {'PLAIN', 'LOGIN'}
    assert plain(site, 'Frank', 'open sesame') == 235
    assert told.read_text() == f'frank 127.0.0.1 {name}\n'
    assert plain(site, 'frank', 'open barley') == 535
    kill(site, 'pam')
    assert plain(site, 'frank', 'open sesame') == 235


def test_a_module_that_hangs_holds_up_nobody_else(sites, pam_service):
    site = sites(f'{QUICK}auth pam {pam_service[0]}', submission=True, auth=False)
    waiting = [Wire(site.submissions_port, tls=True) for _ in range(3)]
    for w in waiting:
        w.reply()
        w.send('EHLO client.example.org\r\n')
        w.reply()
        w.send(f'AUTH PLAIN {base64.b64encode(chr(0).join(["", "hanger", "x"]).encode()).decode()}\r\n')
    time.sleep(0.3)
    began = time.monotonic()
    assert plain(site, 'frank', 'open sesame') == 235
    assert time.monotonic() - began < 5
    for w in waiting:
        w.close()


# --- tokens

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


class Issuer:
    """An RSA key, its JWKS and tokens, by openssl."""

    def __init__(self, directory, kid):
        self.key, self.kid = f'{directory}/{kid}.pem', kid
        subprocess.run(['openssl', 'genrsa', '-out', self.key, '2048'], check=True, capture_output=True)

    def jwk(self):
        modulus = subprocess.run(['openssl', 'rsa', '-in', self.key, '-noout', '-modulus'], check=True, capture_output=True, text=True)
        n = bytes.fromhex(modulus.stdout.strip().split('=')[1])
        return {'kty': 'RSA', 'alg': 'RS256', 'use': 'sig', 'kid': self.kid, 'n': base64url(n), 'e': 'AQAB'}

    def token(self, **claims):
        claims = {'iss': 'https://id.example', 'aud': 'mail', 'exp': int(time.time()) + 600} | claims
        header = {'alg': 'RS256', 'typ': 'JWT', 'kid': self.kid}
        words = '.'.join(base64url(json.dumps(part).encode()) for part in (header, claims))
        signed = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', self.key], input=words.encode(), check=True, capture_output=True)
        return f'{words}.{base64url(signed.stdout)}'


def write_by_rename(path, text):
    with open(f'{path}.new', 'w', encoding='utf-8') as f:
        f.write(text)
    os.rename(f'{path}.new', path)


def test_signed_tokens(sites, tmp_path):
    first, second = Issuer(tmp_path, 'first'), Issuer(tmp_path, 'second')
    jwks = str(tmp_path / 'jwks.json')
    write_by_rename(jwks, json.dumps({'keys': [first.jwk()]}))
    site = sites(f'{QUICK}auth jwt {jwks} issuer https://id.example audience mail claim email', submission=True, auth=False)
    assert offered(site) == {'OAUTHBEARER', 'XOAUTH2'}
    good = first.token(email='Grace@example.org')
    assert xoauth2(site, 'grace@example.org', good) == 235
    wait_until(lambda: 'user=grace@example.org mechanism=xoauth2' in site.logged())
    assert xoauth2(site, 'alice@example.org', good) == 535
    for bad in (first.token(email='grace@example.org', aud='web'), first.token(email='grace@example.org', exp=int(time.time()) - 100),
                good[:-6] + 'AAAAAA', second.token(email='grace@example.org'), 'x' * 9000, 'W1tb' * 2000 + '.W1tb.AAAA'):
        assert xoauth2(site, 'grace@example.org', bad) == 535
    write_by_rename(jwks, json.dumps({'keys': [second.jwk()]}))
    time.sleep(1.1)
    assert xoauth2(site, 'grace@example.org', second.token(email='grace@example.org')) == 235
    assert xoauth2(site, 'grace@example.org', good) == 535


class Introspection:
    """RFC 7662 on a loopback port, over TLS where a certificate is given."""

    def __init__(self, answers, directory=None):
        outer = self
        self.answers, self.asked = answers, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = urllib.parse.parse_qs(self.rfile.read(int(self.headers['Content-Length'])).decode())
                outer.asked.append((self.path, self.headers['Authorization'], body))
                answer = outer.answers.get(body['token'][0], {'active': False})
                if answer is None:
                    self.send_error(500)
                    return
                self.send_response(200)
                self.send_header('Content-Type', 'application/json')
                self.end_headers()
                self.wfile.write(answer.encode() if isinstance(answer, str) else json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]
        if directory:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f'{directory}/cert.pem', f'{directory}/key.pem')
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def secret_file(tmp_path):
    path = tmp_path / 'introspection.secret'
    path.write_text('posthouse:s3cret\n')
    path.chmod(stat.S_IRUSR)
    return path


def test_introspection(sites, peer, tmp_path):
    issuer = peer(Introspection, {'good+/=': {'active': True, 'username': 'heidi'}, 'broken': None, 'long': 'x' * 100000})
    site = sites(f'{QUICK}auth introspect http://127.0.0.1:{issuer.port}/check secret {secret_file(tmp_path)}',
                 submission=True, auth=False)
    assert xoauth2(site, 'heidi', 'good+/=') == 235
    path, authorization, body = issuer.asked[0]
    assert path == '/check' and body == {'token': ['good+/='], 'token_type_hint': ['access_token']}
    assert base64.b64decode(authorization.removeprefix('Basic ')) == b'posthouse:s3cret'
    assert xoauth2(site, 'heidi', 'stolen') == 535
    assert xoauth2(site, 'ivan', 'good+/=') == 535
    assert xoauth2(site, 'heidi', 'broken') == 454
    assert xoauth2(site, 'heidi', 'long') == 454
    kill(site, 'fetch')
    assert xoauth2(site, 'heidi', 'good+/=') == 235
    issuer.stop()
    assert xoauth2(site, 'heidi', 'good+/=') == 454
    assert 'good+' not in site.logged()


def test_introspection_over_tls(sites, peer, tmp_path):
    certificate(str(tmp_path))
    issuer = peer(Introspection, {'good': {'active': True, 'username': 'heidi'}}, str(tmp_path))
    what = f'auth introspect https://localhost:{issuer.port}/check secret {secret_file(tmp_path)}'
    trusting = sites(f'{QUICK}{what}\ntls ca {tmp_path}/cert.pem', submission=True, auth=False)
    assert xoauth2(trusting, 'heidi', 'good') == 235
    doubting = sites(f'{QUICK}{what}', submission=True, auth=False)
    assert xoauth2(doubting, 'heidi', 'good') == 454
    assert len(issuer.asked) == 1


# --- the password file

def test_a_password_file_that_is_replaced(sites):
    site = sites(QUICK, submission=True)
    assert plain(site, 'alice', PASSWORDS['alice']) == 235
    write_by_rename(f'{site.dir}/passwords', password_line('alice', 'new one') + 'nonsense\n' + password_line('alice', 'of the phone', 'phone'))
    time.sleep(1.1)
    assert plain(site, 'alice', 'new one') == 235
    assert plain(site, 'alice', PASSWORDS['alice']) == 535
    assert plain(site, 'alice', 'of the phone') == 235
    assert plain(site, 'bob', PASSWORDS['bob']) == 535
    wait_until(lambda: 'auth-file-mistake' in site.logged() and 'line 2' in site.logged())


def test_killed_while_asked(sites):
    site = sites(QUICK + 'workers { auth 1 }', submission=True)
    with Wire(site.submissions_port, tls=True) as w:
        w.reply()
        w.send('EHLO client.example.org\r\n')
        w.reply()
        w.send('AUTH LOGIN\r\n')
        assert w.reply()[0] == 334
        kill(site, 'auth')
        w.send(base64.b64encode(b'alice').decode() + '\r\n')
        assert w.reply()[0] == 454
    wait_until(lambda: plain(site, 'alice', PASSWORDS['alice']) == 235)


def test_an_unknown_user_takes_as_long(sites):
    """Where failures are told without a delay, hashing is all there is to measure."""
    site = sites('lockout { delay 0ms .. 0ms; account 0; address 0; network 0 }', submission=True)

    def took(user):
        began = time.monotonic()
        assert plain(site, user, 'guess') == 535
        return time.monotonic() - began

    known, unknown = [sorted(took(user) for _ in range(15))[7] for user in ('alice', 'carol')]
    assert abs(known - unknown) < 0.5 * max(known, unknown) + 0.005, f'{known} s and {unknown} s'
