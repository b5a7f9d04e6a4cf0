# test_damage: segments of the queue log that somebody spoilt between a stop and a start. The server starts, says what it
# found, keeps it aside, and loses nothing but what was damaged.
import glob
import os
import random
import re

import pytest

from site_of_test import wait_until
from torment import TRUST, Bulk, numbered, take

N = 300


@pytest.fixture
def stopped(sites):
    """A site that was stopped with N held messages, many times a segment's worth of nothing else."""
    site = sites(f'{TRUST}\nroute * hold', queue='segment 1M; reserve 1M')
    assert take(site, 'alice@example.org', [f'r{n}@far.example' for n in range(N)], numbered('m', 7000)) == N
    site.stop()
    return site


def begin(site):
    """Starts it, and waits until the log has been read."""
    opened = site.logged().count('queue-open')
    site.start()
    wait_until(lambda: site.logged().count('queue-open') > opened)


def segments(site):
    return sorted(glob.glob(f'{site.dir}/state/queue/log-*'))


def held(site):
    return {m['recipients'][0]['address'] for m in site.queue()}


def reported(site):
    return [line for line in site.logged().splitlines() if re.search(r'log-(segment-)?(damaged|gone)', line)]


def kept(site):
    return glob.glob(f'{site.dir}/state/queue/damaged-*')


def readable(site):
    """Every message that is listed can be shown, header and all."""
    for m in site.queue()[::25]:
        assert 'Subject: m' in site.run('queue', 'show', m['queue_id']).stdout


def test_bits_flipped_in_the_middle(stopped):
    names = segments(stopped)
    assert len(names) >= 3
    pick = random.Random(1)
    for name in names[:-1]:
        with open(name, 'r+b') as f:
            at = pick.randrange(20000, 900000)
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 0x10]))
    begin(stopped)
    assert N - len(names) <= len(held(stopped)) <= N
    assert len(reported(stopped)) >= N - len(held(stopped)) and len(kept(stopped)) >= N - len(held(stopped))
    assert len(held(stopped)) < N, 'no bit hit a record'
    readable(stopped)


def test_tail_cut_off(stopped):
    name = segments(stopped)[0]
    os.truncate(name, os.path.getsize(name) // 2)
    begin(stopped)
    assert len(reported(stopped)) == 2 and N * 0.5 < len(held(stopped)) < N
    readable(stopped)


def test_last_segment_cut_off(stopped):
    name = [n for n in segments(stopped) if any(open(n, 'rb').read(65536)[8192:])][-1]
    os.truncate(name, 60000)
    begin(stopped)
    assert N * 0.5 < len(held(stopped)) < N
    readable(stopped)


def test_header_zeroed(stopped):
    with open(segments(stopped)[1], 'r+b') as f:
        f.write(b'\0' * 16384)
    begin(stopped)
    assert reported(stopped) and N * 0.4 < len(held(stopped)) < N
    assert kept(stopped), os.listdir(f'{stopped.dir}/state/queue')
    readable(stopped)


def test_header_garbage(stopped):
    with open(segments(stopped)[1], 'r+b') as f:
        f.write(random.Random(2).randbytes(16384))
    begin(stopped)
    assert reported(stopped) and kept(stopped) and N * 0.4 < len(held(stopped)) < N
    readable(stopped)


def test_garbage_appended_and_unknown_files(stopped):
    for name in segments(stopped):
        with open(name, 'ab') as f:
            f.write(random.Random(3).randbytes(10000))
    queue = f'{stopped.dir}/state/queue'
    for name in ('README', 'log-', 'log-zzzzzzzzzzzzzzzz', 'log-00000000000000ff.bak', 'spare-x', 'big/notes', '.hidden'):
        with open(f'{queue}/{name}', 'wb') as f:
            f.write(b'of somebody else')
    begin(stopped)
    assert len(held(stopped)) == N
    readable(stopped)
    for name in ('README', 'log-', 'log-zzzzzzzzzzzzzzzz', 'log-00000000000000ff.bak', 'spare-x', 'big/notes', '.hidden'):
        assert os.path.exists(f'{queue}/{name}'), f'{name} is gone'


def test_empty_segment(stopped):
    name = segments(stopped)[1]
    os.truncate(name, 0)
    begin(stopped)
    assert N * 0.4 < len(held(stopped)) < N
    assert reported(stopped), stopped.logged()[-2000:]
    readable(stopped)


def test_segment_gone(stopped):
    os.unlink(segments(stopped)[1])
    begin(stopped)
    assert N * 0.4 < len(held(stopped)) < N
    assert reported(stopped), stopped.logged()[-2000:]
    readable(stopped)


def test_garbage_everywhere_and_again(stopped):
    """Ten starts, each after more damage: never a refusal to start, never a message that was not sent."""
    pick = random.Random(4)
    before = N
    for _ in range(6):
        names = segments(stopped)
        for _ in range(5):
            with open(pick.choice(names), 'r+b') as f:
                f.seek(pick.randrange(0, 1000000))
                f.write(pick.randbytes(pick.choice([1, 8, 500])))
        begin(stopped)
        now = held(stopped)
        assert len(now) <= before and all(re.fullmatch(r'r\d+@far\.example', r) for r in now)
        before = len(now)
        with Bulk(stopped.port) as b:
            assert b.send('alice@example.org', f'r{N}@far.example', numbered('m0', 7000)) == 250
        before += 1
        readable(stopped)
        stopped.stop()
    assert before > N * 0.5
