# test_scanners: what scanners of others find, that anybody may point at a server: nmap's scripts for SMTP, testssl.sh,
# swaks. No relay, no list of users, no weak TLS.
import glob
import json
import os
import shutil
import subprocess

import pytest

from site_of_test import ROOT

UNPACKED = os.path.join(ROOT, 'build', 'interop', 'scanners')
PATIENT = 'limit { errors 1000 }\n'  # a scanner makes nothing but mistakes; as configured else, it is shown the door
NAMES = ['root', 'admin', 'webadmin', 'sysadmin', 'netadmin', 'guest', 'user', 'web', 'test', 'info', 'nobody', 'www']


def tool(package, binary):
    path = os.path.join(UNPACKED, package, binary)
    if not os.path.exists(path):
        pytest.skip(f'skipped: no {package} unpacked (tests/interop/setup)')
    return path


def environment():
    libraries = {os.path.dirname(f) for where in ('scanners', 'filters/liblua5.3-0') for f in
                 glob.glob(os.path.join(ROOT, 'build', 'interop', where, '**', 'usr', 'lib', '**', '*.so.*'), recursive=True)}
    return dict(os.environ, LD_LIBRARY_PATH=':'.join(sorted(libraries)),
                NMAPDIR=os.path.join(UNPACKED, 'nmap-common', 'usr', 'share', 'nmap'))


def nmap(port, script, *args, domain='example.org'):
    """What the script found; empty for nothing."""
    path = tool('nmap', 'usr/bin/nmap')
    done = subprocess.run([path, '-n', '-Pn', '-sT', '-p', str(port), '--script', f'+{script}', '--script-args',
                           ','.join((f'smtp.domain={domain}', *args)), '127.0.0.1'], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, env=environment())
    if 'shared libraries' in done.stderr:
        pytest.skip(f'skipped: nmap can\'t run: {done.stderr.strip()}')
    assert done.returncode == 0 and f'{port}/tcp open' in done.stdout, done.stdout + done.stderr
    return '\n'.join(line for line in done.stdout.splitlines() if line.startswith('|'))


def test_nmap_finds_no_relay(sites):
    """The script tries sixteen ways to dress an address."""
    site = sites(PATIENT)
    found = nmap(site.port, 'smtp-open-relay', domain='victim.example')
    assert "Server doesn't seem to be an open relay, all tests failed" in found, found
    site.stop()
    assert 'queued' not in site.logged()


def test_nmap_is_shown_the_door(sites):
    site = sites()
    found = nmap(site.port, 'smtp-open-relay', domain='victim.example')
    assert 'Server is an open relay' not in found and 'failed to receive data' in found, found


def test_nmap_sees_what_is_offered(site):
    found = nmap(site.port, 'smtp-commands')
    assert 'STARTTLS' in found and 'ENHANCEDSTATUSCODES' in found, found
    assert 'AUTH' not in found and 'EXPN' not in found and 'XCLIENT' not in found, found


@pytest.mark.parametrize('method', ['VRFY', 'EXPN'])
def test_nmap_is_told_no_user(sites, method):
    site = sites(PATIENT)
    site.write('names', '\n'.join(NAMES + ['alice', 'bob', 'postmaster', 'sales']))
    found = nmap(site.port, 'smtp-enum-users', f'userdb={site.dir}/names', f'smtp-enum-users.methods={{{method}}}')
    assert 'alice' not in found and 'bob' not in found and 'sales' not in found, found


def test_nmap_guesses_few_users(site):
    """RCPT must tell who is there (RFC 5321 3.3), but not to somebody who asks for one after the other."""
    site.write('names', '\n'.join(NAMES + ['alice']))
    found = nmap(site.port, 'smtp-enum-users', f'userdb={site.dir}/names', 'smtp-enum-users.methods={RCPT}')
    assert 'alice' not in found, found


# --- TLS

def ssl_findings(site, port, *starttls):
    """Its findings about protocols, ciphers, forward secrecy and known attacks."""
    path = tool('testssl.sh', 'usr/bin/testssl')
    hexdump = os.path.join(UNPACKED, 'bsdextrautils', 'usr', 'bin')
    if not shutil.which('hexdump') and not os.path.exists(f'{hexdump}/hexdump'):
        pytest.skip('skipped: testssl.sh needs hexdump')
    out = f'{site.dir}/testssl.json'
    env = dict(os.environ, TESTSSL_INSTALL_DIR=os.path.join(UNPACKED, 'testssl.sh', 'etc', 'testssl'),
               PATH=os.environ['PATH'] + ':' + hexdump)
    done = subprocess.run(['bash', path, '--quiet', '--color', '0', '--warnings', 'off', '--nodns', 'none', '-p', '-s',
                           '-f', '-U', '--fast', '--jsonfile', out, *starttls, f'127.0.0.1:{port}'], env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
    if not os.path.exists(out) or 'Fatal error' in done.stdout:
        pytest.skip(f'skipped: testssl.sh can\'t run: {(done.stdout + done.stderr).strip()[-300:]}')
    with open(out, encoding='utf-8') as f:
        findings = json.load(f)
    assert len(findings) > 25, done.stdout
    return {one['id']: (one['severity'], one['finding']) for one in findings}


# Older TLS is offered by no default, and a cipher without forward secrecy by none at all.
def insist(findings):
    weak = {name: f for name, f in findings.items() if f[0] in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL', 'FATAL')}
    assert not weak, weak
    for old in ('SSLv2', 'SSLv3', 'TLS1', 'TLS1_1'):
        assert 'not offered' in findings[old][1], findings[old]
    assert findings['TLS1_2'][0] == findings['TLS1_3'][0] == 'OK'
    for attack in ('heartbleed', 'CCS', 'ROBOT', 'secure_renego', 'secure_client_renego', 'POODLE_SSL', 'SWEET32',
                   'FREAK', 'DROWN', 'LOGJAM', 'BEAST', 'LUCKY13'):
        assert findings[attack][0] in ('OK', 'INFO'), (attack, findings[attack])


def test_testssl_on_starttls(site):
    insist(ssl_findings(site, site.port, '-t', 'smtp'))


def test_testssl_on_submission(sites):
    site = sites(submission=True)
    insist(ssl_findings(site, site.submissions_port))


# --- swaks

def swaks(port, *args, code=0):
    if not shutil.which('swaks'):
        pytest.skip('skipped: no swaks (tools/setup test)')
    done = subprocess.run(['swaks', '--server', '127.0.0.1', '--port', str(port), '--helo', 'client.example.net', *args],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


REFUSED_RCPT, NO_AUTH = 24, 28


@pytest.mark.parametrize('tls', [(), ('--tls',)], ids=['plain', 'tls'])
def test_swaks_finds_no_relay(site, tls):
    for sender in ('you@example.net', 'alice@example.org', '<>'):
        shown = swaks(site.port, '--from', sender, '--to', 'victim@victim.example', *tls, code=REFUSED_RCPT)
        assert '550 5.7.1' in shown


def test_swaks_can_not_log_in_on_25(site):
    swaks(site.port, '--tls', '--from', 'a@example.net', '--to', 'victim@victim.example', '--auth', 'PLAIN',
          '--auth-user', 'alice', '--auth-password', 'x', code=NO_AUTH)


def test_swaks_mail_from_a_stranger_arrives(site):
    swaks(site.port, '--tls', '--from', 'you@example.net', '--to', 'alice@example.org', '--h-Subject', 'from swaks')
    assert b'from swaks' in site.wait_mail('alice')[0]


def test_swaks_pipelines(site):
    swaks(site.port, '--pipeline', '--from', 'you@example.net', '--to', 'alice@example.org,bob@example.org')
    site.wait_mail('alice')
    site.wait_mail('bob')
