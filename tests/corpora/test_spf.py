# test_spf.py: the test suite of openspf.org for RFC 7208, all of it: by the evaluator and by the command.
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
spf_suite = pytest.importorskip('spf_suite')
HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope='module')
def cases(corpora):
    found = spf_suite.cases(os.path.join(corpora('spf-rfc7208'), 'rfc7208-tests-2014-05.yml'))
    assert len(found) == 193
    return found


def complaint(case, verdict):
    """What is wrong with a verdict, or nothing."""
    if verdict['result'] not in case.results:
        return f'{case.name}: {verdict["result"]}, not {case.results}'
    wanted = '' if case.explanation == 'DEFAULT' else case.explanation
    if case.explanation and (verdict.get('explanation') or '') != wanted:
        return f'{case.name}: explained as "{verdict.get("explanation")}"'
    if verdict['result'].endswith('error') and not verdict.get('problem'):
        return f'{case.name}: an error that says nothing'
    return None


def test_evaluator(cases, built):
    groups = [(spf_suite.zone_text(c.zonedata), [(c.ip, c.helo, c.sender)]) for c in cases]
    verdicts = spf_suite.ask_many(built('spf_lines'), groups)
    assert len(verdicts) == len(cases)
    assert [c for c in map(complaint, cases, verdicts) if c] == []


def test_command(cases, posthouse, tmp_path):
    wrong = []
    for case in cases:
        zone = tmp_path / 'zone'
        zone.write_text(spf_suite.zone_text(case.zonedata))
        done = subprocess.run([posthouse, 'verify', 'spf', '--dns', str(zone), '--ip', case.ip, '--helo', case.helo,
                               '--from', case.sender, '--json'], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20)
        verdict = json.loads(done.stdout)
        verdict = verdict.get('spf', verdict)
        if verdict['result'] not in case.results:
            wrong.append(f'{case.name}: {verdict["result"]}, not {case.results}')
    assert wrong == []


@pytest.mark.parametrize('words, code', [(['--now', '5'], 0), (['--now=5'], 0), (['--now'], 64), (['--now=x'], 64),
                                         (['--now', '5x'], 64)])
def test_time(posthouse, tmp_path, words, code):
    (tmp_path / 'zone').write_text('a.test TXT "v=spf1 exp=e.test -all"\ne.test TXT "%{t}"\n')
    done = subprocess.run([posthouse, 'verify', 'spf', '--dns', str(tmp_path / 'zone'), '--ip', '192.0.2.1', '--from',
                           'x@a.test', '--json', *words], capture_output=True, text=True, timeout=20)
    assert done.returncode == code, done
    assert code or json.loads(done.stdout)['spf']['explanation'] == '5'


def test_words_without_end(posthouse, tmp_path):
    """What nobody says, JSON holds all the same."""
    (tmp_path / 'zone').write_text('')
    word = '\x01' * 125000
    done = subprocess.run([posthouse, 'verify', 'spf', '--dns', str(tmp_path / 'zone'), '--ip', '192.0.2.1', '--from',
                           'a@' + word, '--helo', word, '--json'], capture_output=True, text=True, timeout=20)
    assert json.loads(done.stdout)['helo_spf'] == {**json.loads(done.stdout)['spf'], 'identity': 'helo'}, done.stderr


def test_zone_from_a_pipe(posthouse):
    """As a shell's --dns <(...) is one."""
    done = subprocess.run([posthouse, 'verify', 'spf', '--dns', '/dev/stdin', '--ip', '192.0.2.1', '--from', 'x@a.test',
                           '--json'], input='a.test TXT "v=spf1 -all"\n', capture_output=True, text=True, timeout=20)
    assert json.loads(done.stdout)['spf']['result'] == 'fail', done


def test_pyspf(built):
    """Generated cases; cross_spf.py by hand makes more of them."""
    cross_spf = pytest.importorskip('cross_spf')
    found, unknown = cross_spf.run(built('spf_lines'), 600, 1)
    assert unknown == []
    with open(os.path.join(HERE, 'DISAGREEMENTS.md'), encoding='utf-8') as f:
        told = [line[4:].strip() for line in f if line.startswith('### ')]
    assert [way for way in cross_spf.WAYS if way not in told] == []
    assert sum(found.values()) < 60
