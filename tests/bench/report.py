# report: what the samples say: medians, spread, ratios, and whether the targets are met.

import statistics
import sys

GREEN, RED, PLAIN = ('\033[32m', '\033[31m', '\033[0m') if sys.stdout.isatty() else ('', '', '')

# Against Postfix: how many times as fast, with how many times less CPU. Against the limit: which part of its speed.
TARGETS = {
    'accept': {'speed': (8, 10), 'cpu': (12, 15), 'limit': 0.40, 'p99_ms': 10},
    'relay': {'speed': (6, 10)},
    'idle': {'kb': 8},
    'idle-tls': {'kb': 40},
    'sign': {'speed': (5, 10)},
    'gate': {'speed': (10, 20), 'cpu': (10, 20)},
    'crowd': {'quiet': 2},
}


class Spread:
    """The median of some values, the least and the most."""

    def __init__(self, values):
        self.median, self.least, self.most = statistics.median(values), min(values), max(values)

    def text(self, form):
        return f'{self.median:{form}} ({self.least:{form}}..{self.most:{form}})'

    def value(self):
        return {'median': self.median, 'min': self.least, 'max': self.most}


def summarise(samples):
    """{workload: {contender: {measure: Spread}}}, in the order in which they came."""
    summary = {}
    for s in samples:
        of = summary.setdefault(s['workload'], {}).setdefault(s['contender'], {})
        for measure, value in s['measures'].items():
            of.setdefault(measure, []).append(value)
    return {w: {c: {m: Spread(v) for m, v in measures.items()} for c, measures in contenders.items()}
            for w, contenders in summary.items()}


def _check(name, good, text):
    return {'name': name, 'met': good, 'text': text}


def checks(goal, of):
    """The targets of a workload that can be judged by what was measured."""
    targets, ours = TARGETS.get(goal, {}), of.get('posthouse')
    if not ours:
        return []
    found = []
    postfix, limit = of.get('postfix'), of.get('limit')
    if postfix and 'speed' in targets:
        target, aim = targets['speed']
        x = ours['rate'].median / postfix['rate'].median
        found.append(_check('speed', x >= target, f'x{x:.1f} as fast as Postfix (target {target}, aim {aim})'))
    if postfix and 'cpu' in targets:
        target, aim = targets['cpu']
        x = postfix['cpu'].median / ours['cpu'].median
        found.append(_check('cpu', x >= target, f'x{x:.1f} less CPU a message (target {target}, aim {aim})'))
    if limit and 'limit' in targets:
        part = ours['rate'].median / limit['rate'].median
        found.append(_check('limit', part >= targets['limit'],
                            f'{part:.0%} of the bare limit (target {targets["limit"]:.0%})'))
    if 'quiet' in targets:
        x = ours['p99'].median / ours['quiet_p99'].median
        found.append(_check('quiet', x <= targets['quiet'], f'p99 x{x:.2f} of what it is without them (target {targets["quiet"]})'))
    if 'p99_ms' in targets:
        p99 = ours['p99'].median
        found.append(_check('p99', p99 <= targets['p99_ms'], f'p99 {p99:.1f} ms (target {targets["p99_ms"]} ms)'))
    if 'kb' in targets:
        kb = ours['kb'].median
        found.append(_check('kb', kb <= targets['kb'], f'{kb:.1f} KB an idle session (target {targets["kb"]} KB)'))
    return found


COLUMNS = [('rate', 'msg/s', ',.0f'), ('cpu', 'CPU s/1,000', '.3f'), ('p50', 'p50 ms', '.2f'), ('p99', 'p99 ms', '.2f'), ('quiet_p99', 'quiet p99 ms', '.2f'),
           ('kb', 'KB a session', ',.1f')]


def _rows(of):
    columns = [c for c in COLUMNS if any(c[0] in measures for measures in of.values())]
    rows = [[''] + [title for _, title, _ in columns]]
    for contender, measures in of.items():
        rows.append([contender] + [measures[key].text(form) for key, _, form in columns])
    return rows


def table(title, of, verdicts):
    rows = _rows(of)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [title]
    for row in rows:
        lines.append('  ' + '  '.join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip())
    for v in verdicts:
        lines.append(f'  {GREEN if v["met"] else RED}{"met   " if v["met"] else "MISSED"}{PLAIN} {v["text"]}')
    return '\n'.join(lines)
