# TLS as clients see it: which certificate, which protocol, tickets, renewal while it runs; and that private keys are in
# the memory of keys and nowhere else.
import array
import hashlib
import os
import pwd
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from site_of_test import PASSWORDS, wait_until
from wire import Wire

KINDS = {'rsa': ['rsa:2048'], 'ec': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], 'ed': ['ed25519']}


def make(directory, name, kind, *names, days=90):
    """NAME.pem and NAME.key in a site's directory, self-signed."""
    alt = ','.join(f'DNS:{n}' for n in names)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', *KINDS[kind], '-nodes', '-days', str(days), '-subj', f'/CN={names[0]}',
                    '-addext', f'subjectAltName={alt}', '-keyout', f'{directory}/{name}.key.new', '-out', f'{directory}/{name}.pem.new'],
                   check=True, capture_output=True)
    os.chmod(f'{directory}/{name}.key.new', 0o600)
    for ending in ('key', 'pem'):
        os.rename(f'{directory}/{name}.{ending}.new', f'{directory}/{name}.{ending}')


def line(name, more=''):
    return f'tls certificate {name}.pem key {name}.key {more}\n'


def tls_site(sites, made, extra='', started=True, **more):
    """A site with submission and certificates: {name: (kind, names...)} in this order."""
    site = sites(extra=''.join(line(n) for n in made) + extra, tls=False, submission=True, started=False, **more)
    for name, what in made.items():
        make(site.dir, name, *what)
    return site.start() if started else site


def client(port, *args, starttls=False, host='127.0.0.1'):
    """What openssl s_client says of a session that ends with QUIT."""
    command = ['openssl', 's_client', '-connect', f'{host}:{port}', *args]
    if starttls:
        command += ['-starttls', 'smtp']
    done = subprocess.run(command, input='QUIT\r\n', capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def subject(text):
    found = re.search(r'^subject=(?:.*CN = )?(.*)$', text, re.M)
    return found and found.group(1)


def signature(text):
    found = re.search(r'^Peer signature type: (.*)$', text, re.M)
    return found and found.group(1)


BOTH = {'ec': ('ec', 'mx1.example.org'), 'rsa': ('rsa', 'mx1.example.org', '*.example.net'),
        'other': ('ec', 'other.example.com'), 'ed': ('ed', 'ed.example.com')}


@pytest.mark.parametrize('version', ['-tls1_2', '-tls1_3'])
def test_which_certificate(sites, version):
    """By name, exact or with a star, by what the client can verify; the first one for whoever names none of ours."""
    site = tls_site(sites, BOTH)
    cases = [((), 'mx1.example.org', 'ECDSA'),
             (('-servername', 'nobody.example'), 'mx1.example.org', 'ECDSA'),
             (('-servername', 'mx1.example.org'), 'mx1.example.org', 'ECDSA'),
             (('-servername', 'MX1.example.org', '-sigalgs', 'RSA-PSS+SHA256'), 'mx1.example.org', 'RSA-PSS'),
             (('-servername', 'any.example.net'), 'mx1.example.org', 'RSA-PSS'),
             (('-servername', 'deep.any.example.net'), 'mx1.example.org', 'ECDSA'),
             (('-servername', 'other.example.com'), 'other.example.com', 'ECDSA'),
             (('-servername', 'ed.example.com'), 'ed.example.com', 'ed25519')]
    for args, name, how in cases:
        for port, starttls in ((site.port, True), (site.submission_port, True), (site.submissions_port, False)):
            text = client(port, version, *args, starttls=starttls)
            assert (subject(text), signature(text)) == (name, how), f'{args} at {port}:\n{text}'


def test_old_protocols_are_refused(sites):
    site = tls_site(sites, {'ec': BOTH['ec'], 'rsa': BOTH['rsa']})
    for version in ('-tls1', '-tls1_1'):
        for args in ((), ('-servername', 'any.example.net')):
            text = client(site.submissions_port, version, '-cipher', 'ALL:@SECLEVEL=0', *args)
            assert 'Cipher is (NONE)' in text and 'alert protocol version' in text, text
    for cipher in ('AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256', 'AES256-GCM-SHA384', 'DHE-RSA-AES128-GCM-SHA256'):
        text = client(site.submissions_port, '-tls1_2', '-cipher', f'{cipher}:@SECLEVEL=0')
        assert 'Cipher is (NONE)' in text, text
    text = client(site.submissions_port, '-tls1_3', '-groups', 'P-521')
    assert 'Cipher is (NONE)' in text, text


def test_old_profile(sites):
    """For machines that can't do better, who ask for it."""
    site = tls_site(sites, {'ec': BOTH['ec'], 'rsa': BOTH['rsa']}, extra='tls profile old\n')
    cases = [('-tls1', 'ECDHE-RSA-AES128-SHA'), ('-tls1_1', 'ECDHE-ECDSA-AES256-SHA'), ('-tls1', 'DHE-RSA-AES256-SHA'),
             ('-tls1_2', 'ECDHE-RSA-AES128-SHA256')]
    for version, cipher in cases:
        text = client(site.submissions_port, version, '-cipher', f'{cipher}:@SECLEVEL=0')
        assert f'Cipher is {cipher}' in text, text
    assert 'New, TLSv1.3' in client(site.submissions_port)
    text = client(site.submissions_port, '-tls1', '-cipher', 'AES128-SHA:@SECLEVEL=0')
    assert 'Cipher is (NONE)' in text, 'without forward secrecy there is nothing, in no profile'


# --- tickets

class Resumer:
    """Sessions of one client that keeps its tickets."""

    def __init__(self, version):
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = version

    def session(self, port, starttls, session=None):
        """A session: whether it was resumed, and what the next one can be resumed with."""
        with socket.create_connection(('127.0.0.1', port), 10) as plain:
            if starttls:
                self.until(plain, b'220 ')
                plain.sendall(b'EHLO c.example.net\r\n')
                self.until(plain, b'250 ')
                plain.sendall(b'STARTTLS\r\n')
                self.until(plain, b'220 ')
            with self.context.wrap_socket(plain, server_hostname='mx1.example.org', session=session) as s:
                s.sendall(b'EHLO c.example.net\r\n')
                self.until(s, b'250 ')
                return s.session_reused, s.session

    @staticmethod
    def until(s, word):
        text = b''
        while not re.search(rb'^' + word + rb'.*\r\n$', text, re.M):
            piece = s.recv(4096)
            assert piece, f'closed after {text}'
            text += piece


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize('version', VERSIONS, ids=['1.2', '1.3'])
def test_tickets(sites, version):
    """They resume on the port they are from, at any of its processes, also at one that was just started, and never
    where people of another role are served."""
    site = tls_site(sites, {'ec': BOTH['ec'], 'rsa': BOTH['rsa']}, extra='workers { smtpd 2; submission 2; keys 2 }\n')
    c = Resumer(version)
    mx, submission, implicit = (site.port, True), (site.submission_port, True), (site.submissions_port, False)
    assert not c.session(*mx)[0]
    tickets = {where: c.session(*where)[1] for where in (mx, submission)}
    for _ in range(6):  # two processes share the port; the kernel spreads connections
        assert c.session(*mx, tickets[mx])[0]
        assert c.session(*submission, tickets[submission])[0]
    assert c.session(*implicit, tickets[submission])[0], 'both ports are of one role'
    for _ in range(3):
        assert not c.session(*mx, tickets[submission])[0]
        assert not c.session(*submission, tickets[mx])[0]
        assert not c.session(*implicit, tickets[mx])[0]
    for role in ('smtpd', 'submission', 'keys'):
        for pid in pids(site, role):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(pids(site, 'smtpd')) == 2 and len(pids(site, 'submission')) == 2 and len(pids(site, 'keys')) == 2, 20)
    assert c.session(*mx, tickets[mx])[0], 'a new process has the keys of the old one'
    assert c.session(*submission, tickets[submission])[0]


@pytest.mark.parametrize('version', VERSIONS, ids=['1.2', '1.3'])
def test_tickets_end(sites, version):
    """After their life; and there are none where nobody wants any."""
    site = tls_site(sites, {'ec': BOTH['ec']}, extra='tls ticket-life 4s\n')
    c = Resumer(version)
    ticket = c.session(site.submissions_port, False)[1]
    assert c.session(site.submissions_port, False, ticket)[0]
    time.sleep(6)
    assert not c.session(site.submissions_port, False, ticket)[0]
    never = tls_site(sites, {'ec': BOTH['ec']}, extra='tls ticket-life 0s\n')
    ticket = c.session(never.submissions_port, False)[1]
    assert ticket is None or not ticket.has_ticket or not c.session(never.submissions_port, False, ticket)[0]


# --- renewal

def fingerprint(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(('127.0.0.1', port), 10) as plain, context.wrap_socket(plain) as s:
        return hashlib.sha256(s.getpeercert(True)).hexdigest()


def events(site, name):
    return [text for text in site.logged().splitlines() if f' {name} ' in text]


def test_renewed_while_serving(sites):
    """A pair that was replaced is served without a restart; sessions go on; what doesn't fit together is refused."""
    site = tls_site(sites, {'ec': BOTH['ec']})
    before, keys = fingerprint(site.submissions_port), pids(site, 'keys')
    with Wire(site.port) as open_session:
        open_session.hello()
        open_session.starttls()
        make(site.dir, 'ec', 'rsa', 'mx1.example.org')  # even of another kind
        wait_until(lambda: fingerprint(site.submissions_port) != before, 10, 0.1)
        open_session.expect(250, 'NOOP')
    after = fingerprint(site.submissions_port)
    make(site.dir, 'stranger', 'ec', 'mx1.example.org')
    os.rename(f'{site.dir}/stranger.key', f'{site.dir}/ec.key')
    wait_until(lambda: events(site, 'certificate-refused'), 10, 0.1)
    assert 'does not belong' in events(site, 'certificate-refused')[0]
    assert fingerprint(site.submissions_port) == after, 'the last good one goes on'
    time.sleep(2.5)
    assert len(events(site, 'certificate-refused')) == 1, 'said once'
    os.rename(f'{site.dir}/stranger.pem', f'{site.dir}/ec.pem')
    wait_until(lambda: fingerprint(site.submissions_port) not in (before, after), 10, 0.1)
    assert pids(site, 'keys') == keys


def test_renewed_by_links(sites):
    """As certbot does it: live/NAME/*.pem are links into ../../archive/NAME/, and are replaced."""
    site = sites(extra='tls certificate live/mx/fullchain.pem key live/mx/privkey.pem\n', tls=False, submission=True, started=False)
    os.makedirs(f'{site.dir}/live/mx')
    os.makedirs(f'{site.dir}/archive/mx')

    def issue(n):
        make(f'{site.dir}/archive/mx', f'c{n}', 'ec', 'mx1.example.org')
        for name, ending in (('fullchain', 'pem'), ('privkey', 'key')):
            os.symlink(f'../../archive/mx/c{n}.{ending}', f'{site.dir}/live/mx/{name}.new')
            os.rename(f'{site.dir}/live/mx/{name}.new', f'{site.dir}/live/mx/{name}.pem')

    issue(1)
    site.start()
    before = fingerprint(site.submissions_port)
    issue(2)
    wait_until(lambda: fingerprint(site.submissions_port) != before, 10, 0.1)


def test_keys_dies_under_load(sites):
    """Handshakes wait for the next one, instead of failing."""
    site = tls_site(sites, {'ec': BOTH['ec']})
    for _ in range(3):
        old = pids(site, 'keys')
        os.kill(old[0], signal.SIGKILL)
        assert signature(client(site.submissions_port)) == 'ECDSA'
        wait_until(lambda: pids(site, 'keys') not in ([], old), 15)


def test_reload_during_a_transaction(sites):
    """Who began before a reload is served to the end by those who were there: recipients are known, messages signed."""
    site = tls_site(sites, {'ec': BOTH['ec']}, extra='dkim sign example.org as example.org selector r key dkim.key\n', started=False)
    make(site.dir, 'dkim', 'rsa', 'unused.example')
    site.start()
    with Wire(site.submission_port) as w:
        w.hello()
        w.starttls()
        w.expect(250, 'EHLO c.example.net')
        w.login('alice', PASSWORDS['alice'])
        w.expect(250, 'MAIL FROM:<alice@example.org>')
        old = pids(site, 'keys')
        site.run('reload')
        wait_until(lambda: pids(site, 'keys') not in ([], old) and pids(site, 'submission'), 20)
        time.sleep(1)
        w.expect(250, 'RCPT TO:<bob@example.org>')
        w.expect(354, 'DATA')
        w.send(b'From: alice@example.org\r\n\r\nhi\r\n.\r\n')
        w.expect(250)
    assert b'DKIM-Signature' in site.wait_mail('bob')[0]
    wait_until(lambda: not os.path.exists(f'/proc/{old[0]}'), 20)


# --- what else there is to see

def test_staple(sites):
    """The OCSP response that a file holds, from the next look on that finds it."""
    site = tls_site(sites, {'ec': BOTH['ec']}, started=False)
    with open(site.config, encoding='utf-8') as f:
        text = f.read()
    with open(site.config, 'w', encoding='utf-8') as f:
        f.write(text.replace(line('ec').strip(), line('ec', 'ocsp ec.ocsp').strip()))
    respond(site.dir)
    site.start()
    assert 'OCSP Response Status: successful' in client(site.submissions_port, '-status')
    assert 'OCSP Response Status: successful' in client(site.port, '-status', starttls=True)
    assert 'OCSP response: no response sent' not in client(site.submissions_port, '-status')


def respond(directory):
    """ec.ocsp: a response about ec.pem, by itself as its own authority."""
    serial = subprocess.run(['openssl', 'x509', '-in', 'ec.pem', '-noout', '-serial'], cwd=directory, check=True,
                            capture_output=True, text=True).stdout.strip().split('=')[1]
    with open(f'{directory}/index.txt', 'w', encoding='ascii') as f:
        f.write(f'V\t350101000000Z\t\t{serial}\tunknown\t/CN=mx1.example.org\n')
    subprocess.run(['openssl', 'ocsp', '-index', 'index.txt', '-CA', 'ec.pem', '-rsigner', 'ec.pem', '-rkey', 'ec.key', '-issuer', 'ec.pem',
                    '-serial', f'0x{serial}', '-ndays', '5', '-respout', 'ec.ocsp'], cwd=directory, check=True, capture_output=True)


def test_certificates_of_clients(sites):
    """Asked for on submission alone, of those whom the administrator's authority vouches for; nobody needs one."""
    site = tls_site(sites, {'ec': BOTH['ec']}, extra='tls client-ca ca.pem\n', started=False)
    make(site.dir, 'ca', 'ec', 'authority.example')
    site.start()
    assert 'CN = authority.example' in client(site.submissions_port)
    assert 'No client certificate CA names sent' in client(site.port, starttls=True)
    for name in ('ec', 'ca'):  # a stranger's, and a known one's
        text = client(site.submissions_port, '-cert', f'{site.dir}/{name}.pem', '-key', f'{site.dir}/{name}.key')
        assert 'New, TLSv1.3' in text and 'alert' not in text, text


def test_expiry(sites):
    """A certificate that ends soon is told of, and measured."""
    site = tls_site(sites, {'ec': BOTH['ec']}, started=False)
    make(site.dir, 'ec', 'ec', 'mx1.example.org', days=5)
    site.start()
    wait_until(lambda: events(site, 'certificate-expires'), 5)
    assert re.search(r'days=[45]\b', events(site, 'certificate-expires')[0])
    assert 4 * 86400 < site.metric('posthouse_certificate_expiry_seconds') <= 5 * 86400
    assert 'expires within 21 days' in site.run('check').stderr


def test_wrong_keys(sites):
    """Said in a line with the place in the configuration, before anything starts; a reload leaves all as it was."""
    site = tls_site(sites, {'ec': BOTH['ec'], 'rsa': BOTH['rsa']}, started=False)
    os.rename(f'{site.dir}/ec.key', f'{site.dir}/kept')
    place = next(i for i, text in enumerate(open(site.config, encoding='utf-8'), 1) if 'ec.key' in text)
    cases = [(None, 'No such file'), ('nonsense', 'no unencrypted PEM private key'),
             (open(f'{site.dir}/rsa.key', encoding='ascii').read(), 'does not belong to the certificate')]
    for text, why in cases:
        if text:
            site.write('ec.key', text, 0o600)
        for command in ('check', 'run'):
            done = site.run(command, expect=78)
            assert re.search(rf':{place}: tls: .*{why}', done.stderr), done.stderr
            assert len(done.stderr.strip().splitlines()) == 1
    os.rename(f'{site.dir}/kept', f'{site.dir}/ec.key')
    site.start()
    before = fingerprint(site.submissions_port)
    site.write('ec.key', 'nonsense', 0o600)
    done = site.run('reload', expect=None)
    assert done.returncode != 0 and 'no unencrypted PEM private key' in done.stderr + done.stdout
    assert fingerprint(site.submissions_port) == before


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can become another user')
def test_keys_that_are_roots(sites):
    """Keys becomes the user like all others, and still reads files that are root's alone, of those directories only."""
    site = tls_site(sites, {'ec': BOTH['ec']}, extra='user nobody\n', started=False)
    os.chmod(site.dir, 0o755)
    site.start()
    status = open(f'/proc/{pids(site, "keys")[0]}/status', encoding='ascii').read()
    nobody = pwd.getpwnam('nobody').pw_uid
    assert f'Uid:\t{nobody}\t{nobody}\t{nobody}' in status and 'CapEff:\t0000000000000004' in status, status
    before = fingerprint(site.submissions_port)
    make(site.dir, 'ec', 'ec', 'mx1.example.org')
    assert os.stat(f'{site.dir}/ec.key').st_mode & 0o777 == 0o600
    wait_until(lambda: fingerprint(site.submissions_port) != before, 10, 0.1)


# --- where key bytes are

def pids(site, role):
    return sorted(p['pid'] for p in processes(site) if p['role'] == role and p.get('pid'))


def processes(site):
    return site.json('status')['processes']


def secret_numbers(path):
    """The parts of a private key that nobody else may know, as bytes: big-endian, and as OpenSSL's numbers lie in memory."""
    text = subprocess.run(['openssl', 'pkey', '-in', path, '-text', '-noout'], check=True, capture_output=True, text=True).stdout
    found = {}
    for name, hexes in re.findall(r'^(priv|privateExponent|prime1|prime2):\n((?: +[0-9a-f:]+\n)+)', text, re.M):
        number = bytes.fromhex(re.sub(r'[^0-9a-f]', '', hexes)).lstrip(b'\0')
        found[name] = number
        found[f'{name}, reversed'] = number[::-1]
    with open(path, encoding='ascii') as f:
        found['the file'] = f.read().splitlines()[1].encode()
    assert len(found) >= 3, text
    return found


HUGE = 8 << 30  # a sanitizer's shadow
PAGE, STEP = 4096, 1 << 22


def there(pagemap, begin, end):
    """Runs of pages that are in memory or swapped out; nothing was ever written to the others."""
    pagemap.seek(begin // PAGE * 8)
    entries, run = array.array('Q', pagemap.read((end - begin) // PAGE * 8)), None
    for i, entry in enumerate(entries):
        if entry >> 62:
            run = i if run is None else run
        elif run is not None:
            yield begin + run * PAGE, begin + i * PAGE
            run = None
    if run is not None:
        yield begin + run * PAGE, begin + len(entries) * PAGE


def readable(f, begin, end):
    """What lies there, in one piece if it can be; guard pages can't be read."""
    try:
        f.seek(begin)
        yield f.read(end - begin)
    except OSError:
        if end - begin > PAGE:
            middle = begin + (end - begin) // PAGE // 2 * PAGE
            yield from readable(f, begin, middle)
            yield from readable(f, middle, end)


def memory(pid):
    """All that a core of a process would hold and that isn't of a file, piece by piece. Pieces overlap, so that nothing
    is cut in two."""
    with open(f'/proc/{pid}/maps', encoding='utf-8') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as f, \
            open(f'/proc/{pid}/pagemap', 'rb', 0) as pagemap:
        for text in maps.readlines():
            begin, end = (int(x, 16) for x in text.split()[0].split('-'))
            mode, of_file = text.split()[1], text.split()[4] != '0'
            if mode[0] != 'r' or (of_file and mode[1] != 'w') or end - begin > HUGE or '[v' in text:
                continue
            for first, last in there(pagemap, begin, end):
                for at in range(first, last, STEP):
                    yield from readable(f, at, min(at + STEP + PAGE, last))


def secrets_in(pid, wanted):
    left = dict(wanted)
    for piece in memory(pid):
        for name in [n for n, number in left.items() if number in piece]:
            del left[name]
    return set(wanted) - set(left)


def test_where_private_keys_are(sites):
    """In the memory of keys, and of nobody else: not of those who talk to strangers, not of master."""
    dkim = ('dkim sign example.org as example.org selector r key dkim.key\n'
            'dkim sign example.org as example.org selector e key dkim-ed.key\n')
    site = tls_site(sites, {'ec': BOTH['ec'], 'rsa': BOTH['rsa'], 'ed': BOTH['ed']}, started=False, extra=dkim)
    make(site.dir, 'dkim', 'rsa', 'unused.example')
    make(site.dir, 'dkim-ed', 'ed', 'unused.example')
    site.start()
    for args in ((), ('-sigalgs', 'RSA-PSS+SHA256'), ('-servername', 'ed.example.com')):
        assert signature(client(site.submissions_port, *args)) and signature(client(site.port, *args, starttls=True))
    with Wire(site.submission_port) as w:  # signed, then on its way by relay
        w.hello()
        w.starttls()
        w.expect(250, 'EHLO c.example.net')
        w.login('alice', PASSWORDS['alice'])
        w.message('alice@example.org', ['bob@example.org', 'x@nowhere.invalid'], b'From: alice@example.org\r\n\r\nhi\r\n')
    assert b'DKIM-Signature' in site.wait_mail('bob')[0]
    wanted = {f'{name} of {key}': number for key in ('ec', 'rsa', 'ed', 'dkim', 'dkim-ed')
              for name, number in secret_numbers(f'{site.dir}/{key}.key').items()}
    keys, others = pids(site, 'keys')[0], [p for p in processes(site) if p['role'] != 'keys' and p.get('pid')] + [{'role': 'master', 'pid': site.process.pid}]
    if not os.access(f'/proc/{keys}/mem', os.R_OK):
        pytest.skip('only root may read the memory of a jailed process')
    found = secrets_in(keys, wanted)
    for key in ('ec', 'rsa', 'ed', 'dkim', 'dkim-ed'):
        assert any(f.endswith(f' of {key}') for f in found), f'the search can find {key}: {found}'
    roles = set()
    for p in others:
        assert not secrets_in(p['pid'], wanted), f'{p}: {secrets_in(p["pid"], wanted)}'
        roles.add(p['role'])
    assert {'master', 'smtpd', 'submission', 'relay', 'queue'} <= roles
