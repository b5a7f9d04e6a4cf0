# test_arc.py: the test suite for ARC by ValiMail: which chains hold, and the fields that a sealer makes, to the byte.
import json
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
yaml = pytest.importorskip('yaml')
dkim_suite = pytest.importorskip('dkim_suite')
cross_arc = pytest.importorskip('cross_arc')

CASES = 300


def documents(corpora, name):
    with open(os.path.join(corpora('arc-valimail-dev'), name), encoding='utf-8') as f:
        return [d for d in yaml.safe_load_all(f) if d]


def zone_of(document):
    return dkim_suite.zone_text({n: t.replace('\n', ' ').strip() for n, t in document['txt-records'].items()})


def message_of(test):
    return dkim_suite.crlf(test['message'].encode())


# Where the suite leaves it open what a chain is whose newest seal says cv=fail: it is broken (RFC 8617 5.2 step 2).
def wanted(test):
    return (test['cv'] or 'Fail').lower()


def test_validation(corpora, built):
    commands, tests = [('now', '1500000000')], []
    for document in documents(corpora, 'arc-draft-validation-tests.yml'):
        commands.append(('zone', zone_of(document)))
        for name, test in document['tests'].items():
            tests.append((name, test))
            commands.append(('arc', message_of(test)))
    said = dkim_suite.ask_many(built('dkim_lines'), commands)
    assert len(tests) == len(said) == 81
    assert [(n, wanted(t), s) for (n, t), s in zip(tests, said) if s['result'] != wanted(t)] == []
    assert all(s['why'] for s in said if s['result'] == 'fail')


def test_command(corpora, posthouse, tmp_path):
    wrong = []
    for document in documents(corpora, 'arc-draft-validation-tests.yml'):
        (tmp_path / 'zone').write_text(zone_of(document))
        for name, test in list(document['tests'].items())[::5]:
            done = subprocess.run([posthouse, 'verify', 'arc', '--dns', str(tmp_path / 'zone'), '--now', '1500000000', '--json'],
                                  input=message_of(test), capture_output=True, timeout=20)
            said = json.loads(done.stdout)['arc']
            if said['result'] != wanted(test):
                wrong.append((name, said))
    assert wrong == []


# --- sealing

def unfold(text):
    return re.sub(r'\s+', ' ', text).strip()


def tags(text):
    found = (part.split('=', 1) for part in text.split(';') if part.strip())
    return {name.strip(): re.sub(r'\s', '', value) for name, value in found}


def results_of(message, server):
    """What our own Authentication-Results fields say, as one."""
    head = re.sub(r'\r\n(?=[ \t])', '', message.decode().split('\r\n\r\n')[0])
    mine = [m.group(1) for m in re.finditer(rf'(?m)^Authentication-Results: {re.escape(server)};(.*?)\r?$', head)]
    return unfold(server + '; ' + '; '.join(unfold(m) for m in mine))


def field(text, name):
    return re.search(rf'(?ms)^{name}:(.*?)\r\n(?![ \t])', text).group(1)


def test_sealing(corpora, built):
    seen = 0
    for document in documents(corpora, 'arc-draft-sign-tests.yml'):
        for name, test in document['tests'].items():
            message = message_of(test)
            said = dkim_suite.ask_many(built('dkim_lines'), [
                ('zone', zone_of(document)), ('now', str(test['t'])),
                ('seal', document['privatekey'], document['domain'], document['sel'], test['sig-headers'],
                 results_of(message, test['srv-id']), '100000', message)])
            text = said[0]['text']
            assert unfold(field(text, 'ARC-Authentication-Results')) == unfold(test['AAR']), name
            assert tags(field(text, 'ARC-Message-Signature')) == tags(test['AMS']), name
            assert tags(field(text, 'ARC-Seal')) == tags(test['AS']), name
            seen += 1
    assert seen == 8


# A chain that we add to holds for dkimpy and for us, however the message came to us.
def test_chain(built):
    dkim = pytest.importorskip('dkim')
    key, lines = dkim_suite.make_key('rsa:1024'), built('dkim_lines')
    records = {'s._domainkey.example.org': f'v=DKIM1; k=rsa; p={key.public}'}
    message = b'From: a@example.org\r\nTo: b@example.net\r\nSubject: one\r\n two\r\n\r\nHello  there\r\n'
    for i in range(1, 4):
        said = dkim_suite.ask_many(lines, [('zone', dkim_suite.zone_text(records)), ('now', '1500000000'), (
            'seal', key.pem, 'example.org', 's', '', f'mx.example.org; arc={"pass" if i > 1 else "none"}; spf=pass smtp.mailfrom=a@example.org', '0', message)])
        message = said[0]['text'].encode() + message
        ours = dkim_suite.ask_many(lines, [('zone', dkim_suite.zone_text(records)), ('now', '1500000000'), ('arc', message)])[0]
        assert (ours['result'], ours['instance'], ours['oldest_pass']) == ('pass', i, 0)
        cv, _, why = dkim.arc_verify(message, dnsfunc=lambda n, timeout=5: dkim_suite.text_of(records, n))
        assert cv == b'pass', why


def test_generated(built):
    passes, differ = cross_arc.compare(built('dkim_lines'), CASES, 1)
    assert differ == []
    assert passes > CASES / 6
