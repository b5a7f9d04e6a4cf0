# test_submission_clients: the programs that users send with log in, over STARTTLS and over implicit TLS, and what they
# sent arrives as it was.
import base64
import hashlib
import hmac
import json
import os
import shutil
import smtplib
import ssl
import subprocess

import pytest

from site_of_test import PASSWORDS, ROOT
from wire import Wire, arrived_as_sent, check_added, crlf

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(ROOT, 'build', 'interop', 'nodemailer')

MAIL = crlf(b'''From: Alice <alice@example.org>
To: bob@example.org
Subject: a few odd lines
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <odd@example.org>
X-Folded: one
 two

.one dot at the beginning
.
 a line of blanks:   \t
last
''')

QUICK = 'lockout { delay 0ms .. 10ms }'
DOORS = pytest.mark.parametrize('implicit', [False, True], ids=['starttls', 'implicit'])


@pytest.fixture
def site(sites):
    return sites(QUICK, submission=True)


@pytest.fixture
def mail(tmp_path):
    path = tmp_path / 'mail'
    path.write_bytes(MAIL)
    return str(path)


def port_of(site, implicit):
    return site.submissions_port if implicit else site.submission_port


def run(*command, code=0, **more):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **more)
    assert code is None or done.returncode == code, f'exit {done.returncode}\n{done.stdout}\n{done.stderr}'
    return done


def check(site):
    """The message is there, unaltered, and Received says how it came."""
    added = arrived_as_sent(site.wait_mail('bob')[0], MAIL)
    check_added(added, 'alice@example.org', 'bob@example.org', 'ESMTPSA')


# --- swaks: the mechanisms that it knows and we offer

def swaks(site, implicit, mail, mechanism, user='alice', password=PASSWORDS['alice'], code=0):
    return run('swaks', '--server', 'localhost', '--port', port_of(site, implicit), '--tlsc' if implicit else '--tls',
               '--from', 'alice@example.org', '--to', 'bob@example.org', '--helo', 'client.example.net', '--data', f'@{mail}',
               '--auth', mechanism, '--auth-user', user, '--auth-password', password, code=code)


@DOORS
@pytest.mark.parametrize('mechanism', ['PLAIN', 'LOGIN'])
def test_swaks(site, mail, implicit, mechanism):
    shown = swaks(site, implicit, mail, mechanism)
    assert ' 235 2.7.0 ' in shown.stdout
    check_arrived_but_for_the_end(site)


def check_arrived_but_for_the_end(site):
    """swaks ends what it sends with one line end more."""
    arrived_as_sent(site.wait_mail('bob')[0].rstrip(b'\n') + b'\n', MAIL)


@pytest.mark.parametrize('mechanism', ['CRAM-MD5', 'CRAM-SHA1'])
def test_swaks_finds_no_weak_mechanism(site, mail, mechanism):
    shown = swaks(site, True, mail, mechanism, code=None)
    assert shown.returncode == 28 and ' 235 ' not in shown.stdout


def test_swaks_wrong_password(site, mail):
    for user, password in (('alice', 'wrong'), ('nobody', PASSWORDS['alice'])):
        shown = swaks(site, True, mail, 'PLAIN', user, password, code=28).stdout
        assert ' 535 5.7.8 ' in shown


# --- msmtp

def msmtp(site, implicit, mail, tmp_path, mechanism, password=PASSWORDS['alice'], extra=''):
    conf = tmp_path / 'msmtprc'
    conf.write_text(f'''defaults
account default
host localhost
port {port_of(site, implicit)}
domain client.example.net
tls on
tls_starttls {"off" if implicit else "on"}
tls_trust_file {site.dir}/cert.pem
tls_host_override mx1.example.org
auth {mechanism}
user alice
password "{password}"
from alice@example.org
timeout 20
{extra}
''')
    conf.chmod(0o600)
    with open(mail, 'rb') as f:
        return subprocess.run(['msmtp', '-C', str(conf), '-d', 'bob@example.org'], stdin=f, capture_output=True, text=True,
                              timeout=60)


@DOORS
@pytest.mark.parametrize('mechanism', ['scram-sha-256', 'plain', 'login', 'on'])
def test_msmtp(site, mail, tmp_path, implicit, mechanism):
    done = msmtp(site, implicit, mail, tmp_path, mechanism)
    assert done.returncode == 0, done.stdout + done.stderr
    check(site)


def test_msmtp_scram_sha_1_only_when_asked_for(sites, mail, tmp_path):
    done = msmtp(sites(QUICK, submission=True), False, mail, tmp_path, 'scram-sha-1')
    assert done.returncode != 0 and '235 ' not in done.stdout


def test_msmtp_scram_with_a_wrong_password(site, mail, tmp_path):
    done = msmtp(site, False, mail, tmp_path, 'scram-sha-256', password='wrong')
    assert done.returncode == 77 and '535 5.7.8' in done.stdout + done.stderr


# --- client certificates

@pytest.fixture
def people(tmp_path):
    """An authority of our own, and a certificate of alice's, which names her address."""
    def openssl(*args):
        run('openssl', *args, cwd=tmp_path)
    new = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')
    openssl('req', '-x509', *new, '-days', '30', '-subj', '/CN=People', '-keyout', 'ca.key', '-out', 'ca.pem')
    openssl('req', *new, '-subj', '/CN=alice', '-keyout', 'alice.key', '-out', 'alice.csr')
    openssl('x509', '-req', '-in', 'alice.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-out',
            'alice.pem')
    openssl('req', '-x509', *new, '-days', '30', '-subj', '/CN=alice', '-keyout', 'self.key', '-out', 'self.pem')
    return tmp_path


def test_msmtp_external(sites, mail, people):
    site = sites(f'{QUICK}\ntls client-ca {people}/ca.pem', submission=True)
    own = f'tls_cert_file {people}/{{0}}.pem\ntls_key_file {people}/{{0}}.key'
    done = msmtp(site, False, mail, people, 'external', extra=own.format('self'))
    assert done.returncode != 0 and '235 ' not in done.stdout  # anybody can make that one
    done = msmtp(site, False, mail, people, 'external')
    assert done.returncode != 0  # none is shown, so EXTERNAL isn't offered
    for implicit in (False, True):
        done = msmtp(site, implicit, mail, people, 'external', extra=own.format('alice'))
        assert done.returncode == 0, done.stdout + done.stderr
    for stored in site.wait_mail('bob', 2):
        arrived_as_sent(stored, MAIL)


def test_curl_external(sites, mail, people):
    site = sites(f'{QUICK}\ntls client-ca {people}/ca.pem', submission=True)
    run('curl', '-sS', '--cacert', f'{site.dir}/cert.pem', '--cert', people / 'alice.pem', '--key', people / 'alice.key',
        '--login-options', 'AUTH=EXTERNAL', '--user', 'alice:', '--mail-from', 'alice@example.org', '--mail-rcpt',
        'bob@example.org', '-T', mail, '--url', f'smtps://localhost:{site.submissions_port}/client.example.net')
    check(site)


# --- channel bindings

def gsasl(site, *args, password=PASSWORDS['alice']):
    return run('gsasl', '--client', '--smtp', f'--connect=localhost:{site.submission_port}', '--verbose', '-a',
               'alice', '-p', password, f'--x509-ca-file={site.dir}/cert.pem', *args, code=None)


def test_gnu_sasl_binds_to_the_channel(site):
    """It chooses the strongest by itself, and checks the server's proof as well."""
    for args in ((), ('-m', 'SCRAM-SHA-256-PLUS')):
        shown = gsasl(site, *args)
        assert 'AUTH SCRAM-SHA-256-PLUS' in shown.stdout and '235 2.7.0' in shown.stdout, shown
        assert 'server trusted' in shown.stdout + shown.stderr
    shown = gsasl(site, '-m', 'SCRAM-SHA-256', '--no-cb')
    assert '235 2.7.0' in shown.stdout and 'server trusted' in shown.stdout + shown.stderr
    assert '535 5.7.8' in gsasl(site, password='wrong').stdout


def scram_plus(w, binding, data, user='alice', password=PASSWORDS['alice']):
    """SCRAM-SHA-256-PLUS by hand (RFC 5802); gives the code of the reply."""
    def send(text):
        return w.say(base64.b64encode(text.encode()).decode())
    header, first = f'p={binding},,', f'n={user},r=fyko+d2lbbFgONRv9qkxdawL'
    w.expect(334, 'AUTH SCRAM-SHA-256-PLUS')
    server_first = base64.b64decode(send(header + first)[1][0]).decode()
    nonce, salt, rounds = (part[2:] for part in server_first.split(','))
    last = f'c={base64.b64encode(header.encode() + data).decode()},r={nonce}'
    salted = hashlib.pbkdf2_hmac('sha256', password.encode(), base64.b64decode(salt), int(rounds))
    key = hmac.digest(salted, b'Client Key', 'sha256')
    signature = hmac.digest(hashlib.sha256(key).digest(), f'{first},{server_first},{last}'.encode(), 'sha256')
    proof = bytes(a ^ b for a, b in zip(key, signature))
    code, text = send(f'{last},p={base64.b64encode(proof).decode()}')
    if code != 334:
        return code
    server_key = hmac.digest(salted, b'Server Key', 'sha256')
    expected = hmac.digest(server_key, f'{first},{server_first},{last}'.encode(), 'sha256')
    assert base64.b64decode(text[0]) == b'v=' + base64.b64encode(expected)
    return w.say('')[0]


def test_the_binding_must_be_of_this_connection(site):
    end_point = hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(f'{site.dir}/cert.pem', encoding='ascii').read())).digest()
    for data, code in ((end_point, 235), (b'\0' * 32, 535)):
        with Wire(site.submissions_port, tls=True) as w:
            w.hello()
            assert scram_plus(w, 'tls-server-end-point', data) == code


# --- curl

def curl(site, implicit, mail, mechanism, user, *recipients):
    return run('curl', '-sS', '--cacert', f'{site.dir}/cert.pem', '--ssl-reqd', '--login-options', f'AUTH={mechanism}', '--user',
               f'{user}:{PASSWORDS[user]}', '--mail-from', f'{user}@example.org', '--mail-rcpt', *recipients, '-T', mail, '--url',
               f'smtp{"s" if implicit else ""}://localhost:{port_of(site, implicit)}/client.example.net', code=None)


@DOORS
@pytest.mark.parametrize('mechanism', ['PLAIN', 'LOGIN'])
def test_curl(site, mail, implicit, mechanism):
    # The From is alice's: what bob may not write.
    assert curl(site, implicit, mail, mechanism, 'bob', 'bob@example.org').returncode != 0
    assert curl(site, implicit, mail, mechanism, 'alice', 'bob@example.org').returncode == 0
    check(site)


# --- Python's smtplib

def connect(site, implicit):
    context = ssl.create_default_context(cafile=f'{site.dir}/cert.pem')
    if implicit:
        return smtplib.SMTP_SSL('localhost', port_of(site, True), 'client.example.net', timeout=20, context=context)
    s = smtplib.SMTP('localhost', port_of(site, False), 'client.example.net', timeout=20)
    s.ehlo()
    assert s.has_extn('starttls') and not s.has_extn('auth')
    s.starttls(context=context)
    return s


@DOORS
def test_smtplib(site, implicit):
    with connect(site, implicit) as s:
        s.ehlo()
        offered = s.esmtp_features['auth'].split()
        assert {'PLAIN', 'LOGIN', 'SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'} <= set(offered)
        assert not {'SCRAM-SHA-1', 'EXTERNAL', 'OAUTHBEARER', 'CRAM-MD5'} & set(offered)
        assert s.login('alice', PASSWORDS['alice'])[0] == 235
        s.sendmail('alice@example.org', ['bob@example.org'], MAIL)
    check(site)


def test_smtplib_other_characters_than_ascii(site):
    with connect(site, True) as s:
        s.ehlo()
        s.user, s.password = 'bob', PASSWORDS['bob']
        # smtplib encodes by ASCII; PLAIN is UTF-8 (RFC 4616).
        s.docmd('AUTH', 'PLAIN ' + smtplib.encode_base64(f'\0bob\0{PASSWORDS["bob"]}'.encode(), eol=''))
        assert s.mail('bob@example.org')[0] == 250


def test_smtplib_wrong_password_then_right(site):
    with connect(site, False) as s:
        with pytest.raises(smtplib.SMTPAuthenticationError) as e:
            s.login('alice', 'wrong')
        assert e.value.smtp_code == 535
        assert s.login('alice', PASSWORDS['alice'])[0] == 235


# --- git send-email

@DOORS
def test_git_send_email(site, tmp_path, implicit):
    def git(*args):
        return run('git', '-c', 'user.name=Alice', '-c', 'user.email=alice@example.org', *args, cwd=tmp_path,
                   env=dict(os.environ, HOME=str(tmp_path), GIT_CONFIG_NOSYSTEM='1')).stdout
    git('init', '-q')
    (tmp_path / 'file').write_text('a line\n.a dot\n')
    git('add', 'file')
    git('commit', '-q', '-m', 'area: Add a file', '-m', 'Why.')
    patch = git('format-patch', '-1').strip()
    git('send-email', '--quiet', '--confirm=never', '--suppress-cc=all', '--smtp-server=localhost',
        f'--smtp-server-port={port_of(site, implicit)}', f'--smtp-encryption={"ssl" if implicit else "tls"}',
        f'--smtp-ssl-cert-path={site.dir}/cert.pem', '--smtp-user=alice', f'--smtp-pass={PASSWORDS["alice"]}',
        '--smtp-domain=client.example.net', '--from=Alice <alice@example.org>', '--to=bob@example.org', patch)
    got = site.wait_mail('bob')[0]
    sent = (tmp_path / patch).read_bytes()
    assert got.split(b'\n\n', 1)[1] == sent.split(b'\n\n', 1)[1]
    assert b'with ESMTPSA' in got and b'Subject: [PATCH] area: Add a file\n' in got


# --- nodemailer

@pytest.fixture(scope='module')
def nodemailer():
    """nodemailer from npm, exactly as package-lock.json has it, installed once below build/."""
    if not shutil.which('node') or not shutil.which('npm'):
        pytest.skip('skipped: no node and npm')
    if not os.path.isdir(f'{MODULES}/node_modules/nodemailer'):
        os.makedirs(MODULES, exist_ok=True)
        for name in ('package.json', 'package-lock.json'):
            shutil.copy(f'{HERE}/nodemailer/{name}', MODULES)
        try:
            done = subprocess.run(['npm', 'ci', '--prefix', MODULES, '--ignore-scripts', '--no-audit', '--no-fund'], cwd=MODULES,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            pytest.skip('skipped: npm could not fetch nodemailer within two minutes')
        if done.returncode != 0:
            assert 'EINTEGRITY' not in done.stderr, done.stderr
            pytest.skip(f'skipped: npm could not fetch nodemailer: {done.stderr.strip().splitlines()[:2]}')
    return MODULES


@DOORS
@pytest.mark.parametrize('method', ['PLAIN', 'LOGIN', None])
def test_nodemailer(site, mail, nodemailer, implicit, method):
    job = {'port': port_of(site, implicit), 'secure': implicit, 'user': 'alice', 'password': PASSWORDS['alice'],
           'method': method, 'ca': f'{site.dir}/cert.pem', 'from': 'alice@example.org', 'to': 'bob@example.org', 'raw': mail,
           'modules': nodemailer}
    shown = run('node', f'{HERE}/nodemailer/send.js', json.dumps(job)).stdout
    assert shown.startswith('250 2.0.0')
    check(site)


def test_nodemailer_wrong_password(site, mail, nodemailer):
    job = {'port': port_of(site, True), 'secure': True, 'user': 'alice', 'password': 'wrong', 'ca': f'{site.dir}/cert.pem',
           'from': 'alice@example.org', 'to': 'bob@example.org', 'raw': mail, 'modules': nodemailer}
    shown = run('node', f'{HERE}/nodemailer/send.js', json.dumps(job), code=1).stdout
    assert '535 5.7.8' in shown


# --- the same house, its other doors

def test_port_25_takes_no_log_in(site):
    with Wire(site.port) as w:
        w.hello()
        w.starttls()
        assert not any(line.startswith('AUTH') for line in w.expect(250, 'EHLO client.example.net'))
        assert w.say('AUTH PLAIN AGFsaWNlAHNlY3JldA==')[0] in (502, 503)
