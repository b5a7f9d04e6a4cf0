# test_disk: a disk that is full, read-only, or not there.
import glob
import os
import shutil
import smtplib
import stat
import subprocess
import threading
import time

import pytest

from peers import Sink
from site_of_test import open_port, wait_until
from test_process import refuses
from torment import TRUST, Bulk, Server, last_line, numbered
from wire import Wire

root = pytest.mark.skipif(os.getuid() != 0, reason='skipped: mounting wants root')


@pytest.fixture
def mounts():
    """Mounts a small file system: mounts(path, megabytes)."""
    made = []

    def mount(path, megabytes):
        os.makedirs(path, exist_ok=True)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={megabytes}M,mode=700', 'tmpfs', path], check=False)
        if done.returncode != 0:
            pytest.skip('skipped: tmpfs can not be mounted here')
        made.append(path)
        return path

    yield mount
    for path in reversed(made):
        subprocess.run(['umount', '-l', path], check=False)


def fill(site, recipient, size, start=0, most=20000):
    """Sends until the disk is full; gives the names that were acknowledged, and the reply that ended it."""
    taken = []
    with Bulk(site.port, 60) as b:
        for n in range(start, most):
            code = b.send('alice@example.org', recipient, numbered(f'm{n}', size))
            if code != 250:
                return taken, b.last
            taken.append(f'm{n}')
    raise AssertionError('the disk took it all')


@root
@pytest.mark.parametrize('size', [20_000, 900_000], ids=['small', 'large'])
def test_full_disk_drains_and_comes_back(sites, peer, mounts, size):
    sink = peer(Sink)
    site = sites(f'{TRUST}\nroute far.example hold\nroute * via 127.0.0.1:{sink.port}', started=False,
                 queue='segment 4M; reserve 4M; retry 1s .. 2s')
    mounts(f'{site.dir}/state', 60)
    site.start()
    taken, reply = fill(site, 'x@far.example', size)
    assert reply.startswith('452 4.3.1'), reply
    assert len(taken) * size > 20_000_000, len(taken)
    # Mail is refused, sessions go on, health tells, the queue can be looked at.
    with Bulk(site.port) as b:
        assert b.send('alice@example.org', 'y@near.example', numbered('no', size)) == 452
    wait_until(lambda: site.get('/health')[0] == 503, 5)
    assert len(site.queue()) == len(taken)
    # Nothing is lost by a restart on a full disk, and what is there drains.
    site.stop()
    with open(site.config, encoding='utf-8') as f:
        site.write('posthouse.conf', f.read().replace('route far.example hold\n', ''))
    site.start()
    wait_until(lambda: len(sink.got) >= len(taken), 60, 0.1)
    site.wait_queue_empty(30)
    assert {last_line(c) for _, c in sink.got} == set(taken) and len(sink.got) == len(taken)

    def taken_again():
        """mail is taken again by itself"""
        with Bulk(site.port) as b:
            return b.send('alice@example.org', 'y@near.example', numbered('again', 20000)) == 250
    wait_until(taken_again, 30, 0.5)
    wait_until(lambda: any(last_line(c) == 'again' for _, c in sink.got), 20)
    assert site.get('/health')[0] == 200


@root
def test_somebody_else_fills_the_disk_while_mail_flows(sites, mounts):
    """Senders go on while a file eats the disk and is removed again: acknowledged is delivered, the rest was told 452."""
    site = sites(TRUST, started=False, queue='segment 4M; reserve 4M; retry 1s .. 2s')
    mounts(f'{site.dir}/state', 60)
    site.start()
    acknowledged, codes, over = [], set(), threading.Event()

    def send(who):
        n = 0
        while not over.is_set():
            try:
                with Bulk(site.port) as b:
                    while not over.is_set():
                        n += 1
                        code = b.send('alice@example.org', 'bob@example.org', numbered(f'{who}-{n}', 3000))
                        codes.add(code)
                        if code == 250:
                            acknowledged.append(f'{who}-{n}')
                        time.sleep(0.01)
            except OSError:
                time.sleep(0.05)
    threads = [threading.Thread(target=send, args=(who,), daemon=True) for who in 'abcd']
    for t in threads:
        t.start()
    for _ in range(2):
        time.sleep(1)
        with open(f'{site.dir}/state/hog', 'wb', buffering=0) as f:
            try:
                while True:
                    f.write(b'x' * 65536)
            except OSError:
                pass
        wait_until(lambda: 452 in codes, 10)
        codes.clear()
        time.sleep(1)
        os.unlink(f'{site.dir}/state/hog')
        wait_until(lambda: 250 in codes, 20)
    over.set()
    for t in threads:
        t.join(20)
    wait_until(lambda: len(site.mailbox('bob')) >= len(acknowledged), 60, 0.3)
    assert sorted(map(last_line, site.mailbox('bob'))) == sorted(acknowledged)
    assert codes <= {250, 452}, codes


@root
def test_read_only_state(sites, mounts):
    site = sites(started=False)
    mounts(f'{site.dir}/state', 60)
    subprocess.run(['mount', '-o', 'remount,ro', f'{site.dir}/state'], check=True)
    said = refuses(site, (69, 73, 74, 77, 78), f'{site.dir}/state')
    assert len(said.splitlines()) == 1, said
    assert not open_port('127.0.0.1', site.port)


def test_state_can_not_be_made(sites):
    site = sites(started=False)
    with open(f'{site.dir}/state', 'w', encoding='utf-8') as f:
        f.write('a file')
    said = refuses(site, (69, 73, 74, 77, 78), f'{site.dir}/state')
    assert len(said.splitlines()) == 1, said


@pytest.mark.parametrize('what', ['queue', 'queue/big'])
def test_a_file_where_a_directory_belongs(sites, what):
    site = sites(started=False)
    os.makedirs(os.path.dirname(f'{site.dir}/state/{what}'), 0o700)
    with open(f'{site.dir}/state/{what}', 'w', encoding='utf-8') as f:
        f.write('a file')
    said = refuses(site, (69, 71, 73, 74, 77, 78), 'queue')
    assert what in said.splitlines()[-1] and 'could not start' in said.splitlines()[-1], said
    assert not open_port('127.0.0.1', site.port)


def test_state_vanishes_while_it_runs(sites):
    site = sites(TRUST)
    with Bulk(site.port) as b:
        assert b.send('alice@example.org', 'bob@example.org', numbered('before')) == 250
    site.wait_mail('bob')
    shutil.rmtree(f'{site.dir}/state/queue')
    codes = set()
    for n in range(40):
        with Bulk(site.port) as b:
            codes.add(b.send('alice@example.org', 'bob@example.org', numbered(f'm{n}', 500_000)))
    assert codes <= {250, 451, 452}
    site.stop()
    site.start()
    with Bulk(site.port) as b:
        assert b.send('alice@example.org', 'bob@example.org', numbered('after')) == 250
    wait_until(lambda: any(last_line(c) == 'after' for c in site.mailbox('bob')), 20)
