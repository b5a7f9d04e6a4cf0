# cross_dmarc.py: generated records and messages, judged by us and by libopendmarc.
#
#     tests/corpora/cross_dmarc.py [CASES [SEED]]        default: 3000 cases of seed 1
#
# Between RFC 9989, which we follow, and RFC 7489, which opendmarc does, there are known differences (DISAGREEMENTS.md). A
# model of both has a switch for each: with all of them one way it must say what we say, with all the other way what
# opendmarc says, in every case; so each disagreement is by one of them, and is counted under its name.
import collections
import itertools
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import dmarc_ask  # noqa: E402
import opendmarc  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SUFFIXES = ['test', 'co.test', 'example', 'gov.example']
NAMES = ['test', 'co.test', 'a.test', 'm.a.test', 'x.m.a.test', 'y.m.a.test', 'b.test', 'n.b.test', 'c.co.test',
         'm.c.co.test', 'd.co.test', 'e.example', 'm.e.example', 'f.gov.example', 'm.f.gov.example', 'g.gov.example',
         '1.2.3.4.5.6.7.h.test', '7.h.test', 'h.test']
POLICIES = ['none', 'quarantine', 'reject']
SWITCHES = ['discovery', 'alignment', 'np', 't', 'mistakes in a tag', 'a tag twice']  # headings of DISAGREEMENTS.md


# --- generating

def tags(r):
    """[(name, value)] behind v."""
    out = []

    def maybe(chance, name, values):
        if r.random() < chance:
            out.append((name, r.choice(values)))
    maybe(.93, 'p', POLICIES * 6 + ['rejekt'])
    maybe(.3, 'sp', POLICIES * 6 + ['x'])
    maybe(.2, 'np', POLICIES * 8 + ['x'])
    maybe(.3, 'adkim', ['r', 's'] * 6 + ['x'])
    maybe(.3, 'aspf', ['r', 's'] * 6 + ['x'])
    maybe(.1, 't', ['y', 'n'])
    maybe(.2, 'psd', ['y', 'n', 'u'])
    maybe(.2, 'pct', ['100'])
    maybe(.3, 'rua', ['mailto:a@a.test'])
    maybe(.1, 'unknown', ['x'])
    if r.random() < .03 and out:
        out.append(r.choice(out))
    return out


def text(found):
    return '; '.join(['v=DMARC1'] + [f'{name}={value}' for name, value in found])


class Case:
    def __init__(self, r):
        self.records = {n: tags(r) for n in r.sample(NAMES, r.choice([1, 1, 2, 2, 3, 5]))}
        self.there = set(r.sample(NAMES, 8))  # with an address
        senders = [n for n in NAMES if n not in SUFFIXES]
        near = [n for n in senders if any(n.endswith(m) or m.endswith(n) for m in self.records)]
        self.author = r.choice(near if near and r.random() < .9 else senders)
        kin = [n for n in senders if n.split('.')[-2:] == self.author.split('.')[-2:]]
        self.spf = r.choice(['', self.author, r.choice(kin), r.choice(senders)])
        self.dkim = [r.choice([self.author, r.choice(kin), r.choice(senders)]) for _ in range(r.choice([0, 0, 1, 1, 2]))]

    def zone(self):
        lines = [(f'_dmarc.{n}', 'TXT', text(t)) for n, t in self.records.items()]
        return dmarc_ask.zone_text(lines + [(n, 'A', '192.0.2.1') for n in sorted(self.there)])

    def exists(self, name):
        known = self.there | {f'_dmarc.{n}' for n in self.records}
        return any(n == name or n.endswith('.' + name) for n in known)


# --- the model

def read(found, new):
    """A record as a dictionary; None: none; 'unusable': one that ends the search."""
    names = [n for n, _ in found]
    if len(set(names)) < len(names) and new['a tag twice']:
        return None
    if names.count('rua') > 1 and not new['a tag twice']:
        return None  # which opendmarc takes for an error, alone of all
    values = dict(found)
    bad = [n for n in ('p', 'sp', 'np') if n in values and values[n] not in POLICIES]
    if new['mistakes in a tag']:
        if bad or 'p' not in values:
            if 'rua' not in values:
                return {**values, 'unusable': True}
            values = {**values, 'p': 'none', 'sp': 'none', 'np': 'none'}
    elif [n for n in bad if n != 'np'] or 'x' in (values.get('adkim'), values.get('aspf')):
        return None
    elif 'p' not in values:
        return None
    return values


def ups(name):
    """The names of a tree walk (RFC 9989 4.10)."""
    labels = name.split('.')
    rest = labels[1:] if len(labels) < 8 else labels[-7:]
    return [name] + ['.'.join(rest[i:]) for i in range(len(rest))]


def by_list(name):
    """The organisation of a name as RFC 7489 3.2 finds it."""
    suffix = max((s for s in SUFFIXES if name == s or name.endswith('.' + s)), key=len)
    below = name[:-len(suffix) - 1].split('.')[-1] if name != suffix else ''
    return f'{below}.{suffix}' if below else name


def by_walk(case, name, new):
    """(organisation, the public suffix's name or None)"""
    top = name
    for i, n in enumerate(ups(name)):
        record = read(case.records[n], new) if n in case.records else None
        if record is None:
            continue
        if i and record.get('psd') == 'y':
            return name[:-len(n) - 1].split('.')[-1] + '.' + n, n
        top = n
        if record.get('psd') in ('y', 'n'):
            break
    return top, None


def is_below(name, top):
    return name == top or name.endswith('.' + top)


def above(name):
    return name.partition('.')[2]


def aligned_there(author, domain, strict):
    """As opendmarc 1.4.2 does it without a list: an organisation is the name above, whatever that is."""
    if domain == author:
        return True
    if strict:
        return above(domain) == above(author)
    return is_below(author, domain) or is_below(author, above(domain)) or is_below(domain, above(author))


def discover(case, new):
    """(the record, where it was found)"""
    places = [by_list(case.author)]
    if new['discovery']:
        places = by_walk(case, case.author, new)
    elif case.author in case.records:
        places = []  # a record that can't be used ends it
    for at in (case.author, *places):
        record = read(case.records[at], new) if at in case.records else None
        if record is not None:
            return record, at
    return None, None


def model(case, new):
    record, at = discover(case, new)
    if record is None or 'unusable' in record:
        return 'none'

    def aligned(domain, mode):
        strict = record.get(mode) == 's'
        if not new['alignment']:
            return aligned_there(case.author, domain, strict)
        return domain == case.author or (not strict and
                                         by_walk(case, domain, new)[0] == by_walk(case, case.author, new)[0])
    if (case.spf and aligned(case.spf, 'aspf')) or any(aligned(d, 'adkim') for d in case.dkim):
        return 'pass'
    policy = record['p']
    if at != case.author:
        policy = record.get('sp', policy)
        if new['np'] and not case.exists(case.author):
            policy = record.get('np', policy)
    if new['t'] and record.get('t') == 'y':
        policy = POLICIES[max(0, POLICIES.index(policy) - 1)]
    return f'fail {policy}'


# --- comparing

def ask_opendmarc(judge, case):
    """Finding the record is done here; its own way of asking DNS can't be handed a zone."""
    org = by_list(case.author)
    at = case.author if case.author in case.records else org
    found = case.records.get(at)
    return judge.check(case.author, text(found) if found is not None else None, at, org, case.spf, case.dkim)


def explain(case, ours, theirs):
    """The fewest switches that make the one answer the other; None: there are none."""
    for n in range(1, len(SWITCHES) + 1):
        for some in itertools.combinations(SWITCHES, n):
            if model(case, {s: s not in some for s in SWITCHES}) == theirs:
                return some
    return None


def compare(cases, program, library):
    new, old = dict.fromkeys(SWITCHES, True), dict.fromkeys(SWITCHES, False)
    wrong, reasons = [], collections.Counter()
    judge = opendmarc.Opendmarc(library)
    verdicts = dmarc_ask.ask_many(program, [(c.zone(), [(c.author, c.spf, c.dkim)]) for c in cases])
    for case, v in zip(cases, verdicts):
        ours = v['result'] if v['result'] != 'fail' else f'fail {v["asks"]}'
        theirs = ask_opendmarc(judge, case)
        if ours != model(case, new) or theirs != model(case, old):
            wrong.append((case.__dict__, 'ours', ours, model(case, new), 'opendmarc', theirs, model(case, old)))
        elif ours != theirs:
            reasons[' and '.join(explain(case, ours, theirs))] += 1
    return wrong, reasons


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    build = os.path.dirname(os.environ.get('POSTHOUSE') or os.path.join(ROOT, 'build', 'posthouse'))
    library = opendmarc.load(os.path.join(ROOT, 'build', 'interop'))
    if library is None:
        print('skipped: no libopendmarc; tests/interop/setup unpacks it')
        return 0
    wrong, reasons = compare([Case(r) for _ in range(count)], os.path.join(build, 'tests', 'corpora', 'dmarc_lines'),
                             library)
    for w in wrong[:10]:
        print(*w)
    print(f'{count} cases, {sum(reasons.values())} differ, {len(wrong)} without an explanation')
    for reason, n in reasons.most_common():
        print(f'{n:7} {reason}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
