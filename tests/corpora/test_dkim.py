# test_dkim.py: DKIM against the messages of OpenDKIM and dkimpy, and against generated ones that dkimpy and Mail::DKIM
# judge as well.
import base64
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
dkim_suite = pytest.importorskip('dkim_suite')
cross_dkim = pytest.importorskip('cross_dkim')

CASES = 300


def read(*path):
    with open(os.path.join(*path), 'rb') as f:
        return f.read()


def table(folder):
    records = dict(line.split(' TXT ', 1) for line in read(folder, 'dns.txt').decode().splitlines() if line)
    rows = [line.split('\t') for line in read(folder, 'expected.tsv').decode().splitlines()[1:]]
    return records, rows


def wanted(row, said):
    """RFC 8301 took rsa-sha1 away after these messages were made."""
    name, expected, algorithm = row[:3]
    if expected != 'pass':
        return said['result'] != 'pass'
    if all('rsa-sha1' in s['why'] for s in said['signatures']):
        return algorithm == 'rsa-sha1' and said['result'] == 'permerror'
    if 'plus extra data' in row[4]:
        return said['result'] == 'pass' and 'not signed (l=)' in said['signatures'][0]['why']
    return said['result'] == 'pass'


def test_opendkim(corpora, built):
    folder = corpora('dkim-opendkim-dev')
    records, rows = table(folder)
    assert len(rows) == 53
    said = dkim_suite.ask_many(built('dkim_lines'), [('zone', dkim_suite.zone_text(records)), ('now', '1172620939')] +
                               [('dkim', read(folder, 'msgs', row[0])) for row in rows])
    assert [(row[0], s) for row, s in zip(rows, said) if not wanted(row, s)] == []
    assert sum(s['result'] == 'pass' for s in said) >= 21


def test_command(corpora, posthouse, tmp_path):
    folder = corpora('dkim-opendkim-dev')
    records, rows = table(folder)
    (tmp_path / 'zone').write_text(dkim_suite.zone_text(records))
    wrong = []
    for row in rows[::4]:
        done = subprocess.run([posthouse, 'verify', 'dkim', '--dns', str(tmp_path / 'zone'), '--now', '1172620939', '--json'],
                              input=read(folder, 'msgs', row[0]), capture_output=True, timeout=20)
        said = json.loads(done.stdout)['dkim']
        if not wanted(row, said):
            wrong.append((row[0], said))
    assert wrong == []


def test_dkimpy(corpora, built):
    folder = corpora('dkim-dkimpy')
    football = {'test._domainkey.football.example.com': read(folder, 'test.txt').strip(),
                'brisbane._domainkey.football.example.com': b'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='}
    example = {'test._domainkey.example.com': read(folder, 'test.txt').strip(), 'test._domainkey.legitimate.com': read(folder, 'test.txt').strip()}
    cases = [('rfc6376.signed.msg', football, 'pass', 2), ('rfc6376.signed.rsa.msg', football, 'pass', 1), ('test.message.baddomain', example, 'neutral', 1),
             ('test.message', example, 'none', 0), ('rfc6376.w1258.msg', football, 'none', 0)]
    commands = [('now', '1600000000')]
    for name, records, _, _ in cases:
        commands += [('zone', dkim_suite.zone_text(records)), ('dkim', dkim_suite.crlf(read(folder, name)))]
    for (name, _, result, n), said in zip(cases, dkim_suite.ask_many(built('dkim_lines'), commands), strict=True):
        assert (said['result'], len(said['signatures'])) == (result, n), name
        assert result != 'pass' or all(s['result'] == 'pass' for s in said['signatures']), name


# What dkimpy's own tests expect of each form of a key; the signature is made with the private part.
@pytest.mark.parametrize('key,record,passes', [
    ('1024_testkey.key', '1024_testkey_wo_markers.pub.txt', True), ('1024_testkey.key', '1024_testkey_wo_markers.pub.rsa.txt', True),
    ('2048_testkey.key', '2048_testkey_wo_markers.pub.txt', True), ('2048_testkey.key', '2048_testkey_wo_markers.pub.rsa.txt', True),
    ('2048_testkey_PKCS8.key', '2048_testkey_PKCS8.key.pub.txt', True), ('2048_testkey.key', '1024_testkey_wo_markers.pub.txt', False),
    ('test.private', 'test.txt', True), ('test2.private', 'test2.txt', True), ('test.private', 'test_bad.txt', False),
    ('test.private', 'badversion.txt', False), ('test.private', 'badk.txt', False), ('test.private', 'test_tlsrpt.txt', False),
])
def test_keys(corpora, built, key, record, passes):
    folder = corpora('dkim-dkimpy')
    message = dkim_suite.crlf(read(folder, 'test.message'))
    field = dkim_suite.ask_many(built('dkim_lines'), [
        ('now', '1600000000'), ('sign', read(folder, key), 'example.com', 'test', 'relaxed', 'simple', message)])[0]['text']
    records = {'test._domainkey.example.com': read(folder, record).strip()}
    said, = dkim_suite.ask_many(built('dkim_lines'), [('now', '1600000000'), ('zone', dkim_suite.zone_text(records)), ('dkim', field.encode() + message)])
    assert (said['result'] == 'pass') == passes, said


def test_generated(built, tmp_path):
    passes, differ, unexplained = cross_dkim.compare(built('dkim_lines'), CASES, 1, str(tmp_path))
    assert [(c.message, who, ours, theirs) for c, who, ours, theirs in unexplained] == []
    assert passes > CASES / 3


# What a difference is known by is a heading of the file that explains it.
def test_explained():
    text = read(os.path.dirname(os.path.abspath(__file__)), 'DISAGREEMENTS.md').decode()
    assert [name for *_, name in cross_dkim.KNOWN if f'\n### {name}\n' not in text] == []


def test_key_kinds():
    assert len(base64.b64decode(dkim_suite.make_key('ed25519').public)) == 32
