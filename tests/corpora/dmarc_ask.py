# dmarc_ask.py: the program that checks DMARC many times in one process.
import json
import subprocess
from urllib.parse import quote

import zone


def zone_text(records):
    """[(owner, type or None, data)] as text."""
    return ''.join(zone.line(*r) for r in records)


def ask_many(program, groups):
    """[(zone text, [(from, SPF's domain, [DKIM's domains])])] -> verdicts in the same order, as dictionaries."""
    lines = []
    for text, questions in groups:
        lines.append('zone\t' + quote(text))
        lines += ['check\t' + '\t'.join(quote(w) for w in (author, spf, ','.join(dkim)))
                  for author, spf, dkim in questions]
    done = subprocess.run([program], input='\n'.join(lines) + '\n', capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
