# test_records.py: records and addresses, good ones and bad ones, by `posthouse parse`.
import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

KINDS = {'dkim-signature': 'dkim-signature', 'dkim-key-record': 'dkim-key', 'dmarc-record': 'dmarc', 'mtasts': 'mta-sts',
         'tlsrpt-record': 'tlsrpt', 'smtp-address': 'address'}
# There is no reading of a Message-ID of its own: any is taken, and what is logged of it is made safe.
NOT_READ = {'message-id'}


def parse(posthouse, kind, text):
    done = subprocess.run([posthouse, 'parse', kind, '-', '--json'], input=text.encode('utf-8'), capture_output=True,
                          timeout=20)
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found['valid'] else 65)
    assert found['valid'] or found['error']
    return found


@pytest.fixture(scope='module')
def cases(corpora):
    with open(os.path.join(corpora('records-mox-dev'), 'cases.json'), encoding='utf-8') as f:
        found = json.load(f)
    assert len(found) == 90
    return found


def text_of(case):
    return case['input'] + '@example.com' if case['test'] == 'TestParseLocalpart' else case['input']


def test_mox(cases, posthouse):
    wrong = []
    read = [c for c in cases if c['kind'] not in NOT_READ]
    assert len(read) == 85
    for case in read:
        found = parse(posthouse, KINDS[case['kind']], text_of(case))
        if found['valid'] is not (case['expect'] == 'valid'):
            wrong.append((case['kind'], case['input'], found))
    assert wrong == []


# What an envelope may hold. Only "::" for one group is deprecated and taken all the same: every reader must.
TAKEN = ('ISEMAIL_VALID_CATEGORY', 'ISEMAIL_DNSWARN', 'ISEMAIL_RFC5321')
TAKEN_ALL_THE_SAME = 'ISEMAIL_RFC5321_IPV6DEPRECATED'


def test_isemail(corpora, posthouse):
    root = ElementTree.parse(os.path.join(corpora('address-isemail'), 'tests.xml')).getroot()
    wrong, tests = [], root.findall('test')
    assert len(tests) == 164
    for test in tests:
        text = ''.join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2420 else c for c in test.findtext('address') or '')
        want = test.findtext('category') in TAKEN or test.findtext('diagnosis') == TAKEN_ALL_THE_SAME
        found = parse(posthouse, 'address', text)
        if found['valid'] is not want:
            wrong.append((text, test.findtext('diagnosis'), found))
    assert wrong == []


@pytest.mark.parametrize('kind, text, column', [
    ('dmarc', 'v=DMARC1; p=reject; adkim=x', 27),
    ('spf', 'v=spf1 a mx foo -all', 13),
    ('spf', 'v=spf1 ip4:192.0.2.0/33', 22),
    ('address', 'a@b..c', 5),
    ('address', 'a b@c.example', 2),
    ('address', 'a@b@c', 4),
    ('address', 'a@', 3),
    ('address', '"a"b@c.example', 4),
    ('address', 'a@[192.0.2.256]', 3),
    ('address', 'a@b[.example', 4),
    ('address', 'a@\N{SNOWMAN}.example', 3),
    ('address', 'x' * 65 + '@c.example', 65),
    ('mta-sts', 'v=STSv1; id=; x=y', 13),
    ('dkim-key', 'v=DKIM1; k=other; p=', 10),
    ('dkim-key', 'v=DKIM1; foo bar; p=', 10),
    ('dkim-key', 'v=DKIM1; k=rsa', 15),
    ('dkim-signature', 'v=1; a=rsa-sha256; d=e.test; s=x; h=from; bh=AA==; b=!', 52),
    ('dkim-signature', 'v=1; a=rsa-sha256; b=AA\0', 24),
    ('dkim-key', 'v=DKIM1;; p=', 9),
    ('dkim-signature', 'DKIM-Signature: v=1; a=rsa-sha1; d=e.org; s=s; b=AAAA', 54),
    ('dkim-signature', 'v=1; a=rsa-sha1; d=e.org; s=s; h=from; bh=AAAA; b=AAAA', 6),
    ('mta-sts', 'v=STSv1; id=a-b', 14),
    ('tlsrpt', 'v=TLSRPTv1; rua=x', 17),
])
def test_place(posthouse, kind, text, column):
    assert parse(posthouse, kind, text)['column'] == column


@pytest.mark.parametrize('kind, text', [
    ('spf', 'v=spf1 -all'), ('mta-sts', 'v=STSv1; id=1;'), ('tlsrpt', 'v=TLSRPTv1; rua=mailto:a@b.example;'),
    ('dmarc', 'v=DMARC1; p=none'), ('dkim-key', 'v=DKIM1; p='), ('address', 'a@b.example')])
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_line_of_a_shell(posthouse, kind, text, end):
    for words in ([], ['-'] if kind != 'address' else []):
        done = subprocess.run([posthouse, 'parse', kind, *words], input=(text + end).encode(), capture_output=True, timeout=20)
        assert done.returncode == 0, done.stdout


def test_values_have_types(posthouse):
    address = parse(posthouse, 'address', '"a b"@c.example')['parsed']
    assert (address['quoted'], address['literal'], address['local']) == (True, False, 'a b')
    assert parse(posthouse, 'address', 'a@b\u00fccher.example')['parsed']['utf8'] is True
    policy = parse(posthouse, 'mta-sts', 'version: STSv1\nmode: testing\nmax_age: 86400\nmx: a.example\n')['parsed']
    assert policy == {'mode': 'testing', 'max_age': 86400, 'mx': ['a.example']}


def test_policy_without_version(posthouse):
    assert parse(posthouse, 'mta-sts', 'mode: none\nmax_age: 1\n')['error'] == 'version: STSv1 is missing'
    assert not parse(posthouse, 'mta-sts', 'version: STSv1\nmode: none\nmax_age: 1\n\n')['valid']


def test_place_for_people(posthouse):
    done = subprocess.run([posthouse, 'parse', 'dmarc', 'v=DMARC1; p=rejekt'], capture_output=True, text=True, timeout=20)
    assert done.returncode == 65
    line, caret, why = done.stdout.splitlines()
    assert line[caret.index('^'):] == 'rejekt'
    assert why == 'wrong at column 13: a policy is none, quarantine or reject'
