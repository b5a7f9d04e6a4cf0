# spf_suite.py: the SPF test suite of openspf.org as cases, and the program that checks many in one process.
import json
import subprocess
from urllib.parse import quote

import yaml
import zone


class Case:
    def __init__(self, name, zonedata, test):
        self.name, self.zonedata = name, zonedata
        self.ip, self.helo, self.sender = test['host'], test['helo'], test['mailfrom']
        self.results = test['result'] if isinstance(test['result'], list) else [test['result']]
        self.explanation = test.get('explanation')


def zone_text(zonedata):
    """As the suite has it: a record of type SPF stands for a TXT, unless the name has some TXT of its own."""
    out = ''
    for owner, records in zonedata.items():
        own = any(isinstance(r, dict) and 'TXT' in r for r in records)
        for record in records:
            if not isinstance(record, dict):
                out += zone.line(owner, None, record)
                continue
            (rtype, data), = record.items()
            if isinstance(data, list) and rtype in ('TXT', 'SPF'):
                data = ''.join(data)
            if rtype in ('TXT', 'SPF'):
                data = data.encode('latin-1')  # \xEF in the file is a byte
            if rtype == 'TXT' and data == b'NONE':
                continue
            out += zone.line(owner, rtype, data)
            if rtype == 'SPF' and not own:
                out += zone.line(owner, 'TXT', data)
    return out


def cases(path):
    with open(path, 'rb') as f:
        documents = list(yaml.safe_load_all(f.read().decode('latin-1')))
    return [Case(f'{d["description"]}: {name}', d['zonedata'], test)
            for d in documents for name, test in d['tests'].items()]


def ask_many(program, groups):
    """[(zone text, [(ip, helo, sender)])] -> verdicts in the same order, as dictionaries."""
    lines = []
    for text, questions in groups:
        lines.append('zone\t' + quote(text))
        lines += ['\t'.join(['check'] + [quote(zone.plain(w), safe='') for w in q]) for q in questions]
    done = subprocess.run([program], input='\n'.join(lines) + '\n', stdout=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 0
    return [json.loads(answer) for answer in done.stdout.splitlines()]
