# test_acme_deploy: the hook for certbot and lego, as they call it, and a server that takes up what it brought.
import os
import ssl
import subprocess

import pytest

from site_of_test import ROOT, certificate, wait_until
from wire import Wire

HOOK = os.path.join(ROOT, 'contrib', 'acme', 'deploy')


def renewed(tmp_path, kind):
    """A pair as the client leaves it, and the environment of its hook."""
    where = tmp_path / 'mx1.example.org'
    where.mkdir(exist_ok=True)
    certificate(where)
    chain, key = (where / 'fullchain.pem', where / 'privkey.pem') if kind == 'certbot' else \
        (where / 'mx1.example.org.crt', where / 'mx1.example.org.key')
    os.replace(where / 'cert.pem', chain)
    os.replace(where / 'key.pem', key)
    env = {'RENEWED_LINEAGE': str(where)} if kind == 'certbot' else {'LEGO_CERT_PATH': str(chain), 'LEGO_CERT_KEY_PATH': str(key)}
    return chain, key, env


def deploy(to, env):
    return subprocess.run([HOOK, str(to)], env=dict(os.environ, **env), capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize('kind', ['certbot', 'lego'])
def test_the_pair_is_put_in_place(tmp_path, kind):
    chain, key, env = renewed(tmp_path, kind)
    to = tmp_path / 'tls'
    to.mkdir()
    for _ in range(2):
        assert deploy(to, env).returncode == 0
        assert sorted(os.listdir(to)) == ['mx1.example.org.crt', 'mx1.example.org.key']
        assert (to / 'mx1.example.org.crt').read_bytes() == chain.read_bytes()
        assert (to / 'mx1.example.org.key').read_bytes() == key.read_bytes()
        assert (to / 'mx1.example.org.key').stat().st_mode & 0o777 == 0o600


def test_a_pair_that_does_not_fit_changes_nothing(tmp_path):
    chain, key, env = renewed(tmp_path, 'certbot')
    to = tmp_path / 'tls'
    to.mkdir()
    assert deploy(to, env).returncode == 0
    before = {name: (to / name).read_bytes() for name in os.listdir(to)}
    other = tmp_path / 'other'
    other.mkdir()
    certificate(other)
    os.replace(other / 'key.pem', key)
    assert deploy(to, env).returncode == 65
    key.write_text('')
    assert deploy(to, env).returncode != 0
    assert {name: (to / name).read_bytes() for name in os.listdir(to)} == before
    assert deploy(to, {}).returncode == 64


def shown(port):
    """The certificate that STARTTLS shows, DER."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Wire(port) as w:
        w.hello()
        w.expect(220, 'STARTTLS')
        w.file.close()
        w.socket = context.wrap_socket(w.socket, server_hostname='mx1.example.org')
        w.file = w.socket.makefile('rb')
        return w.socket.getpeercert(binary_form=True)


def test_the_server_takes_it_up_and_sessions_go_on(sites, tmp_path):
    _, _, env = renewed(tmp_path, 'certbot')
    to = tmp_path / 'tls'
    to.mkdir()
    assert deploy(to, env).returncode == 0
    site = sites(f'tls certificate {to}/mx1.example.org.crt key {to}/mx1.example.org.key', tls=False)
    with Wire(site.port) as kept:
        kept.hello()
        kept.starttls()
        before = shown(site.port)
        chain, _, env = renewed(tmp_path, 'certbot')
        new = ssl.PEM_cert_to_DER_cert(chain.read_text())
        assert deploy(to, env).returncode == 0
        wait_until(lambda: shown(site.port) == new, 10, 0.2)
        assert before != new
        kept.expect(250, 'EHLO client.example.net')
    assert all(p['restarts'] == 0 for p in site.json('status')['processes'])
