# test_maildir: mailboxes that can't be written to: mail waits with its reason, and is delivered once that is mended.
import os
import shutil
import subprocess

import pytest

from site_of_test import wait_until
from test_disk import mounts, root  # noqa: F401
from torment import TRUST, Bulk, last_line, numbered


@pytest.fixture
def slow(sites):
    return sites(TRUST, queue='segment 4M; reserve 1M; retry 60s .. 60s')


def send(site, name, size=0, to='bob@example.org'):
    with Bulk(site.port) as b:
        assert b.send('alice@example.org', to, numbered(name, size)) == 250


def deferred(site, *words):
    def told():
        queue = site.queue()
        return queue and queue[0]['recipients'][0]['state'] == 'deferred' and queue[0]['recipients'][0]['delay_reason']
    reason = wait_until(told, 20, 0.1)
    assert any(w in reason for w in words), reason
    shown = site.run('queue', 'list').stdout
    assert reason[:30] in shown
    return reason


def mended(site, n=1):
    site.run('queue', 'retry', '--all')
    site.wait_mail('bob', n)
    site.wait_queue_empty()
    assert site.mailbox('alice') == []


def test_mailbox_is_a_file(slow):
    box = f'{slow.dir}/mail/example.org/bob'
    os.makedirs(os.path.dirname(box), exist_ok=True)
    with open(box, 'w', encoding='utf-8') as f:
        f.write('an mbox of old')
    send(slow, 'one')
    deferred(slow, 'irectory')
    os.unlink(box)
    mended(slow)


@pytest.mark.parametrize('part', ['new', 'tmp'])
def test_part_of_the_mailbox_is_a_file(slow, part):
    box = f'{slow.dir}/mail/example.org/bob'
    os.makedirs(box)
    with open(f'{box}/{part}', 'w', encoding='utf-8') as f:
        f.write('x')
    send(slow, 'one')
    deferred(slow, 'irectory')
    os.unlink(f'{box}/{part}')
    mended(slow)


def test_mailbox_is_a_link_out_of_the_tree(slow, tmp_path):
    """Delivery never leaves the directory that the configuration names, whoever puts a link there."""
    os.makedirs(f'{slow.dir}/mail/example.org', exist_ok=True)
    os.symlink(tmp_path, f'{slow.dir}/mail/example.org/bob')
    send(slow, 'one')
    deferred(slow, 'ermission', 'link', 'levels', 'device', 'denied')
    assert os.listdir(tmp_path) == []
    os.unlink(f'{slow.dir}/mail/example.org/bob')
    mended(slow)


def test_link_that_leads_nowhere_and_round(slow):
    os.makedirs(f'{slow.dir}/mail/example.org', exist_ok=True)
    box = f'{slow.dir}/mail/example.org/bob'
    os.symlink('bob', box)
    send(slow, 'one')
    deferred(slow, '')
    os.unlink(box)
    mended(slow)


@pytest.mark.skipif(os.getuid() == 0, reason='skipped: root may write anywhere')
def test_mailbox_not_writable(slow):
    box = f'{slow.dir}/mail/example.org/bob'
    os.makedirs(f'{box}/tmp')
    os.chmod(f'{box}/tmp', 0o500)
    send(slow, 'one')
    deferred(slow, 'ermission')
    os.chmod(f'{box}/tmp', 0o700)
    mended(slow)


@root
def test_mailboxes_are_full(slow, mounts):  # noqa: F811
    """A small file system: what fits is delivered, the rest waits and comes when there is room; no torn messages."""
    mounts(f'{slow.dir}/mail/example.org/bob', 1)
    for n in range(5):
        send(slow, f'm{n}', 400_000)
    wait_until(lambda: len(slow.mailbox('bob')) == 2, 20)
    deferred(slow, 'space', 'quota')
    box = f'{slow.dir}/mail/example.org/bob'
    assert os.listdir(f'{box}/tmp') == [], 'what did not fit was left behind'
    got = [last_line(c) for c in slow.mailbox('bob')]
    subprocess.run(['mount', '-o', 'remount,size=20M', box], check=True)
    slow.run('queue', 'retry', '--all')
    wait_until(lambda: len(slow.mailbox('bob')) == 5, 20)
    assert sorted(last_line(c) for c in slow.mailbox('bob')) == [f'm{n}' for n in range(5)] and got
    assert all(len(c) > 390_000 for c in slow.mailbox('bob'))
    slow.wait_queue_empty()


@root
def test_mailboxes_read_only(slow, mounts):  # noqa: F811
    box = f'{slow.dir}/mail/example.org/bob'
    mounts(box, 1)
    subprocess.run(['mount', '-o', 'remount,ro', box], check=True)
    send(slow, 'one')
    deferred(slow, 'ead-only')
    subprocess.run(['mount', '-o', 'remount,rw', box], check=True)
    mended(slow)


def test_mailbox_removed_while_mail_flows(sites):
    site = sites(TRUST, queue='segment 4M; reserve 1M; retry 1s .. 2s')
    box = f'{site.dir}/mail/example.org/bob'
    names, got = [], []
    with Bulk(site.port) as b:
        for n in range(40):
            if n % 10 == 9:
                wait_until(lambda: not site.queue(), 20, 0.05)
                got += map(last_line, site.mailbox('bob'))
                shutil.rmtree(box)
            assert b.send('alice@example.org', 'bob@example.org', numbered(f'm{n}')) == 250
            names.append(f'm{n}')
    site.wait_queue_empty(30)
    got += map(last_line, site.mailbox('bob'))
    assert sorted(got) == sorted(names)
