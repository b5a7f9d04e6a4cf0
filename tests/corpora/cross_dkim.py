# cross_dkim.py: generated messages, signed in three ways and changed in many, judged by us, by dkimpy and by Mail::DKIM.
#
#     tests/corpora/cross_dkim.py [CASES [SEED]]        default: 3000 cases of seed 1
#
# Where they disagree, the case must be one of DISAGREEMENTS.md; any other is printed whole and fails.
import base64
import hashlib
import os
import random
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import dkim  # noqa: E402
import dkim.canonicalization  # noqa: E402
import dkim_suite  # noqa: E402

NAMES = ['To', 'Cc', 'Subject', 'Date', 'Message-ID', 'MIME-Version', 'Content-Type', 'X-Foo', 'X-FOO', 'List-Id',
         'Received', 'Reply-To', 'References', 'X-Long-Name-That-Nobody-Knows']
WORDS = ['a', 'word', 'Another', 'x=y', 'b=c;', 'one:two', '<a@example.org>', '"quoted, text"', '(comment)', 'grüße', '=?utf-8?q?x?=',
         '1', 'longer-word-with-dashes', ';', '%', '日本']


class Case:
    """A message and what is published of its key; `marks` say what is odd about it."""

    def __init__(self, number):
        self.selector = f's{number}'
        self.marks = set()

    def mark(self, word):
        self.marks.add(word)


# --- messages

def blanks(r):
    return r.choice([' ', ' ', ' ', '  ', '\t', ' \t ', '   '])


def value(r):
    text = ''
    for _ in range(r.randrange(0, 9)):
        text += r.choice(WORDS) + blanks(r)
        if r.random() < .15:
            text += '\r\n' + blanks(r)
    text = r.choice([text.strip(' \t'), text]) or r.choice(['', ' '])
    return re.sub('\r\n[ \t]*$', '', text)


def field(r, name):
    return f'{name}:{r.choice([" ", " ", " ", "", "  ", chr(9)])}{value(r)}\r\n'.encode()


def make_header(r, case):
    names = [n for n in NAMES if r.random() < .5] + [r.choice(NAMES) for _ in range(r.randrange(0, 3))]
    r.shuffle(names)
    fields = [field(r, r.choice([n, n, n, n.lower(), n.upper()])) for n in names]
    author = b'From: ' + r.choice([b'A <a@example.org>', b'a@example.org', b'"B,\r\n C" <a@example.org>']) + b'\r\n'
    fields.insert(r.randrange(len(fields) + 1), author)
    if r.random() < .02:
        case.mark('two From')
        fields.insert(r.randrange(len(fields) + 1), b'From: other@example.org\r\n')
    return fields


def make_body(r, case):
    kind = r.random()
    if kind < .05:
        return b''
    if kind < .1:
        return b'\r\n' * r.randrange(1, 4)
    lines = []
    for _ in range(r.randrange(1, 20)):
        line = ''.join(r.choice(WORDS) + blanks(r) for _ in range(r.randrange(0, 8)))
        lines.append(r.choice([line, line.strip(' \t'), '', ' ', '\t', '.' + line, 'x' * r.randrange(0, 300)]))
    body = '\r\n'.join(lines).encode() + b'\r\n' * r.choice([0, 1, 1, 1, 1, 2, 3])
    if r.random() < .02:
        case.mark('lone CR')
        body = body.replace(b'a', b'a\r', 1)
    return body


# --- signatures

def canonical_fields(canon, fields):
    return canon.canonicalize_headers([tuple(f.split(b':', 1)) for f in fields])


def sign_by_hand(r, case, key, fields, body, domain):
    """A signature with any tags that the RFC knows, in any order and with white space anywhere."""
    header, body_canon = r.choice(['simple', 'relaxed']), r.choice(['simple', 'relaxed'])
    canon = dkim.canonicalization.CanonicalizationPolicy.from_c_value(f'{header}/{body_canon}'.encode())
    present = [f.split(b':')[0].decode() for f in fields]
    names = ['from'] + [n for n in present if r.random() < .6]
    names += [r.choice(['from', 'subject', 'to', 'x-none', 'X-Nothing']) for _ in range(r.randrange(0, 3))]
    r.shuffle(names)
    signed = canon.canonicalize_body(body)
    tags = {'v': '1', 'a': f'{key.kind}-sha256', 'd': domain, 's': case.selector}
    c = {'simple/simple': ['simple/simple', 'simple', None], 'relaxed/simple': ['relaxed/simple', 'relaxed']}
    tags['c'] = r.choice(c.get(f'{header}/{body_canon}', [f'{header}/{body_canon}']))
    if r.random() < .15:
        length = r.choice([len(signed), len(signed), r.randrange(len(signed) + 1), len(signed) + 5])
        case.mark('l= of a part' if length < len(signed) else 'l= too long' if length > len(signed) else 'l= of all')
        tags['l'] = str(length)
        signed = signed[:length]
    odd(r, case, tags, domain)
    space = lambda: r.choice(['', '', '', ' ', '\r\n ', '\t'])  # noqa: E731
    tags['h'] = ':'.join(space() + n + space() for n in names).strip()
    tags['bh'] = base64.b64encode(hashlib.sha256(signed).digest()).decode()
    order = [t for t in tags if tags[t] is not None] + ['b']
    r.shuffle(order)
    tags['b'] = ''
    text = 'DKIM-Signature:' + r.choice([' ', '', '\r\n '])
    text += ';'.join(f'{space()}{t}{space()}={space()}{tags[t]}{space()}' if t != 'b' else f'{space() or " "}b{space()}=' for t in order)
    text += r.choice(['', ';', '; '])
    return finish(r, canon, key, fields, [n.strip().lower().encode() for n in names], text.encode())


def odd(r, case, tags, domain):
    now = int(time.time())
    for chance, name, choices in [
            (.3, 't', [now, now - 1000000]), (.2, 'x', [now + 100000, now + 10**10]),
            (.2, 'i', ['@' + domain, 'a@' + domain, '@sub.' + domain, '@' + domain.upper(), 'a=40b@' + domain]),
            (.15, 'q', ['dns/txt']), (.1, 'z', ['From:a|To:b']), (.1, 'zz', ['anything at all']), (.05, 'r_1', ['']),
            (.03, 'x', [now - 400000, 0]), (.02, 't', [now + 400000]), (.02, 'i', ['@example.com', 'a', '@x' + domain]),
            (.02, 'v', ['2', '', None]), (.02, 'a', ['rsa-sha512', '', None]), (.02, 'q', ['dns', 'http/x', 'dns/txt:http']),
            (.02, 't', ['yesterday', '-1', '']), (.01, 'd', [None, '', 'exa mple.org']), (.01, 's', [None, ''])]:
        if r.random() < chance:
            value = r.choice(choices)
            tags[name] = None if value is None else str(value)
            if name == 'i' and isinstance(value, str) and '@sub.' in value:
                case.mark('i= below')
            if name == 'q' and value == 'dns/txt:http':
                case.mark('q= of two')
            if name == 't' and value == now - 1000000 or name == 'x':
                case.mark('times')
    if tags.get('t', '').isdigit() and (tags.get('x') or '').isdigit() and int(tags['x']) <= int(tags['t']):
        case.mark('x= before t=')


def finish(r, canon, key, fields, names, text):
    """Hashes what is signed and puts the signature into b=."""
    at = re.search(rb'[;\s]b\s*=', text)
    blank = text[:at.end()], text[at.end():]
    chosen = dkim.select_headers([tuple(f.split(b':', 1)) for f in fields], names)
    digest = hashlib.sha256()
    for name, content in canon.canonicalize_headers(chosen):
        digest.update(name + b':' + content)
    (name, content), = canonical_fields(canon, [text + b'\r\n'])
    digest.update(name + b':' + content.rstrip(b'\r\n'))
    signature = base64.b64encode(key.sign(digest))
    if r.random() < .7:
        step = r.randrange(10, 80)
        signature = b''.join(signature[i:i + step] + r.choice([b'\r\n ', b'\r\n\t', b' ']) for i in range(0, len(signature), step)).rstrip()
    return blank[0] + signature + blank[1] + b'\r\n'


# --- what is published

def publish(r, case, key):
    usual = f'v=DKIM1; k={key.kind}; p={key.public}'
    if r.random() < .7:
        return usual
    wrapped = key.public[:40] + ' ' + key.public[40:]
    variant = r.choice(['no v', 'no k', 't=y', 't=s', 't=y:s', 'h=sha256', 'h=sha1', 'h=sha1:sha256', 's=email', 's=*', 's=tlsrpt',
                        's=other', 's=other:email', 'revoked', 'no p', 'notes', 'new tag', 'v=DKIM2', 'v last', 'wrong k', 'garbage', 'g=*', 'space in p',
                        'gone', 'TIMEOUT', 'empty', 'twice'])
    case.mark(variant)
    return {
        'no v': f'k={key.kind}; p={key.public}', 'no k': f'v=DKIM1; p={key.public}', 't=y': f'v=DKIM1; t=y; k={key.kind}; p={key.public}',
        't=s': f'{usual}; t=s', 't=y:s': f'{usual}; t=y : s', 'h=sha256': f'{usual}; h=sha256', 'h=sha1': f'{usual}; h=sha1',
        'h=sha1:sha256': f'{usual}; h=sha1:sha256;', 's=email': f'{usual}; s=email', 's=*': f'{usual}; s=*', 's=tlsrpt': f'{usual}; s=tlsrpt',
        's=other': f'{usual}; s=other', 's=other:email': f'{usual}; s=other:email', 'revoked': f'v=DKIM1; k={key.kind}; p=',
        'no p': f'v=DKIM1; k={key.kind}', 'notes': f'{usual}; n=some notes', 'new tag': f'{usual}; zz=x', 'v=DKIM2': usual.replace('DKIM1', 'DKIM2'),
        'v last': f'k={key.kind}; p={key.public}; v=DKIM1', 'wrong k': f'v=DKIM1; k={"rsa" if key.seed else "ed25519"}; p={key.public}',
        'garbage': 'nothing of the kind', 'g=*': f'v=DKIM1; g=*; k={key.kind}; p={key.public}', 'space in p': f'v=DKIM1; k={key.kind}; p={wrapped}',
        'gone': None, 'TIMEOUT': 'TIMEOUT', 'empty': '', 'twice': f'{usual}; p={key.public}',
    }[variant]


# --- changes

def change(r, case, message):
    head, _, body = message.partition(b'\r\n\r\n')
    header = head + b'\r\n'
    kind = r.choice(['nothing'] * 6 + ['body word', 'body blanks', 'body blank end', 'body lines', 'body more', 'body cut', 'fold', 'case', 'blanks',
                                       'field on top', 'field below', 'swap', 'drop', 'signature', 'signature blanks', 'byte', 'space before colon'])
    lines = re.findall(rb'[^\r\n][^\n]*\r\n(?:[ \t][^\n]*\r\n)*', header)
    if kind == 'nothing' or len(lines) < 2:
        return message
    case.mark('changed: ' + kind)
    at = r.randrange(len(lines))
    if kind == 'body word':
        body = body.replace(b'word', b'wOrd', 1)
    elif kind == 'body blanks':
        body = re.sub(rb' +', lambda m: r.choice([b' ', b'  ', b'\t']), body)
    elif kind == 'body blank end':
        body = re.sub(rb'\r\n', lambda m: r.choice([b'\r\n', b' \r\n', b'\t \r\n']), body)
    elif kind == 'body lines':
        body = body.rstrip(b'\r\n') + b'\r\n' * r.randrange(0, 4)
    elif kind == 'body more':
        body += r.choice([b'x', b'more\r\n', b' ', b' \r\n', b'\t\r\n\r\n'])
    elif kind == 'body cut':
        body = body[:r.randrange(len(body) + 1)]
    elif kind == 'fold':
        lines[at] = re.sub(rb' (?=\S)', lambda m: r.choice([b' ', b'\r\n ', b'\r\n\t']), lines[at])
    elif kind == 'case':
        name, rest = lines[at].split(b':', 1)
        lines[at] = r.choice([name.upper(), name.lower(), name.swapcase()]) + b':' + rest
    elif kind == 'blanks':
        lines[at] = re.sub(rb'(?<=\S) (?=\S)', lambda m: r.choice([b' ', b'  ', b' \t']), lines[at])
    elif kind == 'field on top':
        lines.insert(0, r.choice([b'Received: x\r\n', b'Subject: new\r\n', b'To: z\r\n', b'X-Foo: q\r\n', b'From: evil@example.com\r\n']))
    elif kind == 'field below':
        lines.append(r.choice([b'X-New: x\r\n', b'Subject: new\r\n', b'From: evil@example.com\r\n']))
    elif kind == 'swap':
        other = r.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 'drop':
        del lines[at]
    elif kind == 'space before colon':
        lines[at] = lines[at].replace(b':', b' :', 1)
    elif kind in ('signature', 'signature blanks'):
        for i, line in enumerate(lines):
            if line.lower().startswith(b'dkim-signature'):
                if kind == 'signature':
                    p = r.randrange(16, len(line) - 2)
                    lines[i] = line[:p] + bytes([r.choice(b'aZ9+/=;: ')]) + line[p + r.randrange(0, 2):]
                else:
                    lines[i] = re.sub(rb';', lambda m: r.choice([b';', b'; ', b' ;', b';\r\n ']), line)
                break
    elif kind == 'byte':
        text = bytearray(b''.join(lines))
        p = r.randrange(len(text))
        if text[p] not in b'\r\n:' and text[max(p - 1, 0)] not in b'\n':
            text[p] = r.choice(b'abc \t')
        return bytes(text) + b'\r\n' + body
    return b''.join(lines) + b'\r\n' + body


# --- all

def make_case(r, number, keys, ours):
    """`ours` gives a field that our own signer made."""
    case = Case(number)
    key = r.choice(keys)
    domain = r.choice(['example.org', 'mail.example.org', 'xn--bcher-kva.example', 'Example.NET'])
    fields, body = make_header(r, case), make_body(r, case)
    message = b''.join(fields) + b'\r\n' + body
    how = r.choice(['hand', 'hand', 'dkimpy', 'ours'])
    canon = r.choice(['simple', 'relaxed']), r.choice(['simple', 'relaxed'])
    if how == 'hand':
        signature = sign_by_hand(r, case, key, fields, body, domain)
    elif how == 'ours' or 'lone CR' in case.marks:
        signature = ours(key, domain, case.selector, canon, message)
    else:
        signature = dkim.sign(message, case.selector.encode(), domain.encode(), key.pem if not key.seed else base64.b64encode(key.seed),
                              canonicalize=tuple(c.encode() for c in canon), signature_algorithm=f'{key.kind}-sha256'.encode(),
                              length=r.random() < .1)
    case.how = how
    case.record = publish(r, case, key)
    case.name = f'{case.selector}._domainkey.{domain}'
    case.message = change(r, case, signature + message)
    return case


def make_cases(program, count, seed):
    r = random.Random(seed)
    keys = [dkim_suite.make_key('rsa:1024'), dkim_suite.make_key('rsa:1024'), dkim_suite.make_key('ed25519')]

    def ours(key, domain, selector, canon, message):
        answer, = dkim_suite.ask_many(program, [('now', str(int(time.time()))), ('sign', key.pem, domain, selector, *canon, message)])
        return answer['text'].encode()
    return [make_case(r, i, keys, ours) for i in range(count)]


# What is known to be judged in another way: who differs (p: dkimpy, m: Mail::DKIM), a mark of the case, what we say of it,
# what they say. Each is explained in DISAGREEMENTS.md under its name.
KNOWN = [
    ('m', 'ed25519', r'pass', r'unsupported algorithm ed25519', 'Ed25519'),
    ('p', 'blank behind a simple signature', r'pass', r'does not fit', 'Blanks at the end of a signature'),
    ('pm', 'blank before a colon', r'pass', r'', 'Blanks before a colon'),
    ('m', 'no CRLF at the end', r'', r'', 'A body without a line end'),
    ('pm', None, r'signs more body', r'^pass', 'More body than there is (l=)'),
    ('pm', 'v last', r'does not begin with v=', r'^pass', 'A version that is not the first tag'),
    ('m', 'twice', r'tag p is there twice', r'^pass', 'A tag twice'),
    ('p', 'h=sha1', r'not for SHA-256', r'^pass', 'What a key is for'),
    ('p', 's=other:email', r'pass', r'UnknownKeyTypeError', 'What a key is for'),
    ('p', 't=s', r'domains below its own', r'^pass', 'What a key is for'),
    ('pm', 't=y:s', r'domains below its own', r'^pass', 'What a key is for'),
    ('p', 'blank behind b=', r'pass', r'does not fit', 'Blanks behind b='),
    ('p', 'q= of two', r'pass', r'q= value', 'Ways to the key'),
    ('m', None, r'From field that is not signed', r'^pass', 'A From field that is not signed'),
    ('m', None, r'(from the future|expired|before it begins|t is no number|x is no number)', r'^pass', 'Times'),
    ('m', None, r'(tag v is|version \(v=\))', r'^pass', 'The version of a signature'),
    ('m', None, r'is no base64', r'^pass', 'Base64'),
    ('m', 'a line that is no field', r'', r'', 'A line that is no field'),
    ('p', 'a line that is no field', r'', r'MessageFormatError', 'A line that is no field'),
    ('p', None, r'before it begins', r'^pass', 'Times'),
]


def marks_of(case):
    """What can be seen in the message itself."""
    head, _, body = case.message.partition(b'\r\n\r\n')
    signature = re.search(rb'(?im)^dkim-signature[ \t]*:[^\r\n]*(\r\n[ \t][^\r\n]*)*', head)
    found = set(case.marks)
    text = signature.group(0) if signature else b''
    if b'ed25519' in text:
        found.add('ed25519')
    if body and not body.endswith(b'\r\n'):
        found.add('no CRLF at the end')
    if text.rstrip(b'\r\n').endswith((b' ', b'\t')) and not re.search(rb'\bc\s*=\s*relaxed', text):
        found.add('blank behind a simple signature')
    if re.search(rb'(?m)^(?![!-9;-~]+[ \t]*:|[ \t])', head):
        found.add('a line that is no field')
    if re.search(rb'[;\s]b\s*=[A-Za-z0-9+/=\s]*\s;', text):
        found.add('blank behind b=')
    if re.search(rb'(?m)^[^\s:]+[ \t]+:', head):
        found.add('blank before a colon')
    return found


def known(case, who, ours, theirs):
    marks = marks_of(case)
    for whom, mark, we, they, _ in KNOWN:
        if who in whom and (mark is None or mark in marks) and re.search(we, ours) and re.search(they, theirs):
            return True
    return False


def compare(program, count, seed, folder):
    """Cases that somebody disagrees on, and of them those that nobody has explained."""
    cases = make_cases(program, count, seed)
    records = {c.name.lower(): c.record for c in cases}
    now = int(time.time())
    ours = dkim_suite.ask_many(program, [('zone', dkim_suite.zone_text(records)), ('now', str(now))] + [('dkim', c.message) for c in cases])
    theirs = dkim_suite.by_mail_dkim([c.message for c in cases], records, folder)
    differ, unexplained = [], []
    for case, we, perl in zip(cases, ours, theirs):
        python, complaint = dkim_suite.by_dkimpy(case.message, records, now)
        passed = we['result'] == 'pass'
        text = '; '.join(f'{s["result"]}: {s["why"]}' for s in we['signatures']) or 'none'
        for who, other, said in [('p', python, complaint), ('m', 'pass' in perl, perl)]:
            if other != passed:
                differ.append(case)
                if not known(case, who, text, 'pass' if other else str(said)):
                    unexplained.append((case, who, text, 'pass' if other else str(said)))
    passes = sum(we['result'] == 'pass' for we in ours)
    return passes, differ, unexplained


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = os.path.join(os.path.dirname(os.environ.get('POSTHOUSE') or os.path.join(root, 'build', 'posthouse')), 'tests', 'corpora', 'dkim_lines')
    with tempfile.TemporaryDirectory() as folder:
        passes, differ, unexplained = compare(program, count, seed, folder)
    for case, who, ours, theirs in unexplained[:30]:
        print(f'== {case.selector} ({case.how}; {", ".join(sorted(marks_of(case)))}): {"dkimpy" if who == "p" else "Mail::DKIM"} says {theirs}; we: {ours}')
        print(f'{case.name} {case.record}')
        print(case.message)
    print(f'{count} cases, {passes} pass; {len(differ)} disagreements, {len(unexplained)} of them unexplained')
    return 1 if unexplained else 0


if __name__ == '__main__':
    sys.exit(main())
