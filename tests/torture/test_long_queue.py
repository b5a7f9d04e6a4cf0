# test_long_queue: tens of thousands of messages that wait: looked at, restarted, let go, and their space given back.
import glob
import os
import threading
import time

from peers import Sink
from site_of_test import wait_until
from test_crash import pids
from torment import SANITIZED, SCALE, TRUST, Bulk, Server, numbered, rss, take, timed

N = int((3000 if SANITIZED else 20000) * SCALE)
SLOW = 4 if SANITIZED else 1


def on_disk(site):
    return sum(os.stat(n).st_blocks * 512 for n in glob.glob(f'{site.dir}/state/queue/**', recursive=True) if os.path.isfile(n))


class Fast:
    """A quick SMTP server that pipelines; counts what it takes."""

    def __init__(self):
        self.got, self.lock = 0, threading.Lock()

    def __call__(self, connection, number):
        connection.sendall(b'220 fast ESMTP\r\n')
        file = connection.makefile('rb')
        while line := file.readline():
            verb = line[:4].upper()
            if verb == b'EHLO':
                connection.sendall(b'250-fast\r\n250 PIPELINING\r\n')
            elif verb == b'DATA':
                connection.sendall(b'354 go on\r\n')
                while file.readline() != b'.\r\n':
                    pass
                with self.lock:
                    self.got += 1
                connection.sendall(b'250 kept\r\n')
            elif verb == b'QUIT':
                connection.sendall(b'221 bye\r\n')
                return
            else:
                connection.sendall(b'250 ok\r\n')


def test_long_queue(sites, peer):
    fast = Fast()
    server = peer(Server, fast)
    site = sites(f'{TRUST}\nroute far.example hold', queue='segment 4M; reserve 1M; retry 2s .. 10s')
    figures = {}
    figures['take'], taken = timed(take, site, 'alice@example.org', [f'x{n}@far.example' for n in range(N)], numbered('m', 1500))
    assert taken == N
    figures['list'], listed = timed(site.queue)
    assert len(listed) == N and len({m['queue_id'] for m in listed}) == N
    figures['list as text'], _ = timed(site.run, 'queue', 'list', timeout=60)
    figures['status'], _ = timed(site.run, 'status')
    figures['metrics'], _ = timed(site.get, '/metrics')
    figures['bytes a message in memory'] = rss(pids(site)['queue']) * 1024 // N
    figures['stop'], _ = timed(site.stop)
    # Let go by a configuration that names a way for them.
    with open(site.config, encoding='utf-8') as f:
        site.write('posthouse.conf', f.read().replace('route far.example hold', f'route far.example hold\nroute * via 127.0.0.1:{server.port}'))
    figures['start'], _ = timed(site.start)
    wait_until(lambda: f'queue-open messages={N}' in site.logged(), 20)
    assert len(site.queue()) == N
    full = on_disk(site)
    site.stop()
    with open(site.config, encoding='utf-8') as f:
        site.write('posthouse.conf', f.read().replace('route far.example hold\n', ''))
    began = time.monotonic()
    site.start()
    # Mail flows while it drains.
    waits = []
    while fast.got < N and time.monotonic() - began < 120:
        with Bulk(site.port) as b:
            took, code = timed(b.send, 'alice@example.org', 'bob@example.org', numbered('between', 1500))
            assert code == 250
            waits.append(took)
        time.sleep(0.05)
    figures['drain'] = time.monotonic() - began
    assert fast.got == N
    site.wait_queue_empty(30)
    figures['longest wait for 250 meanwhile'] = max(waits)
    figures['megabytes before'] = full / 1e6

    def given_back():
        """space is given back"""
        return on_disk(site) < 4 * 4194304 + 1_000_000
    wait_until(given_back, 20, 0.3)
    figures['megabytes after'] = on_disk(site) / 1e6
    print({k: round(v, 3) for k, v in figures.items()})
    assert figures['status'] < 1 and figures['metrics'] < 1 and figures['list'] < 10 * SLOW
    assert figures['stop'] < 3 * SLOW and figures['start'] < 2 * SLOW and max(waits) < 2 * SLOW


def test_retry_and_delete_all(sites, peer):
    """Held mail of many destinations: let go or deleted at one word, while the command line and the sessions stay quick."""
    n = N // 4
    sink = peer(Sink)
    site = sites(f'{TRUST}\nroute .hold.example hold\nroute dead.example via 127.0.0.1:{sink.port}', queue='segment 4M; reserve 1M')
    assert take(site, '', [f'x@d{k % 500}.hold.example' for k in range(n)], numbered('m')) == n
    took, done = timed(site.run, 'queue', 'delete', '--domain', 'd7.hold.example')
    assert took < 2 * SLOW and done.stdout.startswith(f'{len(range(7, n, 500))} ')
    took, _ = timed(site.run, 'queue', 'delete', '--all', timeout=60)
    print(f'{n} deleted in {took:.2f} s')
    assert took < 5 * SLOW
    assert site.queue() == []
    site.stop()
    site.start()
    assert site.queue() == []
