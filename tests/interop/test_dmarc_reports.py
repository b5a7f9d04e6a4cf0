# test_dmarc_reports.py: the aggregate reports of DMARC that a server sends, from a stranger's mail to a file that
# `posthouse report show` reads.
import base64
import json
import re
import subprocess
import time

import pytest

from site_of_test import BINARY, wait_until
from test_gate import ASKED, attempt, folder, only, world

# Reports about bank.example go to its own address, which is ours here, and to one that says that it takes them.
ZONE = '''
    _dmarc.wants.example. TXT "v=DMARC1; p=reject; rua=mailto:bob@example.org,mailto:carol@elsewhere.example"
    wants.example. MX 10 mail.example.net.
    wants.example._report._dmarc.example.org. TXT "v=DMARC1;"
'''
REPORTS = 'dmarc reports from dmarc@example.org { organisation "A Test"; every 1m }\n'


@pytest.fixture
def key(tmp_path):
    """A file, and what DNS says of it."""
    path = str(tmp_path / 'key.pem')
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'ed25519', '-out', path], check=True, capture_output=True)
    public = subprocess.run(['openssl', 'pkey', '-in', path, '-pubout', '-outform', 'DER'], check=True,
                            capture_output=True).stdout
    return path, 'v=DKIM1; k=ed25519; p=' + base64.b64encode(public[-32:]).decode()


def verified(mail, key, tmp_path):
    """The results of our own mail's signatures."""
    (tmp_path / 'zone').write_text(f's1._domainkey.example.org. TXT "{key}"\n')
    done = subprocess.run([BINARY, 'verify', 'dkim', '--dns', str(tmp_path / 'zone'), '--json'], input=mail,
                          capture_output=True, timeout=20)
    return [(s['domain'], s['result']) for s in json.loads(done.stdout)['dkim']['signatures']]


def report_of(mail, tmp_path):
    (tmp_path / 'mail').write_bytes(mail)
    done = subprocess.run([BINARY, 'report', 'show', str(tmp_path / 'mail'), '--json'], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_report_is_sent(sites, peer, key, tmp_path):
    sign = f'dkim sign example.org as example.org selector s1 key {key[0]}\n'
    site = world(sites, peer, extra=ASKED + REPORTS + sign, zone=ZONE)
    forged = b'From: ceo@wants.example\r\nSubject: hello\r\n\r\nhi\r\n'
    who = ('127.2.0.1', 'mail.example.net', 'a@example.net', forged)
    assert attempt(site, *who)[:2] == ('RCPT', 451)
    time.sleep(1.2)
    if time.time() % 60 > 50:  # both in one report
        time.sleep(11)
    for _ in range(2):
        step, code, text = attempt(site, *who)
        assert (step, code) == ('content', 550), text
    wait_until(lambda: folder(site, 'bob'), 120)
    mail = only(site, 'bob')
    assert re.search(rb'\nSubject: Report Domain: wants\.example\r?\n Submitter: mx1\.example\.org\r?\n Report-ID: <', mail)
    assert re.search(rb'filename="mx1\.example\.org!wants\.example!\d+!\d+!\w+\.xml\.gz"', mail)
    assert verified(mail, key[1], tmp_path) == [('example.org', 'pass')]
    report = report_of(mail, tmp_path)
    assert report['organisation'] == 'A Test' and report['policy']['domain'] == 'wants.example'
    assert report['end'] - report['begin'] == 59
    row, = report['rows']
    assert (row['count'], row['source_ip'], row['disposition']) == (2, '127.2.0.1', 'reject')
    assert (row['dkim_aligned'], row['spf_aligned']) == ('fail', 'fail')
    assert [a['result'] for a in row['spf']] == ['pass']
    log = wait_until(lambda: [e for e in site.logged().splitlines() if 'dmarc-report-not-sent' in e], 10)
    assert 'carol@elsewhere.example' in log[0]
