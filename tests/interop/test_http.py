# test_http: metrics for Prometheus and health, on loopback.
import os
import re
import signal
import socket
import time

from peers import Sink
from site_of_test import free_port, wait_until
from test_clients import send_by_hand
from test_crash import pids
from wire import Wire


def test_health(site):
    status, _ = site.get('/health')
    assert status == 200


def test_unknown_path_and_method(site):
    assert site.get('/nothing')[0] == 404
    with socket.create_connection(('127.0.0.1', site.http_port), 5) as s:
        s.sendall(b'DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
        assert re.match(rb'HTTP/1\.1 (405|501|400)', s.recv(200))
    with socket.create_connection(('127.0.0.1', site.http_port), 5) as s:
        s.sendall(b'GET /' + b'x' * 100000)
        try:
            assert re.match(rb'HTTP/1\.1 4\d\d|$', s.recv(200))
        except ConnectionResetError:
            pass
    assert site.get('/health')[0] == 200


def test_format(site):
    send_by_hand(site)
    site.wait_mail('alice')
    status, text = site.get('/metrics')
    assert status == 200
    typed = {}
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            name, kind = line.split()[2:]
            assert name not in typed, f'{name} is typed twice'
            typed[name] = kind
        elif not line.startswith('#') and line:
            assert re.fullmatch(r'posthouse_\w+(\{(\w+="[^"\n]*",?)+\})? [0-9.e+-]+|.*\+?Inf', line), line
            base = re.sub(r'_(bucket|sum|count)$', '', line.split('{')[0].split(' ')[0])
            assert base in typed or line.split('{')[0].split(' ')[0] in typed, f'{line} has no TYPE'
            assert typed.get(base) != 'counter' or base.endswith('_total'), line
    assert 'histogram' in typed.values() and 'gauge' in typed.values()
    assert '@' not in text, 'an address became a label'


def test_counts(sites, peer):
    sink = peer(Sink, refuse=['gone'], busy=['later'])
    site = sites(f'relay from 127.0.0.0/8\nroute example.com via 127.0.0.1:{sink.port}\nroute dead.example via 127.0.0.1:{free_port()}')
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<alice@example.org>')
        w.expect(550, 'RCPT TO:<nobody@example.org>')
        w.expect(250, 'RSET')
        w.message('alice@example.org', ['bob@example.org', 'gone@example.com', 'later@example.com', 'x@example.com'],
                  b'Subject: x\r\n\r\ny\r\n')
    site.wait_mail('bob')
    site.wait_mail('alice')
    sink.wait()

    def counted():
        """all counts are there"""
        text = site.get('/metrics')[1]
        numbers = {m.group(1): 0.0 for m in re.finditer(r'(?m)^(posthouse_\w+)', text)}
        for m in re.finditer(r'(?m)^(posthouse_\w+)(?:\{[^}]*\})? (\S+)$', text):
            numbers[m.group(1)] += float(m.group(2))

        def has(word, least):
            return any(word in name and value >= least for name, value in numbers.items())
        return (has('sessions', 1) and has('accepted', 1) and has('refused', 1) and has('delivered', 2) and has('deferred', 1)
                and has('bounced', 1) and has('sync', 1) and has('queue', 1))

    wait_until(counted, 15, 0.2)


def test_health_tells_of_a_role_that_is_down(site):
    """The queue is stopped, not killed: nobody starts another, and health must say that mail isn't taken."""
    queue = pids(site)['queue']
    os.kill(queue, signal.SIGSTOP)
    try:
        time.sleep(0.2)
        assert site.get('/health')[0] == 503
    finally:
        os.kill(queue, signal.SIGCONT)
    wait_until(lambda: site.get('/health')[0] == 200, 10, 0.2)
