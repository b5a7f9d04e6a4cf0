# test_control: strangers at the HTTP port, fools at the control socket, and the command line with anything behind it.
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

import pytest

from site_of_test import BINARY, ENV, wait_until
from test_crash import pids
from torment import at_rest, cpu_seconds, rss, settled_descriptors, timed

RANDOM = random.Random(6)
HTTP = [b'\0' * 1000, RANDOM.randbytes(10000), b'GET', b'GET / HTTP/1.1\r\n' + b'X: y\r\n' * 10000 + b'\r\n',
        b'GET /' + b'a' * 100000 + b' HTTP/1.1\r\n\r\n', b'GET /metrics HTTP/9.9\r\nHost: localhost\r\n\r\n',
        b'POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n',
        b'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n',
        b'GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n', b'GET /metrics HTTP/1.1\r\n\r\n',
        b'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n', b'GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n',
        b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n', b'GET /metrics\n\n', b'\r\n\r\n\r\n', b'\x16\x03\x01\x02\x00']
LINES = [b'\n' * 1000, b'{}\n', b'[]\n', b'null\n', b'{"do":1}\n', b'{"do":"nothing"}\n', b'{"do":"queue-show"}\n', b'{"do":"queue-delete"}\n',
         b'{"do":"queue-show","id":{}}\n', b'{"do":"queue-show","id":"' + b'A' * 100000 + b'"}\n', b'[' * 100000 + b'\n',
         b'{"do":"queue-list"' + b',"x":1' * 10000 + b'}\n', b'\xff\xfe\n', b'{"do":"status"', b'{"do":"queue-retry","domain":"\\u0000"}\n',
         b'{"do":"queue-delete","id":"","all":false}\n', b'{"do":"queue-list","limit":-1}\n', b'GET / HTTP/1.1\r\n\r\n']


def ask(family, address, data, seconds=10):
    with socket.socket(family) as s:
        s.settimeout(seconds)
        s.connect(address)
        answer = b''
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                answer += piece
        except OSError:
            pass
        return answer


def sound(site, control):
    assert site.get('/health')[0] == 200 and site.run('status').returncode == 0
    assert pids(site)['control'] == control, 'control died'


def test_http(site):
    control, was, files = pids(site)['control'], rss(pids(site)['control']), at_rest(site)
    at = ('127.0.0.1', site.http_port)
    for data in HTTP:
        answer = ask(socket.AF_INET, at, data)
        assert not answer or re.match(rb'HTTP/1\.[01] (200|[45]\d\d) ', answer), (data[:50], answer[:100])
        if b'evil' in data:
            assert not answer.startswith(b'HTTP/1.1 200') and b'posthouse_' not in answer, data
    for data in (b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n', b'GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n'):
        assert ask(socket.AF_INET, at, data).split(b' ', 2)[1] == b'200'
    sound(site, control)
    idle = []
    for _ in range(500):
        s = socket.socket()
        s.settimeout(5)
        try:
            s.connect(at)
            s.send(b'GET /metr')
        except OSError:
            pass
        idle.append(s)
    # The command line has a door of its own.
    took, _ = timed(site.run, 'status')
    assert took < 3
    spent = cpu_seconds(control)
    time.sleep(0.5)
    assert cpu_seconds(control) - spent < 0.3
    for s in idle:
        s.close()
    wait_until(lambda: _healthy(site), 10, 0.1)
    sound(site, control)
    settled_descriptors(site, files)
    assert rss(control) < was + 60_000


def _healthy(site):
    try:
        return site.get('/health')[0] == 200
    except OSError:
        return False


def test_control_socket(site):
    control, files = pids(site)['control'], at_rest(site)
    at = f'{site.dir}/control.sock'
    for data in LINES + [RANDOM.randbytes(3000), RANDOM.randbytes(3000) + b'\n', b'x' * 3_000_000]:
        answer = ask(socket.AF_UNIX, at, data)
        for line in answer.splitlines():
            assert isinstance(json.loads(line), dict), (data[:50], line)
    # Two hundred that say nothing do not keep an honest one out.
    idle = []
    for _ in range(200):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(at)
        except OSError:
            pass
        idle.append(s)
    took, done = timed(site.run, 'status', expect=None)
    assert took < 10 and (done.returncode, done.stderr) == (75, 'posthouse: too many ask the server at once\n'), done
    for s in idle:
        s.close()
    time.sleep(0.2)
    sound(site, control)
    settled_descriptors(site, files)
    assert os.stat(at).st_mode & 0o077 == 0, 'others may open the control socket'


def test_many_questions_at_once(site):
    """20 threads that ask by HTTP and by the command line for some seconds."""
    over, wrong = time.monotonic() + 3, []

    def http():
        while time.monotonic() < over:
            try:
                code, _ = site.get('/metrics')
                if code != 200:
                    wrong.append(code)
            except OSError as e:
                wrong.append(repr(e))

    def command():
        while time.monotonic() < over:
            for words in (['status', '--json'], ['queue', 'list'], ['queue', 'retry', '--all']):
                if site.run(*words, expect=None).returncode != 0:
                    wrong.append(words)
    threads = [threading.Thread(target=t) for t in [http] * 10 + [command] * 4]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:5]


COMMANDS = ['run', 'check', 'status', 'queue', 'queue list', 'queue show', 'queue retry', 'queue delete', 'stop', 'reload', 'version',
            'config', '']
ODD = [['--help'], ['--json', '--help'], ['--nonsense'], ['-x'], ['nonsense'], [''], ['--'], ['-c'], ['-c', ''], ['-c', '/'],
       ['-c', '/dev/null'], ['-c', '/nowhere/at/all'], ['--json', '-c', '/dev/null'], ['x' * 100000], ['%s%n%x'], ['\x1b[2J'], ['--domain'],
       ['--domain', ''], ['--all', '--all'], ['--all', 'x'], ['--control'], ['--control', '/nowhere'], ['--control', 'x' * 500], ['-'],
       ['--help=1'], ['--json=1'], ['\udcff']]
SYSEXITS = {0, 64, 65, 66, 69, 70, 71, 73, 74, 75, 77, 78}


@pytest.mark.parametrize('command', COMMANDS, ids=[c.replace(' ', '-') or 'none' for c in COMMANDS])
def test_odd_arguments(command):
    for odd in ODD:
        done = subprocess.run([BINARY, *command.split(), *odd], capture_output=True, timeout=20, env=ENV, stdin=subprocess.DEVNULL)
        said = done.stdout + done.stderr
        assert done.returncode in SYSEXITS - {70}, (command, odd[:1], done.returncode, said[-500:])
        assert done.returncode == 0 or done.stderr or done.stdout, (command, odd[:1])
        assert b'Sanitizer' not in said, (command, odd)
        if odd == ['--help']:
            assert done.returncode == 0 and done.stdout, command
        if odd in (['--nonsense'], ['-x'], ['-c']):
            assert done.returncode == 64, (command, odd, done.returncode)


def test_closed_outputs(site):
    for words in (['status'], ['queue', 'list'], ['--help'], ['config', '--effective'], ['version', '--json']):
        done = subprocess.run(f'exec "{BINARY}" {" ".join(words)} -c {site.config} >&-', shell=True, env=ENV, timeout=20, check=False,
                              stderr=subprocess.DEVNULL)
        assert done.returncode in SYSEXITS
        with open('/dev/full', 'w', encoding='utf-8') as full:
            done = subprocess.run([BINARY, *words, '-c', site.config], stdout=full, stderr=subprocess.PIPE, env=ENV, timeout=20, check=False)
        assert done.returncode in SYSEXITS and b'Sanitizer' not in done.stderr
