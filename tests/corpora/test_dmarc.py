# test_dmarc.py: the vectors of mailauth, those for RFC 9989 among them.
import json
import os
import random
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
dmarc_ask = pytest.importorskip('dmarc_ask')
cross_dmarc = pytest.importorskip('cross_dmarc')
opendmarc = pytest.importorskip('opendmarc')

CASES = 3000

# What mailauth's result object has, and no result of DMARC is: its own names and notes.
THEIR_OWN = ('r0.error', 'r0.pct', 'r0.info', 'r0.status.comment', 'r0.alignment.dkim.underSized',
             'r1.alignment.dkim.underSized', 'r0.alignment.dkim.result', 'r1.alignment.dkim.result',
             'r0.alignment.spf.result')


@pytest.fixture(scope='module')
def cases(corpora):
    with open(os.path.join(corpora('dmarc-verify-mailauth'), 'cases.json'), encoding='utf-8') as f:
        found = json.load(f)
    assert len(found) == 34
    return found


def zone_of(resolver):
    records = []
    for owner, data in resolver['zone'].items():
        if 'error' in data:
            records.append((owner, None, 'TIMEOUT'))
        records += [(owner, 'TXT', ''.join(strings)) for strings in data.get('TXT', [])]
    return dmarc_ask.zone_text(records)


def domain_of(entry):
    return entry if isinstance(entry, str) else entry['domain']


def questions_of(case):
    """(zone, author, SPF, DKIM) for each call; the author is empty where From has several."""
    for call in case['calls']:
        args, = call['args']
        authors = args['headerFrom'] if isinstance(args['headerFrom'], list) else [args['headerFrom']]
        author = authors[0].rpartition('@')[2] if len(authors) == 1 else ''
        spf = [domain_of(d) for d in args.get('spfDomains', [])]
        yield zone_of(args['resolver']), author, ''.join(spf[:1]), [domain_of(d) for d in args['dkimDomains']]


def value(verdict, subject):
    names = {'status.result': 'result', 'policy': 'policy', 'domain': 'domain', 'rr': 'record', 'p': 'p', 'sp': 'sp',
             'status.header.from': 'from', 'status.header.d': 'domain', 'alignment.dkim.strict': 'strict_dkim',
             'alignment.spf.strict': 'strict_spf'}
    return verdict[names[subject.partition('.')[2]]]


def complaint(case, verdicts, wanted):
    subject, op = wanted['subject'], wanted['op']
    if subject in THEIR_OWN:
        return None
    verdict = verdicts[int(subject[1])]
    if subject == 'r0':  # "false": not evaluated
        good = verdict['result'] == 'permerror'
    elif op in ('true', 'false'):
        good = value(verdict, subject) is (op == 'true')
    else:
        good = value(verdict, subject) == wanted['value']
    return None if good else f'{case["name"]}: {subject} should be {wanted.get("value", op)}: {verdict}'


def test_evaluator(cases, built):
    asked = [list(questions_of(case)) for case in cases]
    verdicts = dmarc_ask.ask_many(built('dmarc_lines'), [(z, [rest]) for qs in asked for z, *rest in qs])
    wrong, at = [], 0
    for case, questions in zip(cases, asked):
        mine = verdicts[at:at + len(questions)]
        at += len(questions)
        wrong += [complaint(case, mine, wanted) for wanted in case['asserts']]
    assert [w for w in wrong if w] == []


def test_aligned_identifiers(cases, built):
    """What mailauth reports by the name of an aligned domain."""
    case, = [c for c in cases if 'SPF aligns relaxed even though' in c['name']]
    (text, *question), = questions_of(case)
    verdict, = dmarc_ask.ask_many(built('dmarc_lines'), [(text, [question])])
    assert verdict['spf_aligned'] and not verdict['dkim_aligned']


def test_command(cases, posthouse, tmp_path):
    """By the command, where SPF alone or nothing passes."""
    wrong = []
    for case in cases:
        (text, author, spf, dkim), *more = questions_of(case)
        if dkim or more or not author:
            continue
        (tmp_path / 'zone').write_text(text + ''.join(f'{spf}. TXT "v=spf1 ip4:192.0.2.1 -all"\n' for _ in [0] if spf))
        done = subprocess.run([posthouse, 'verify', 'dmarc', '--dns', str(tmp_path / 'zone'), '--ip', '192.0.2.1',
                               '--helo', 'unknown.invalid', '--from', f'x@{spf or "unknown.invalid"}', '--json'],
                              input=f'From: user@{author}\n\nHello\n', capture_output=True, text=True, timeout=20)
        verdict = json.loads(done.stdout)['dmarc']
        wrong += [f'{case["name"]}: {verdict}' for w in case['asserts'] if w['subject'] == 'r0.status.result'
                  and verdict['result'] != w['value']]
    assert wrong == []


def test_several_authors(posthouse, tmp_path):
    """From with several addresses and no Sender, or twice: nobody's."""
    (tmp_path / 'zone').write_text('_dmarc.example.com. TXT "v=DMARC1; p=reject"\n')
    for header in ('From: user1@example.com, user2@example.com\n', 'From: user1@example.com\nFrom: user2@example.com\n'):
        done = subprocess.run([posthouse, 'verify', 'dmarc', '--dns', str(tmp_path / 'zone'), '--json'],
                              input=header + '\nHello\n', capture_output=True, text=True, timeout=20)
        assert json.loads(done.stdout)['dmarc']['result'] == 'permerror'


@pytest.mark.parametrize('header', ['From ann@example.com Thu Jan  1 00:00:00 2026\nFrom: ann@example.com\n',
                                    'From : ann@example.com\n'])
def test_saved_from_a_mailbox(posthouse, tmp_path, header):
    """The line in front of a message in an mbox is none of its fields."""
    (tmp_path / 'zone').write_text('_dmarc.example.com. TXT "v=DMARC1; p=reject"\n')
    done = subprocess.run([posthouse, 'verify', 'dmarc', '--dns', str(tmp_path / 'zone'), '--json'],
                          input=header + '\nHello\n', capture_output=True, text=True, timeout=20)
    assert json.loads(done.stdout)['dmarc']['from'] == 'example.com'


def test_opendmarc(built):
    """Generated cases; cross_dmarc.py by hand makes more of them."""
    library = opendmarc.load(os.path.join(cross_dmarc.ROOT, 'build', 'interop'))
    if library is None:
        pytest.skip('no libopendmarc: tests/interop/setup')
    r = random.Random(1)
    wrong, reasons = cross_dmarc.compare([cross_dmarc.Case(r) for _ in range(CASES)], built('dmarc_lines'), library)
    assert wrong == []
    assert sum(reasons.values()) > CASES / 10


def test_disagreements_are_told():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'DISAGREEMENTS.md'), encoding='utf-8') as f:
        text = f.read()
    assert [way for way in cross_dmarc.SWITCHES if f'\n### {way}\n' not in text] == []
