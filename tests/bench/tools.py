# tools: where things are, and the building of what a bench runs.

import pathlib
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / 'build' / 'bench'
BIN = WORK / 'bin'
RELEASE = ROOT / 'build' / 'release'

BASE = [ROOT / 'src' / 'base' / f'{name}.c' for name in ('base64', 'buf', 'slice', 'num', 'mem')]
PROGRAMS = {
    'blast': (['blast.c', 'blast_session.c', 'blast_text.c', 'hist.c', 'tcp.c'], ['-lssl', '-lcrypto']),
    'sink': (['sink.c', 'receiver.c', 'tcp.c'], ['-pthread']),
    'dns': (['dns.c', 'tcp.c'], []),
    'limit': (['limit.c', 'limit_log.c', 'limit_client.c', 'limit_relay.c', 'receiver.c', 'tcp.c'], ['-pthread']),
}
FLAGS = ('-std=gnu17 -O2 -g -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes '
         '-Wmissing-prototypes -Wvla -Werror -D_GNU_SOURCE').split()


class BenchError(Exception):
    """What a person has to be told; no traceback."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, **how):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)
    if done.returncode != 0:
        raise BenchError(f'{" ".join(str(c) for c in command)} failed:\n{done.stdout}')
    return done.stdout


def build_programs():
    """The bench's own programs. They stand beside the product's build, so that either can be broken alone."""
    BIN.mkdir(parents=True, exist_ok=True)
    headers = list(HERE.glob('*.h')) + list((ROOT / 'src' / 'base').glob('*.h'))
    for name, (sources, libraries) in PROGRAMS.items():
        files = [HERE / s for s in sources] + BASE
        target = BIN / name
        if target.exists() and all(f.stat().st_mtime < target.stat().st_mtime for f in files + headers):
            continue
        run(['cc', *FLAGS, f'-I{ROOT}/src', f'-I{HERE}', '-o', target, *files, *libraries])


def build_release():
    """The optimised build; asserts stay on, as in production."""
    if not (RELEASE / 'build.ninja').exists():
        run(['meson', 'setup', RELEASE, ROOT, '-Dbuildtype=release', '-Db_ndebug=false'])
    run(['ninja', '-C', RELEASE, 'posthouse'])
    return find_binary(RELEASE)


def find_binary(build):
    for path in (build / 'posthouse', build / 'src' / 'cmd' / 'posthouse'):
        if path.exists():
            return path
    raise BenchError(f'no posthouse in {build}')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def make_certificate():
    """Paths of a self-signed P-256 certificate and its key, made once."""
    certificate, key = WORK / 'tls' / 'certificate.pem', WORK / 'tls' / 'key.pem'
    if not (certificate.exists() and key.exists()):
        key.parent.mkdir(parents=True, exist_ok=True)
        run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days',
             3650, '-subj', '/CN=mx.bench.example', '-keyout', key, '-out', certificate])
        key.chmod(0o600)
    return certificate, key


def make_dkim_key():
    """The path of an RSA key of 2048 bits, made once."""
    key = WORK / 'tls' / 'dkim.pem'
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        run(['openssl', 'genpkey', '-quiet', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', key])
        key.chmod(0o600)
    return key
