# cross_arc.py: chains that are made by the plainest means, changed in many ways, and judged by us and by dkimpy.
#
#     tests/corpora/cross_arc.py [CASES [SEED]]        default: 3000 cases of seed 1
#
# What dkimpy can't read ("ARC-Seal:i=1" without a blank), or hashes in the order in which fields stand instead of their
# sets', isn't made here.
import base64
import hashlib
import os
import random
import re
import sys
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import dkim  # noqa: E402
import dkim.canonicalization  # noqa: E402
import dkim_suite  # noqa: E402

NOW = 1700000000
HEADER = b'From: A <a@example.org>\r\nTo: b@example.net\r\nSubject: one\r\n two  words\r\n'
BODY = b'Hello  there \r\n\r\nline\r\n'
AAR, AMS, SEAL = b'arc-authentication-results', b'arc-message-signature', b'arc-seal'
RELAXED = dkim.canonicalization.CanonicalizationPolicy.from_c_value(b'relaxed/relaxed')


# --- chains

def fields_of(header):
    return re.findall(rb'(?m)^[^ \t\r\n][^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*', header)


def name_of(field):
    return field.split(b':')[0].strip().lower()


def signed(key, canon, fields, text):
    """`text`: a field up to its b=, whose signature is over `fields` and itself."""
    pairs = canon.canonicalize_headers([tuple(f.split(b':', 1)) for f in [*fields, text + b'\r\n']])
    data = b':'.join(pairs[-1]).rstrip(b'\r\n')
    data = b''.join(n + b':' + v for n, v in pairs[:-1]) + data
    return text + base64.b64encode(key.sign(hashlib.sha256(data))) + b'\r\n'


def add_set(key, header, body, i, names, canon):
    policy = dkim.canonicalization.CanonicalizationPolicy.from_c_value(canon)
    fields, sets, left = fields_of(header), [], fields_of(header)
    for n in range(1, i):
        mine = [f for f in fields if name_of(f).startswith(b'arc-') and re.search(rb'\bi=%d;' % n, f)]
        sets += sorted(mine, key=lambda f: [AAR, AMS, SEAL].index(name_of(f)))
    chosen = []
    for name in names.split(b':'):
        for k in [k for k in reversed(range(len(left))) if name_of(left[k]) == name][:1]:
            chosen.append(left.pop(k))
    results = b'ARC-Authentication-Results: i=%d; mx.example.org; spf=pass\r\n' % i
    common = b'i=%d; a=rsa-sha256; d=example.org; s=s; t=%d; ' % (i, NOW)
    hashed = base64.b64encode(hashlib.sha256(policy.canonicalize_body(body)).digest())
    message = signed(key, policy, chosen, b'ARC-Message-Signature: %sc=%s; h=%s; bh=%s; b=' % (common, canon, names, hashed))
    seal = signed(key, RELAXED, [*sets, results, message], b'ARC-Seal: %scv=%s; b=' % (common, b'pass' if i > 1 else b'none'))
    return seal + message + results + header


def make_chains(key):
    chains = []
    for names in [b'from:to:subject', b'from:from:subject:arc-authentication-results:x-none']:
        for canon in [b'relaxed/relaxed', b'simple/simple']:
            header = HEADER
            for i in range(1, 5):
                header = add_set(key, header, BODY, i, names, canon)
                chains.append(header)
    return chains


# --- changes

def put(text):
    return lambda r, fields, i: fields.insert(i, r.choice(text))


def behind(texts):
    def change(r, fields, i):
        fields[i] = fields[i][:-2] + r.choice(texts) + b'\r\n'
    return change


def instead(pattern, texts):
    def change(r, fields, i):
        fields[i] = re.sub(pattern, lambda _: r.choice(texts), fields[i], count=1)
    return change


def one_byte(r, fields, i):
    text = bytearray(fields[i])
    text[r.randrange(len(text) - 2)] = r.choice(b'abcXYZ019;:=()"+/\xc3')
    fields[i] = bytes(text)


def one_tag(r, fields, i):
    parts = fields[i][:-2].split(b';')
    if len(parts) > 1:
        del parts[r.randrange(1, len(parts))]
    fields[i] = b';'.join(parts) + b'\r\n'


CHANGES = [
    lambda r, fields, i: None,
    lambda r, fields, i: fields.pop(i),
    lambda r, fields, i: fields.insert(i, fields[i]),
    one_byte, one_tag,
    behind([b'; x=1800000000', b'; x=1', b'; foo=bar', b'; foo', b';', b';;', b'; h=from', b'; l=3', b'; i=1', b'; t=9999999999', b'; v=1', b' ']),
    instead(rb'i=\d+', [b'i=0', b'i=1', b'i=2', b'i=5', b'i=51', b'i=', b'i=x', b'i= 1']),
    instead(rb't=\d+', [b't=0', b't=abc', b't=', b't=1699999999']),
    instead(rb'cv=\w+', [b'cv=pass', b'cv=none', b'cv=fail', b'cv=', b'cv=Pass']),
    instead(rb'; ', [b';\r\n ', b' ; ', b';  ']),
    instead(rb'=', [b' = ']),
    instead(rb'^[^:]+', [b'ARC-Seal', b'arc-message-signature', b'Subject', b'X']),
    put([b'X: y\r\n', b'Subject: z\r\n', b'From: b@example.org\r\n', b'To: c@example.org\r\n']),
]


def change(r, header):
    fields = fields_of(header)
    body = r.choice([BODY] * 8 + [BODY + b'\r\n', BODY + b'x\r\n', BODY.replace(b'  ', b' '), b''])
    for _ in range(r.choice([1, 1, 2])):
        if fields:
            r.choice(CHANGES)(r, fields, r.randrange(len(fields)))
    return b''.join(fields) + b'\r\n' + body


# --- all

def by_dkimpy(message, records):
    dkim.time = types.SimpleNamespace(time=lambda: NOW)
    try:
        found, _, why = dkim.arc_verify(message, dnsfunc=lambda n, timeout=5: dkim_suite.text_of(records, n))
    except Exception as e:  # it raises what its parsers stumble over
        return 'fail', f'{type(e).__name__}: {e}'
    return (found or b'fail').decode(), why


# "A field that belongs to no set" in DISAGREEMENTS.md.
def known(we, theirs):
    return theirs == 'pass' and re.search('(is no tag|tag i is|no set of)', we['why'])


def compare(program, count, seed):
    """How many hold, and those that dkimpy sees otherwise for no known reason."""
    r = random.Random(seed)
    key = dkim_suite.make_key('rsa:1024')
    chains, records = make_chains(key), {'s._domainkey.example.org': f'v=DKIM1; p={key.public}'}
    messages = [change(r, r.choice(chains)) for _ in range(count)]
    ours = dkim_suite.ask_many(program, [('zone', dkim_suite.zone_text(records)), ('now', str(NOW))] + [('arc', m) for m in messages])
    differ = []
    for message, we in zip(messages, ours, strict=True):
        theirs, why = by_dkimpy(message, records)
        if (we['result'] == 'pass') != (theirs == 'pass') and not known(we, theirs):
            differ.append((message, we, theirs, why))
    return sum(we['result'] == 'pass' for we in ours), differ


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = os.path.join(os.path.dirname(os.environ.get('POSTHOUSE') or os.path.join(root, 'build', 'posthouse')), 'tests', 'corpora', 'dkim_lines')
    passes, differ = compare(program, count, seed)
    for message, we, theirs, why in differ[:20]:
        print(f'== dkimpy says {theirs}: {why}; we: {we}\n{message}')
    print(f'{count} chains, {passes} hold; {len(differ)} disagreements')
    return 1 if differ else 0


if __name__ == '__main__':
    sys.exit(main())
