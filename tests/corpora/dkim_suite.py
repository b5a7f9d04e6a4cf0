# dkim_suite.py: keys, the program that verifies many messages in one process, and verifiers of another make.
import base64
import json
import os
import re
import subprocess
import types
from urllib.parse import quote

import dkim
import dkim.crypto
import zone

INTEROP = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'interop')


class Key:
    """A private key as PEM, and the public part as p= has it."""

    def __init__(self, pem, public, seed=None):
        self.pem, self.public, self.seed = pem, public, seed
        self.kind = 'ed25519' if seed else 'rsa'

    def sign(self, digest):
        """`digest`: a hashlib object."""
        if self.seed:
            import nacl.signing
            return nacl.signing.SigningKey(self.seed).sign(digest.digest()).signature
        return dkim.crypto.RSASSA_PKCS1_v1_5_sign(digest, dkim.crypto.parse_pem_private_key(self.pem))


def make_key(kind):
    """'rsa:1024' or 'ed25519'."""
    wanted = ['rsa', '-pkeyopt', f'rsa_keygen_bits:{kind[4:]}'] if kind.startswith('rsa:') else [kind]
    pem = subprocess.run(['openssl', 'genpkey', '-quiet', '-algorithm', *wanted], capture_output=True).stdout
    if not pem:  # before OpenSSL 3.1 there is no -quiet
        pem = subprocess.run(['openssl', 'genpkey', '-algorithm', *wanted], check=True, capture_output=True).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubout', '-outform', 'DER'], input=pem, check=True, capture_output=True).stdout
    if kind == 'ed25519':
        secret = subprocess.run(['openssl', 'pkey', '-outform', 'DER'], input=pem, check=True, capture_output=True).stdout
        return Key(pem, base64.b64encode(der[-32:]).decode(), secret[-32:])
    return Key(pem, base64.b64encode(der).decode())


def zone_text(records):
    """{name: text, or None, or TIMEOUT}"""
    return ''.join(zone.line(n, None, t) if t == 'TIMEOUT' else zone.line(n, 'TXT', t)
                   for n, t in records.items() if t is not None)


def ask_many(program, commands):
    """[(word, ...)] -> answers of those that have one."""
    lines = '\n'.join('\t'.join(quote(zone.plain(w), safe='') for w in words) for words in commands)
    done = subprocess.run([program], input=lines + '\n', stdout=subprocess.PIPE, text=True, timeout=900)
    assert done.returncode == 0
    return [json.loads(answer) for answer in done.stdout.splitlines()]


def crlf(data):
    return re.sub(rb'\r?\n', b'\r\n', data)


# --- of another make

def text_of(records, name):
    text = records.get(zone.plain(name).decode('latin-1').rstrip('.').lower())
    if text == 'TIMEOUT':
        raise dkim.DnsTimeoutError('no answer')
    return text


def by_dkimpy(message, records, now):
    """Whether any signature passes, and the last complaint."""
    dkim.time = types.SimpleNamespace(time=lambda: now)
    complaint = ''
    for i in range(max(1, len(re.findall(rb'(?im)^dkim-signature[ \t]*:', message.split(b'\r\n\r\n')[0])))):
        try:
            if dkim.DKIM(message).verify(idx=i, dnsfunc=lambda n, timeout=5: text_of(records, n)):
                return True, ''
            complaint = 'the signature does not fit'
        except Exception as e:  # it raises what its parsers stumble over
            complaint = f'{type(e).__name__}: {e}'
    return False, complaint


def by_mail_dkim(messages, records, folder):
    """For each message the results of its signatures, by Perl's Mail::DKIM."""
    path = os.path.join(folder, 'records')
    with open(path, 'w') as f:
        f.write(''.join(f'{n}\t{t}\n' for n, t in records.items() if t and t != 'TIMEOUT'))
    names = []
    for i, message in enumerate(messages):
        names.append(os.path.join(folder, f'{i}.eml'))
        with open(names[-1], 'wb') as f:
            f.write(message)
    found = {name: [] for name in names}
    for at in range(0, len(names), 500):
        done = subprocess.run(['perl', os.path.join(INTEROP, 'dkim_verify.pl'), path, *names[at:at + 500]],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors='replace', timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]
        for name, result in re.findall(r'(?ms)^(/[^\t\n]*\.eml)\t[^\t]*\t(.*?)$', done.stdout):  # a= may be folded
            found[name].append(result)
    return [found[name] for name in names]
