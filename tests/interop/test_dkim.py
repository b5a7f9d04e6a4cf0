# test_dkim: keys are made, published, checked and rotated; what submission signs is accepted by verifiers of another make,
# for every message that others collected.
import json
import os
import re
import smtplib
import ssl
import stat
import subprocess

import dkim
import pytest

from opendkim import OpenDkim
from peers import Dns, Sink
from site_of_test import ENV, PASSWORDS, wait_until
from test_content import messages
from wire import crlf

HERE = os.path.dirname(os.path.abspath(__file__))
BOTH = ['ed25519-sha256', 'rsa-sha256']
QUICK = 'lockout { delay 0ms .. 10ms }'
MAIL = crlf(b'From: alice@example.org\nTo: carol@example.com\nSubject: hi\n'
            b'Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <a@b>\n\nhello  there \n\n\n')


def login(site):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = smtplib.SMTP_SSL('127.0.0.1', site.submissions_port, timeout=60, context=context)
    client.login('alice', PASSWORDS['alice'])
    return client


def records(site, domain='example.org'):
    """What `dkim dns` says is to be published: name to text."""
    return {key['name']: key['value'] for key in json.loads(site.run('dkim', 'dns', domain, '--json').stdout)['keys']}


def zone(of):
    """Lines of a zone file: strings of at most 255 bytes."""
    return '\n'.join(f'{name}. TXT ' + ' '.join(f'"{part}"' for part in re.findall('.{1,255}', text))
                     for name, text in of.items())


def ask_at(site, port):
    """Makes the configuration of `site` ask another name server."""
    with open(site.config, encoding='utf-8') as f:
        text = f.read()
    with open(site.config, 'w', encoding='utf-8') as f:
        f.write(re.sub(r'resolver forward \S+', f'resolver forward 127.0.0.1:{port}', text))


def signatures(message):
    """The DKIM-Signature fields on top, unfolded, with tags as a dictionary."""
    header = message.split(b'\r\n\r\n', 1)[0].decode('latin-1')
    fields = re.findall(r'(?m)^DKIM-Signature:((?:.*\r?\n)(?:[ \t].*\r?\n)*)', header + '\r\n')
    return [dict(re.findall(r'(\w+)=([^;]*)', re.sub(r'\s', '', f))) for f in fields]


def by_dkimpy(message, published):
    """Verifies every signature of ours; gives the algorithms of those that hold."""
    good = []
    for n, tags in enumerate(signatures(message)):
        def lookup(name, timeout=5):
            text = published.get(name.decode().rstrip('.'))
            return text.encode() if text else None
        if f'{tags.get("s")}._domainkey.{tags.get("d")}' in published:
            assert dkim.DKIM(message, minkey=2048).verify(idx=n, dnsfunc=lookup), (tags, message[:3000])
            good.append(tags['a'])
    return good


# dkimpy reads no message that has a blank before the colon of a field (RFC 5322 4.5).
OBSOLETE = re.compile(rb'(?m)\A(?:[!-9;-~]+:.*\r\n(?:[ \t].*\r\n)*)*[!-9;-~]+[ \t]+:')


def by_mail_dkim(paths, published, tmp_path):
    """What Mail::DKIM says: path to a list of (algorithm, result)."""
    (tmp_path / 'records').write_text(''.join(f'{name}\t{text}\n' for name, text in published.items()))
    done = subprocess.run(['perl', f'{HERE}/dkim_verify.pl', tmp_path / 'records', *paths], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    said = {}
    for line in done.stdout.splitlines():
        path, algorithm, result = line.split('\t')
        said.setdefault(path, []).append((algorithm, result))
    return said


def by_opendkim(paths, published, tmp_path):
    """What libopendkim says, in the same way; nothing where it isn't."""
    if not OpenDkim.is_there():
        return {}
    (tmp_path / 'keys').write_text(''.join(f'{name} {text}\n' for name, text in published.items()))
    verifier, said = OpenDkim(tmp_path / 'keys'), {}
    for path in paths:
        with open(path, 'rb') as f:
            said[path] = verifier.verify(f.read())
    verifier.close()
    return said


# --- the command line

def test_life_of_a_key(sites, peer):
    site = sites()
    run = site.run
    made = run('dkim', 'new', 'Example.ORG')
    assert re.search(r'(?m)^\d{8}r\._domainkey\.example\.org\. 3600 IN TXT \( "v=DKIM1; k=rsa; p=[^"]+"\n +"[^"]+" \)$', made.stdout)
    assert re.search(r'(?m)^\d{8}e\._domainkey\.example\.org\. 3600 IN TXT \( "v=DKIM1; k=ed25519; p=[^"]{44}" \)$', made.stdout)
    for name in os.listdir(f'{site.dir}/dkim/example.org'):
        assert stat.S_IMODE(os.stat(f'{site.dir}/dkim/example.org/{name}').st_mode) == 0o600
    first = records(site)
    assert len(first) == 2

    # Nothing is published: the keys stay as they are.
    ask_at(site, peer(Dns, '').port)
    said = run('dkim', 'check', 'example.org', expect=75).stdout
    assert said.count('no TXT record is published at') == 2
    assert 'not yet' in run('dkim', 'rotate', 'example.org', expect=75).stderr
    assert run('dkim', 'list').stdout.count('pending') == 2

    # One is published, and another key in the place of the other.
    names = sorted(first)
    ask_at(site, peer(Dns, zone({names[0]: first[names[0]], names[1]: first[names[1]][:-6] + 'AAAAAA'})).port)
    said = run('dkim', 'check', 'example.org', expect=65).stdout
    assert 'another key is published than ours' in said and '(pending): published' in said
    run('dkim', 'rotate', 'example.org', expect=65)

    # Both are: they sign. The next ones are made, and take over when they are there, too.
    ask_at(site, peer(Dns, zone(first)).port)
    run('dkim', 'check', 'example.org')
    assert run('dkim', 'rotate', 'example.org').stdout.count('active') == 2
    run('dkim', 'rotate', 'example.org')
    second = records(site)
    assert len(second) == 4
    run('dkim', 'check', 'example.org', expect=75)
    ask_at(site, peer(Dns, zone(second)).port)
    states = {k['selector']: k['state'] for k in json.loads(run('dkim', 'rotate', 'example.org', '--json').stdout)['keys']}
    assert sorted(states.values()) == ['active', 'active', 'retiring', 'retiring']
    assert all(states[name.split('.')[0]] == 'retiring' for name in first)
    assert 'leave it in DNS until' in run('dkim', 'list', 'example.org').stdout

    # A week later the old ones are removed.
    path = f'{site.dir}/dkim/example.org/active'
    with open(path, encoding='utf-8') as f:
        text = f.read()
    with open(path, 'w', encoding='utf-8') as f:
        f.write(re.sub(r'retiring \S+', 'retiring 2026-01-01T00:00:00Z', text))
    assert 'may be taken out of DNS' in run('dkim', 'list').stdout
    assert run('dkim', 'rotate', 'example.org').stdout.count('take its record out of DNS') == 2
    assert not any(os.path.exists(f'{site.dir}/dkim/example.org/{name.split(".")[0]}.pem') for name in first)


@pytest.mark.parametrize('record,text', [
    ('v=DKIM1; k=ed25519; p=', 'revoked'),
    ('v=DKIM1; k=rsa; p=AAAA', 'an RSA key is published'),
    ('v=spf1 -all', 'no key record: it does not begin with v=DKIM1'),
    ('v=DKIM1; k=ed25519', 'it has no key'),
    ('OURS; h=sha1', 'not for SHA-256'),
    ('OURS; s=tlsrpt', 'not for e-mail'),
    ('OURS; t=y', 'testing mode'),
    ('OURS"\nNAME. TXT "v=spf1', '2 TXT records'),
])
def test_check_says_what_is_wrong(sites, peer, record, text):
    site = sites()
    site.run('dkim', 'new', 'example.org', '--ed25519', '--selector', 's1')
    (name, ours), = records(site).items()
    record = record.replace('OURS', ours).replace('NAME', name)
    ask_at(site, peer(Dns, f'{name}. TXT "{record}"').port)
    done = site.run('dkim', 'check', 'example.org', expect=None)
    assert text in done.stdout, done
    assert done.returncode == (0 if 't=y' in record else 65)


def test_mistakes_of_the_command_line(sites):
    site = sites()
    assert '"new"' in site.run('dkim', 'nwe', expect=64).stderr
    site.run('dkim', 'new', expect=64)
    site.run('dkim', 'new', 'a/../b', expect=64)
    site.run('dkim', 'new', 'example.org', '--rsa', '1024', expect=64)
    site.run('dkim', 'check', 'example.org', expect=69)
    site.run('dkim', 'new', 'example.org', '--ed25519', '--selector', '../x', expect=73)
    site.run('dkim', 'new', 'example.org', '--ed25519', '--selector', 'same')
    site.run('dkim', 'new', 'example.org', '--ed25519', '--selector', 'same', expect=73)
    site.run('dkim', 'new', 'example.org', '--selector', 'both')
    assert {name.split('.')[0] for name in records(site)} == {'same', 'bothr', 'bothe'}
    # Root follows no link that the server's user may have laid.
    os.rename(f'{site.dir}/dkim/example.org/active', f'{site.dir}/elsewhere')
    os.symlink(f'{site.dir}/elsewhere', f'{site.dir}/dkim/example.org/active')
    assert 'symbolic link' in site.run('dkim', 'new', 'example.org', '--ed25519', expect=74).stderr
    os.rename(f'{site.dir}/elsewhere', f'{site.dir}/dkim/example.org/active')
    with open(f'{site.dir}/dkim/example.org/active', 'a', encoding='utf-8') as f:
        f.write('nonsense\n')
    assert 'line 4' in site.run('dkim', 'list', expect=65).stderr


# --- signing

@pytest.fixture
def signing(sites, peer):
    """A site, not started, whose user alice may send as anybody; and where it goes."""
    sink = peer(Sink)
    site = sites(f'{QUICK}\naccount alice {{ senders any }}\nroute * via 127.0.0.1:{sink.port}\n'
                 'limit { hops 200; header-size 1M; messages-per-session 1000; message-size 60M }\n'
                 'quota { messages-per-hour 0; messages-per-day 0; recipients-per-hour 0; recipients-per-day 0 }',
                 submission=True, started=False)
    return site, sink


def start_with_keys(site):
    site.run('dkim', 'new', 'example.org')
    site.run('dkim', 'rotate', 'example.org', '--now')
    site.start()
    return records(site)


def test_rules(sites, peer):
    """The most particular rule signs: the domain itself, above it, all others."""
    sink = peer(Sink)
    port = sink.port
    site = sites(f'{QUICK}\naccount alice {{ senders any }}\nroute * via 127.0.0.1:{port}', submission=True,
                 started=False)
    for domain in ('example.org', 'provider.example', 'below.example'):
        site.run('dkim', 'new', domain, '--ed25519', '--selector', 's')
    site.run('dkim', 'rotate', 'example.org', '--now')
    with open(site.config, 'a', encoding='utf-8') as f:
        f.write(f'dkim sign .below.example as below.example selector s key {site.dir}/dkim/below.example/s.pem\n'
                f'dkim sign * as provider.example selector s key {site.dir}/dkim/provider.example/s.pem\n')
    site.start()
    cases = {'example.org': 'example.org', 'x.below.example': 'below.example', 'y.x.below.example': 'below.example',
             'below.example': 'provider.example', 'sub.example.org': 'provider.example', 'other.test': 'provider.example'}
    published = {name: text for d in ('example.org', 'provider.example', 'below.example')
                 for name, text in records(site, d).items()}
    with login(site) as client:
        for n, domain in enumerate(cases):
            client.sendmail('alice@example.org', [f'c{n}@example.com'],
                            MAIL.replace(b'alice@example.org', f'someone@{domain.upper()}'.encode()))
    sink.wait(len(cases))
    got = {recipients[0].split('@')[0]: content for recipients, content in sink.got}
    for n, (domain, signer) in enumerate(cases.items()):
        tags, = signatures(got[f'c{n}'])
        assert tags['d'] == signer, (domain, tags)
        assert by_dkimpy(got[f'c{n}'], published) == ['ed25519-sha256']


def test_unsigned_without_a_rule(signing):
    site, sink = signing
    site.start()
    with login(site) as client:
        client.sendmail('alice@example.org', ['carol@example.com'], MAIL)
    assert not signatures(sink.wait()[0][1])


def test_field(signing, tmp_path):
    site, sink = signing
    published = start_with_keys(site)
    with login(site) as client:
        client.sendmail('alice@example.org', ['carol@example.com'], MAIL)
    content = sink.wait()[0][1]
    assert sorted(by_dkimpy(content, published)) == BOTH
    assert content.endswith(MAIL)
    for tags in signatures(content):
        assert tags['c'] == 'relaxed/relaxed' and tags['v'] == '1' and 'l' not in tags and 'i' not in tags
        names = tags['h'].lower().split(':')
        assert names.count('from') == 2 and names.count('subject') == 2 and names.count('cc') == 1
    header = content.split(b'\r\n\r\n', 1)[0]
    ours = [line for line in header.split(b'\r\n') if line]
    assert max(map(len, ours)) <= 78
    # A change of what is signed, or one more From, is seen.
    for broken in (content.replace(b'hello', b'hallo'), content.replace(b'Subject: hi', b'Subject: ho'),
                   content.replace(b'From: alice', b'From: eve@example.org\r\nFrom: alice')):
        with pytest.raises((AssertionError, dkim.DKIMException)):
            by_dkimpy(broken, published)
    # Blanks are no change.
    assert len(by_dkimpy(content.replace(b'hello  there ', b'hello there').replace(b'Subject: hi', b'subject:  hi '), published)) == 2


# How many messages of the corpora a user can't send as they are: their From or Sender has an address without a domain.
# They are sent under another From.
UNFIT = {'eml-mailparser-malformed': 0, 'eml-mailparser-rfc': 2, 'eml-mime4j': 7, 'eml-python': 1}


@pytest.mark.parametrize('folder', UNFIT)
def test_corpus_is_accepted_by_verifiers(signing, tmp_path, folder):
    all_of_them = messages(folder)
    if not all_of_them:
        pytest.skip('skipped: no corpora')
    site, sink = signing
    # Whoever is in From: one key for the rest of the world.
    site.run('dkim', 'new', 'example.org', '--selector', 's')
    with open(site.config, 'a', encoding='utf-8') as f:
        for kind in 're':
            f.write(f'dkim sign * as example.org selector s{kind} key {site.dir}/dkim/example.org/s{kind}.pem\n')
    published = records(site)
    site.start()
    refused = 0
    with login(site) as client:
        for n, raw in enumerate(all_of_them):
            # Lines end in CRLF where mail is sent.
            content = crlf(raw)
            content = content if content.endswith(b'\r\n') else content + b'\r\n'
            envelope = 'alice@example.org', [f'c{n}@example.com']
            try:
                client.sendmail(*envelope, content, mail_options=['BODY=8BITMIME'])
            except smtplib.SMTPDataError as e:
                assert (e.smtp_code, e.smtp_error[-36:]) == (550, b'there is an address without a domain'), (n, e)
                refused += 1
                client.sendmail(*envelope, re.sub(rb'(?mi)^(From|Sender):', rb'Was-\1:', content), mail_options=['BODY=8BITMIME'])
    assert refused == UNFIT[folder]
    sink.wait(len(all_of_them), 120)
    paths = {}
    for recipients, content in sink.got:
        n = int(recipients[0].split('@')[0][1:])
        assert OBSOLETE.search(content) or sorted(by_dkimpy(content, published)) == BOTH, (n, content[:3000])
        path = tmp_path / f'{n}.eml'
        path.write_bytes(content)
        paths[str(path)] = n
    assert sorted(paths.values()) == list(range(len(all_of_them)))
    said = by_mail_dkim(list(paths), published, tmp_path)
    for path, n in paths.items():
        assert ('rsa-sha256', 'pass') in said[path], (n, said[path])
    for path, result in by_opendkim(list(paths), published, tmp_path).items():
        assert {(algorithm, '') for algorithm in BOTH} <= set(result), (paths[path], result)


def peak(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return int(re.search(r'VmHWM:\s+(\d+)', f.read()).group(1)) * 1024


def processes(site, role):
    return [p for p in json.loads(site.run('status', '--json').stdout)['processes'] if p['name'].startswith(role)]


def test_50_megabytes_in_little_memory(monkeypatch, request):
    # A sanitizer keeps what was freed.
    monkeypatch.setitem(ENV, 'ASAN_OPTIONS', ENV['ASAN_OPTIONS'] + ':quarantine_size_mb=1:thread_local_quarantine_size_kb=64')
    site, sink = request.getfixturevalue('signing')
    published = start_with_keys(site)
    with login(site) as client:
        client.sendmail('alice@example.org', ['carol@example.com'], MAIL)
        before = {p['name']: peak(p['pid']) for p in processes(site, 'submission')}
        sink.controller.stop()  # aiosmtpd takes no more than 32 MB: what is stored is looked at on its way out
        sink.controller = None
        big = MAIL + (b'0123456789 abcdefghijklmnopqrstuvwxyz  ABCDEFGHIJKLMNOPQRSTUVWXYZ\t.\r\n' * 800000)
        assert len(big) > 50 << 20
        client.sendmail('alice@example.org', ['bob@example.org'], big)
    (stored,) = site.wait_mail('bob', seconds=60)
    after = {p['name']: peak(p['pid']) for p in processes(site, 'submission')}
    for name, bytes_before in before.items():
        assert after[name] - bytes_before < 8 << 20, (name, bytes_before, after[name])
    assert sorted(by_dkimpy(stored.replace(b'\n', b'\r\n'), published)) == BOTH


def test_new_keys_without_a_restart(signing):
    """Within a second or two of rotate, and gone as quickly."""
    site, sink = signing
    site.start()
    with login(site) as client:
        def signed():
            sink.got.clear()
            client.sendmail('alice@example.org', ['carol@example.com'], MAIL)
            return sorted(tags['s'] for tags in signatures(sink.wait()[0][1]))
        assert signed() == []
        site.run('dkim', 'new', 'example.org', '--ed25519', '--selector', 'one')
        assert signed() == []
        site.run('dkim', 'rotate', 'example.org', '--now')
        wait_until(lambda: signed() == ['one'], 10, 0.2)
        site.run('dkim', 'new', 'example.org', '--ed25519', '--selector', 'two')
        site.run('dkim', 'rotate', 'example.org', '--now')
        wait_until(lambda: signed() == ['two'], 10, 0.2)


def test_451_while_nobody_can_sign(signing):
    """Rather than unsigned."""
    site, sink = signing
    start_with_keys(site)
    keys = processes(site, 'keys')
    with login(site) as client:
        for p in keys:
            os.kill(p['pid'], 19)  # SIGSTOP
        try:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail('alice@example.org', ['carol@example.com'], MAIL)
            assert refused.value.smtp_code == 451 and b'4.7.5' in refused.value.smtp_error
        finally:
            for p in keys:
                os.kill(p['pid'], 18)  # SIGCONT
        client.sendmail('alice@example.org', ['carol@example.com'], MAIL)
    sink.wait(1)
    assert len(sink.got) == 1 and len(signatures(sink.got[0][1])) == 2
