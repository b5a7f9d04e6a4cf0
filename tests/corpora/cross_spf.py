# cross_spf.py: generated zones and senders, judged by us and by pyspf over the same records.
#
#     tests/corpora/cross_spf.py [CASES [SEED]]        default: 4000 cases of seed 1
#
# Where they disagree, pyspf is asked again with one of its ways changed to ours; the way that makes it agree must be one
# of DISAGREEMENTS.md. Any other disagreement is printed whole and fails.
import collections
import ipaddress
import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import spf  # noqa: E402
import spf_suite  # noqa: E402
import zone  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

DOMAINS = ['a.test', 'b.test', 'c.test', 'd.b.test', 'e.a.test', 'mail.a.test', 'mx.b.test', 'f.test']
EMPTY = ['gone.test', 'no.a.test', 'nowhere.b.test']
BROKEN = ['slow.test', 'broken.test']
V4 = ['192.0.2.1', '192.0.2.2', '192.0.2.77', '198.51.100.3', '203.0.113.9']
V6 = ['2001:db8::1', '2001:db8::ffff', '2001:db8:1::5']


class Case:
    def __init__(self):
        self.records = {}  # (name, type) -> list of data; type None -> 'TIMEOUT' or 'SERVFAIL'

    def add(self, name, rtype, data):
        self.records.setdefault((name, rtype), []).append(data)

    def text(self):
        return ''.join(zone.line(name, rtype, d) for (name, rtype), data in self.records.items() for d in data)


# --- generating

def macro(r):
    letters = 'slodivhSLODH' + 'p' * (r.random() < .2) + 'crtx' * (r.random() < .05)
    text = '%{' + r.choice(letters)
    text += r.choice(['', '', '', '1', '2', '3', '10', '0'[:r.random() < .1]])
    text += r.choice(['', '', 'r', 'R'])
    return text + r.choice(['', '', '', '-', '.-', '+_', '=/']) + '}'


def name(r):
    x = r.random()
    if x < .55:
        return r.choice(DOMAINS)
    if x < .68:
        return r.choice(EMPTY)
    if x < .71:
        return r.choice(BROKEN)
    if x < .93:
        return r.choice(['', 'x.', 'mail.', '%%.', 'a-']) + macro(r) + r.choice(['', '.a.test', '.test', '.' + macro(r), 'x'])
    return r.choice(['a', 'a.', 'a.123', 'a..test', 'a.-b', 'a.test.', 'A.TEST', 'a.b-', '%', 'a.%(d)', 'x' * 64 + '.test',
                     'a_b.test', 'a/b.test', '.test', '%_.test', '%-a.test'])


def cidr(r):
    return r.choice(['', '', '', '/24', '/32', '/0', '//64', '/24//64', '//0', '/33'[:3 * (r.random() < .1)],
                     '/08'[:3 * (r.random() < .1)]])


def address(r, six):
    return r.choice(V6 if six else V4)


def term(r):
    kind = r.choice(['ip4', 'ip4', 'ip6', 'a', 'a', 'mx', 'mx', 'ptr', 'exists', 'include', 'include', 'all', 'modifier', 'odd'])
    q = r.choice(['', '', '', '-', '~', '?', '+'])
    if kind == 'ip4':
        return q + 'ip4:' + address(r, False) + r.choice(['', '/24', '/32', '/0', '/25'])
    if kind == 'ip6':
        return q + 'ip6:' + address(r, True) + r.choice(['', '/32', '/64', '/128', '/0'])
    if kind in ('a', 'mx'):
        return q + kind + r.choice(['', ':' + name(r)]) + cidr(r)
    if kind == 'ptr':
        return q + 'ptr' + r.choice(['', ':' + name(r)])
    if kind in ('exists', 'include'):
        return q + kind + ':' + name(r)
    if kind == 'all':
        return q + 'all' if r.random() < .5 else ''
    if kind == 'modifier':
        return r.choice(['foo=' + macro(r), 'x-y.z=%%', 'm=', 'bar=a/b:c'])
    if r.random() < .7:
        return ''
    return r.choice(['moo', 'all.', 'ip4:1.2.3', 'ip6:1.2.3.4', 'ip4:1.2.3.4/', 'a/', 'ptr/24', '-', 'all:x', 'ip4', 'A',
                     'include', '1x=y', 'IP4:192.0.2.1', 'mx:', 'exists', 'foo=%x'])


def record(r):
    terms = [term(r) for _ in range(r.randrange(0, 6))]
    if r.random() < .1:
        terms += [term(r) for _ in range(12)]
    if r.random() < .7:
        terms.append(r.choice(['-all', '-all', '~all', '?all', 'all']))
    if r.random() < .2:
        terms.insert(r.randrange(0, len(terms) + 1), r.choice(['redirect=', 'redirect=', 'redirect=', 'Redirect=']) + name(r))
    if r.random() < .25:
        terms.insert(r.randrange(0, len(terms) + 1), 'exp=' + r.choice(['exp.a.test', 'exp.%{d}', name(r)]))
    return r.choice(['v=spf1', 'v=spf1', 'v=spf1', 'V=SPF1']) + ''.join(r.choice([' ', ' ', '  ']) + t for t in terms if t)


def make(r):
    case = Case()
    for d in DOMAINS:
        if r.random() < .8:
            case.add(d, 'TXT', record(r))
        if r.random() < .04:
            case.add(d, 'TXT', r.choice([record(r), 'v=spf10', 'other']))
        for _ in range(r.choice([0, 1, 1, 2])):
            case.add(d, 'A', address(r, False))
        for _ in range(r.choice([0, 0, 1])):
            case.add(d, 'AAAA', address(r, True))
        for i in range(r.choice([0, 0, 1, 2, 3] + [11] * (r.random() < .1))):
            case.add(d, 'MX', (i, r.choice(DOMAINS + DOMAINS + EMPTY + ['']) if r.random() < .97 else r.choice(BROKEN)))
    for ip in V4 + V6:
        for _ in range(r.choice([0, 1, 1, 2] + [12] * (r.random() < .05))):
            case.add(ipaddress.ip_address(ip).reverse_pointer, 'PTR', r.choice(DOMAINS + DOMAINS + EMPTY))
    if r.random() < .7:
        case.add('exp.a.test', 'TXT', r.choice(['go away', '%{i} of %{h} is not %{s}', 'see http://x.test/?l=%{L}&t=%{o2}', '%{x}',
                                                'to %{r} by %{c}', 'no %%']))
    case.add('slow.test', None, 'TIMEOUT')
    case.add('broken.test', None, 'SERVFAIL')
    sender = r.choice(['ann', 'ann+x-y', 'a.b', 'o\'neill', 'a=b/c', '']) + '@' + r.choice(DOMAINS + DOMAINS + ['gone.test', 'slow.test'])
    if r.random() < .15:
        sender = ''
    return case, (r.choice(V4 + V4 + V6), r.choice(DOMAINS + ['helo', '[192.0.2.1]', 'x y.test']), sender)


# --- the other one

def looking(case):
    records = {(n.lower(), t): data for (n, t), data in case.records.items()}

    def look(qname, qtype, strict=True, timeout=None):
        qname = qname.lower().rstrip('.')
        if (qname, None) in records:
            raise spf.TempError('DNS fails')
        out = []
        for data in records.get((qname, qtype), []):
            if qtype == 'TXT':
                data = [data.encode()]
            out.append(((qname, qtype), data))
        return out
    return look


def theirs(case, question, kind=spf.query):
    spf.DNSLookup = looking(case)
    ip, helo, sender = question
    q = kind(i=ip, s=sender, h=helo, receiver='mx.example.org', strict=True)
    q.set_default_explanation('')
    try:
        result, _, explanation = q.check()
    except Exception as e:  # pylint: disable=broad-except
        return {'result': f'{type(e).__name__}: {e}', 'explanation': ''}
    return {'result': result, 'explanation': explanation if result == 'fail' else ''}


# --- its ways, each changed to ours; the names are headings of DISAGREEMENTS.md

class Percent:
    """Any % that begins neither %{...} nor %%, %_ or %-."""

    @staticmethod
    def search(text):
        return '%' in re.sub(spf.PAT_CHAR, '', text)


class Mended(spf.query):
    ways = ()
    quiet = 0

    def has(self, way):
        return way in self.ways

    def check0(self, spf, recursion):  # pylint: disable=redefined-outer-name
        if spf and self.has('Case of redirect and exp'):
            spf = re.sub('(?i)(?<= )(redirect|exp)=', lambda m: m.group().lower(), spf)
        if spf and self.has('A redirect that is not reached') and ' redirect=' in spf:
            self.lookups -= 1
        return super().check0(spf, recursion)

    def expand(self, s, stripdot=True):
        if self.has('No part of a macro') and re.search('%{[a-zA-Z]0+[rR.,/_=+-]*}', s):
            raise spf.PermError('no part of a macro is asked for')
        if self.has('An upper-case r'):
            s = re.sub('(%{[a-zA-Z][0-9]*)R', r'\1r', s)
        if self.has('Explanations of more than 253 characters') and not stripdot:
            return re.sub('[^%]+|%([^{]|{[^}]*})', lambda m: super(Mended, self).expand(m.group(), stripdot), s)
        return super().expand(s, stripdot)

    def note_error(self, *msg):
        if self.has('Other modifiers twice') and 'MUST appear' in msg[0] and not msg[0].startswith('exp='):
            return None
        return super().note_error(*msg)

    def validate_mechanism(self, mech):
        self.including = self.has('A record that includes itself') and mech.lower().lstrip('+-~?').startswith('include:')
        try:
            return super().validate_mechanism(mech)
        finally:
            self.including = False

    including = False

    def expand_domain(self, arg):
        expanded = super().expand_domain(arg)
        return expanded.swapcase() if self.including and expanded == self.d else expanded

    def validated_ptrs(self):
        if not self.has("The client's names"):
            return super().validated_ptrs()
        self.quiet += 1
        try:
            return [p for p in self.dns_ptr(self.i)[:10] if self.leads_back(p)]
        except spf.TempError:
            return []
        finally:
            self.quiet -= 1

    def leads_back(self, name):
        try:
            return self.cidrmatch(self.dns_a(name, self.A), self.cidrmax)
        except spf.TempError:
            return False

    def dns_mx(self, domainname):
        if not self.has('Hosts of an MX'):
            return super().dns_mx(domainname)
        names = self.dns(domainname, 'MX')
        if len(names) > 10:
            raise spf.PermError('more than 10 MX')
        return (a for mx in names for a in self.dns_a(mx[1], self.A))

    def cidrmatch(self, ipaddrs, n):
        if not self.has('Hosts of an MX'):
            return super().cidrmatch(ipaddrs, n)
        return any(super(Mended, self).cidrmatch([ip], n) for ip in ipaddrs)

    def dns(self, name, qtype, cnames=None, ignore_void=False):
        return super().dns(name, qtype, cnames, ignore_void or self.quiet > 0)


WAYS = ['%% at the end', 'A record that includes itself', 'Other modifiers twice', 'Case of redirect and exp',
        'No part of a macro', 'An upper-case r', 'Explanations of more than 253 characters', "The client's names",
        'Hosts of an MX', 'A redirect that is not reached', 'No local part']


def mended(case, question, ways):
    plain = spf.RE_INVALID_MACRO
    if 'No local part' in ways and question[2].startswith('@'):
        question = question[:2] + ('postmaster' + question[2],)
    if '%% at the end' in ways:
        spf.RE_INVALID_MACRO = Percent
    try:
        return theirs(case, question, type('Query', (Mended,), {'ways': ways}))
    finally:
        spf.RE_INVALID_MACRO = plain


def reason(case, question, ours):
    """The ways of pyspf that make the difference: one, or as few as are found."""
    for way in WAYS:
        if same(ours, mended(case, question, (way,))):
            return (way,)
    if not same(ours, mended(case, question, tuple(WAYS))):
        return None
    ways = list(WAYS)
    for way in WAYS:
        fewer = [w for w in ways if w != way]
        if same(ours, mended(case, question, tuple(fewer))):
            ways = fewer
    return tuple(ways)


def same(ours, other):
    return ours['result'] == other['result'] and (ours['explanation'] or '') == (other['explanation'] or '')


def described(case, question, ours, other):
    records = [f'    {n} {t} {d}' for (n, t), d in case.records.items()]
    return '\n'.join([f'{question}', f'  ours   {ours}', f'  pyspf  {other}'] + records)


def run(program, count, seed):
    """How many cases differ in which ways, and descriptions of those that differ in no known one."""
    r = random.Random(seed)
    cases = [make(r) for _ in range(count)]
    verdicts = spf_suite.ask_many(program, [(case.text(), [question]) for case, question in cases])
    found, unknown = collections.Counter(), []
    for (case, question), ours in zip(cases, verdicts):
        other = theirs(case, question)
        if same(ours, other):
            continue
        ways = reason(case, question, ours)
        found.update(ways or ())
        if not ways:
            unknown.append(described(case, question, ours, other))
    return found, unknown


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    program = os.environ.get('SPF_LINES') or os.path.join(ROOT, 'build', 'test-gcc', 'tests', 'corpora', 'spf_lines')
    found, unknown = run(program, count, seed)
    for text in unknown:
        print(text)
    for way, n in found.most_common():
        print(f'{n:6} {way}')
    print(f'{count} cases, {len(unknown)} differ in no known way')
    return 1 if unknown else 0


if __name__ == '__main__':
    sys.exit(main())
