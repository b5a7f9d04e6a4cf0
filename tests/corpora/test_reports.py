# test_reports.py: aggregate reports as they come, against what others read in them.
import glob
import json
import os
import subprocess

import pytest


def show(posthouse, path):
    done = subprocess.run([posthouse, 'report', 'show', path, '--json'], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, f'{path}: {done.stderr}'
    return json.loads(done.stdout)


def files(corpora, pattern):
    found = sorted(glob.glob(os.path.join(corpora('reports-formats'), pattern)))
    assert found
    return found


# How the twins write what is missing, and an older name for it.
def word(value):
    return '' if value in (None, 'Unspecified') else value.lower().replace('dunno', '')


def compare_row(mine, theirs):
    evaluated = theirs['row']['policy_evaluated']
    assert mine['source_ip'] == theirs['row']['source_ip']
    assert mine['count'] == theirs['row']['count']
    assert mine['disposition'] == word(evaluated['disposition'])
    assert (mine['dkim_aligned'], mine['spf_aligned']) == (word(evaluated['dkim']), word(evaluated['spf']))
    assert mine['header_from'] == theirs['identifiers']['header_from']
    assert mine['envelope_from'] == (theirs['identifiers']['envelope_from'] or '')
    for kind in ('dkim', 'spf'):
        auths = theirs['auth_results'][kind]
        assert [a['domain'] for a in mine[kind]] == [a['domain'] for a in auths]
        assert [a['result'] for a in mine[kind]] == [word(a['result']) for a in auths]


def test_twins(corpora, posthouse):
    compared = 0
    for twin in files(corpora, 'dmarc-feedback/*.json'):
        path, = [p for p in (twin[:-4] + 'xml', twin[:-4] + 'eml') if os.path.exists(p)]
        mine = show(posthouse, path)
        with open(twin, encoding='utf-8') as f:
            theirs = json.load(f)
        assert mine['organisation'] == theirs['report_metadata']['org_name']
        assert mine['id'] == theirs['report_metadata']['report_id']
        assert mine['begin'] == theirs['report_metadata']['date_range']['begin']
        assert mine['policy']['domain'] == theirs['policy_published']['domain']
        assert mine['policy']['p'] == word(theirs['policy_published']['p'])
        assert len(mine['rows']) == len(theirs['record'])
        for pair in zip(mine['rows'], theirs['record']):
            compare_row(*pair)
        compared += 1
    assert compared == 10


def test_mails(corpora, posthouse):
    for path in files(corpora, 'dmarc-reports-mox/*.eml'):
        report = show(posthouse, path)
        assert report['id'] and report['organisation'] and report['rows']
        assert all(row['count'] > 0 for row in report['rows'])


@pytest.mark.parametrize('content, code', [(b'', 65), (b'hello\n', 65), (b'<feedback/>', 65), (b'\x1f\x8b', 65)])
def test_no_report(posthouse, tmp_path, content, code):
    (tmp_path / 'x').write_bytes(content)
    done = subprocess.run([posthouse, 'report', 'show', str(tmp_path / 'x')], capture_output=True, text=True, timeout=20)
    assert done.returncode == code and done.stderr


def test_no_file(posthouse, tmp_path):
    done = subprocess.run([posthouse, 'report', 'show', str(tmp_path / 'gone')], capture_output=True, timeout=20)
    assert done.returncode == 66
