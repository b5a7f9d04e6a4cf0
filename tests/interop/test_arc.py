# test_arc: what the server seals is a chain that dkimpy finds whole, with a certificate for TLS and without, and again
# when the message comes back; without a key nothing is sealed, and a key that is gone keeps no mail out.
import base64
import os
import subprocess

import pytest

from site_of_test import wait_until
from wire import Wire

dkim = pytest.importorskip('dkim')

MESSAGE = b'From: bob@example.net\r\nTo: alice@example.org\r\nSubject: hello\r\n there\r\n\r\nline  one\r\n\r\n'
TEXT = MESSAGE + b'..dots\r\n' + b'x' * 70 + b'\r\n' * 3


@pytest.fixture(params=['rsa', 'ed25519'])
def key(request, tmp_path):
    """(path of the private key, its TXT record)"""
    path = tmp_path / 'arc.pem'
    kind = ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'] if request.param == 'rsa' else ['ed25519']
    subprocess.run(['openssl', 'genpkey', '-algorithm', *kind, '-out', path], check=True, capture_output=True)
    der = subprocess.run(['openssl', 'pkey', '-in', path, '-pubout', '-outform', 'DER'], check=True, capture_output=True).stdout
    path.chmod(0o600)
    public = base64.b64encode(der if request.param == 'rsa' else der[-32:]).decode()
    return path, f'v=DKIM1; k={request.param}; p={public}'


def seal(path):
    return f'arc seal as seals.example.org selector one key {path}\n'


def send(site, text):
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<bob@example.net>')
        w.expect(250, 'RCPT TO:<alice@example.org>')
        w.expect(354, 'DATA')
        w.send(text + b'.\r\n')
        w.expect(250)


def delivered(site, n=1):
    found = site.wait_mail('alice', n)[-1]
    data = found if isinstance(found, bytes) else open(found, 'rb').read()
    return data.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')


def by_dkimpy(message, record):
    def txt(name, timeout=5):
        return record if (name if isinstance(name, str) else name.decode()).rstrip('.') == 'one._domainkey.seals.example.org' else None
    return dkim.arc_verify(message, dnsfunc=txt)


@pytest.mark.parametrize('tls', [True, False])
def test_sealed(sites, key, posthouse_zone, tls):
    path, record = key
    site = sites(seal(path), tls=tls)
    wait_until(lambda: 'dkim-key-loaded' in site.logged())
    send(site, TEXT)
    message = delivered(site)
    assert message.count(b'ARC-Seal: ') == message.count(b'ARC-Message-Signature: ') == message.count(b'ARC-Authentication-Results: i=1; mx1.example.org;') == 1
    assert posthouse_zone(message, record)['result'] == 'pass'
    if 'k=rsa' in record:  # dkimpy's ARC knows no Ed25519
        assert by_dkimpy(message, record)[0] == b'pass'


def test_without_a_key(sites):
    site = sites()
    send(site, TEXT)
    assert b'ARC-' not in delivered(site)


def test_the_key_is_gone(sites, key):
    path, _ = key
    site = sites(seal(path), started=False)
    site.start()
    wait_until(lambda: 'dkim-key-loaded' in site.logged())
    pid = next(p['pid'] for p in site.json('status')['processes'] if p['name'] == 'keys')
    path.write_text('nothing')
    os.kill(pid, 9)
    wait_until(lambda: any(p['name'] == 'keys' and p['pid'] not in (0, pid) for p in site.json('status')['processes']))
    site.expected_findings = True
    send(site, TEXT)
    assert b'ARC-' not in delivered(site)
    assert 'not-sealed' in site.logged()


@pytest.fixture
def posthouse_zone(tmp_path):
    import json
    from site_of_test import BINARY

    def verify(message, record):
        parts = ' '.join(f'"{record[i:i + 200]}"' for i in range(0, len(record), 200))
        (tmp_path / 'zone').write_text(f'one._domainkey.seals.example.org. TXT {parts}\n')
        done = subprocess.run([BINARY, 'verify', 'arc', '--dns', str(tmp_path / 'zone'), '--json'], input=message, capture_output=True,
                              timeout=20, check=True)
        return json.loads(done.stdout)['arc']
    return verify
