# test_cli: seeing and steering from the command line: status, queue, stop, version, config, check; plain and as JSON.
import json
import os
import re
import smtplib
import subprocess
import time

import pytest

from peers import Sink
from site_of_test import BINARY, ENV, wait_until
from test_clients import PLAIN, send_by_hand

COMMANDS = [['run'], ['check'], ['status'], ['queue'], ['queue', 'list'], ['queue', 'show'], ['queue', 'retry'],
            ['queue', 'delete'], ['stop'], ['version'], ['config'], ['user'], ['user', 'add'], ['dkim'], ['dkim', 'new'],
            []]


@pytest.fixture
def held(sites):
    """A site that trusts us and holds all foreign mail, with two messages in it."""
    site = sites('relay from 127.0.0.0/8\nroute * hold')
    send_by_hand(site, recipients=['a@one.example', 'b@one.example'])
    send_by_hand(site, sender='alice@example.org', recipients=['c@two.example'])
    wait_until(lambda: len(site.queue()) == 2, 10, 0.1)
    return site


@pytest.mark.parametrize('command', COMMANDS, ids=' '.join)
def test_help(command):
    done = subprocess.run([BINARY, *command, '--help'], capture_output=True, text=True, timeout=20, env=ENV)
    assert done.returncode == 0 and 'posthouse' in done.stdout and not done.stderr, done
    assert len(done.stdout.splitlines()) >= 3


def test_unknown_command_and_option(site):
    done = subprocess.run([BINARY, 'quue', 'list'], capture_output=True, text=True, timeout=20, env=ENV)
    assert done.returncode == 64 and '"queue"' in done.stderr, done
    assert subprocess.run([BINARY, 'status', '--no-such-thing'], capture_output=True, timeout=20, env=ENV).returncode == 64
    assert subprocess.run([BINARY], capture_output=True, timeout=20, env=ENV).returncode in (0, 64)


def test_version():
    root = os.path.join(os.path.dirname(__file__), '..', '..')
    with open(os.path.join(root, 'VERSION'), encoding='utf-8') as f:
        version = f.read().strip()
    plain = subprocess.run([BINARY, 'version'], capture_output=True, text=True, timeout=20, env=ENV, check=True).stdout
    assert version in plain
    as_json = subprocess.run([BINARY, 'version', '--json'], capture_output=True, text=True, timeout=20, env=ENV, check=True).stdout
    assert json.loads(as_json)['version'] == version


def test_check(site):
    assert 'ok' in site.run('check').stdout
    assert isinstance(json.loads(site.run('check', '--json').stdout), dict)


def test_config_effective_is_a_fixed_point(site):
    first = site.run('config', '--effective').stdout
    for word in ('hostname', 'mx1.example.org', 'limit', 'timeout', 'queue', 'route'):
        assert word in first, word
    site.write('again.conf', first)
    again = subprocess.run([BINARY, 'config', '--effective', '-c', f'{site.dir}/again.conf'], capture_output=True, text=True,
                           timeout=20, env=ENV, check=True).stdout
    assert [x for x in again.splitlines() if not x.startswith('#')] == [x for x in first.splitlines() if not x.startswith('#')]
    assert json.loads(site.run('config', '--effective', '--json').stdout)


def test_status(site):
    plain = site.run('status').stdout
    for role in ('smtpd', 'queue', 'relay', 'deliver', 'inject', 'resolver', 'lookup', 'control'):
        assert role in plain, plain
    assert f'127.0.0.1:{site.port}' in plain and f'process {site.process.pid}' in plain
    text = json.dumps(site.json('status'))
    for role in ('smtpd', 'queue', 'relay', 'deliver', 'inject', 'resolver', 'lookup', 'control'):
        assert f'"{role}"' in text, text
    assert str(site.process.pid) in text


def test_without_a_server_it_says_what_to_do(sites):
    site = sites(started=False)
    for command in (['status'], ['queue', 'list'], ['stop']):
        done = site.run(*command, expect=69)
        assert 'running' in done.stderr and 'posthouse run' in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) <= 2


def test_empty_queue(site):
    assert site.run('queue', 'list').stdout.strip() == 'Mail queue is empty'
    assert site.queue() == []


def test_queue_list(held):
    plain = held.run('queue', 'list').stdout
    for word in ('a@one.example', 'b@one.example', 'c@two.example', 'you@example.net', 'alice@example.org'):
        assert word in plain, plain
    listed = held.queue()
    for m in listed:
        assert {'queue_name', 'queue_id', 'arrival_time', 'message_size', 'sender', 'recipients'} <= set(m), m
        assert abs(m['arrival_time'] - time.time()) < 120
        assert m['message_size'] >= len(PLAIN)
        assert m['queue_name'] == 'hold'
        assert m['queue_id'] + '!' in plain
    assert sorted(r['address'] for m in listed for r in m['recipients']) == ['a@one.example', 'b@one.example', 'c@two.example']


def test_queue_show(held):
    one = held.queue()[0]
    shown = held.run('queue', 'show', one['queue_id']).stdout
    assert one['recipients'][0]['address'] in shown and one['sender'] in shown
    assert one['queue_id'] in json.dumps(held.json('queue', 'show', one['queue_id']))
    missing = held.run('queue', 'show', 'NOSUCHID', expect=None)
    assert missing.returncode not in (0, 70) and 'NOSUCHID' in missing.stderr


def test_queue_delete(held):
    listed = held.queue()
    held.run('queue', 'delete', listed[0]['queue_id'])
    wait_until(lambda: [m['queue_id'] for m in held.queue()] == [listed[1]['queue_id']], 5, 0.1)
    assert held.run('queue', 'delete', 'NOSUCHID', expect=None).returncode != 0
    held.stop()
    held.start()
    assert [m['queue_id'] for m in held.queue()] == [listed[1]['queue_id']], 'deleted mail is back after a restart'
    held.run('queue', 'delete', '--all')
    held.wait_queue_empty()


def test_queue_delete_by_domain(held):
    held.run('queue', 'delete', '--domain', 'one.example')
    wait_until(lambda: [m['recipients'][0]['address'] for m in held.queue()] == ['c@two.example'], 5, 0.1)


def test_what_is_held_stays_and_goes_when_released(sites, peer):
    """Released mail goes as if the `hold` were not written: by the next best route."""
    sink = peer(Sink)
    site = sites(f'relay from 127.0.0.0/8\nroute * via 127.0.0.1:{sink.port}\nroute example.com hold')
    send_by_hand(site, recipients=['a@example.com'])
    send_by_hand(site, recipients=['b@example.com'])
    held = wait_until(lambda: len(site.queue()) == 2 and site.queue(), 10, 0.1)
    site.stop()
    site.start()
    time.sleep(1)
    assert len(site.queue()) == 2 and not sink.got
    one = next(m for m in held if m['recipients'][0]['address'] == 'a@example.com')
    site.run('queue', 'retry', one['queue_id'])
    assert sink.wait()[0][0] == ['a@example.com']
    assert [m['recipients'][0]['address'] for m in site.queue()] == ['b@example.com']


def test_hold_taken_out_of_the_configuration(sites, peer):
    sink = peer(Sink)
    site = sites('relay from 127.0.0.0/8\nroute example.com hold')
    send_by_hand(site, recipients=['a@example.com'])
    wait_until(site.queue, 10, 0.1)
    with open(site.config, encoding='utf-8') as f:
        text = f.read()
    site.stop()
    site.write('posthouse.conf', text.replace('route example.com hold', f'route example.com via 127.0.0.1:{sink.port}'))
    site.start()
    site.run('queue', 'retry', '--all', expect=None)
    sink.wait()
    site.wait_queue_empty()


def test_queue_retry_does_not_wait(sites, peer):
    sink = peer(Sink, busy=['a'])
    site = sites(f'relay from 127.0.0.0/8\nroute example.com via 127.0.0.1:{sink.port}',
                 queue='segment 16M; reserve 1M; retry 1h .. 4h')
    send_by_hand(site, recipients=['a@example.com'])
    wait_until(lambda: 'try again' in json.dumps(site.queue()), 10, 0.1)
    sink.busy.clear()
    for how in (['--domain', 'nowhere.example'], ['--domain', 'example.com']):
        assert not sink.got
        site.run('queue', 'retry', *how)
        time.sleep(0.3)
    sink.wait()


def test_mailq(held):
    link = os.path.join(held.dir, 'mailq')
    os.symlink(BINARY, link)
    shown = subprocess.run([link, '-c', held.config], capture_output=True, text=True, timeout=20, env=ENV, check=True).stdout
    assert 'c@two.example' in shown


def test_stop(site):
    site.run('stop')
    assert site.process.wait(10) == 0
    assert site.run('status', expect=69)


def test_the_log_says_what_happened_and_no_peer_can_write_it(sites, peer):
    sink = peer(Sink)
    site = sites(f'log json\nrelay from 127.0.0.0/8\nroute example.com via 127.0.0.1:{sink.port}')
    with smtplib.SMTP('127.0.0.1', site.port, 'evil.example.net', timeout=20) as s:
        s.ehlo()
        s.docmd('NOOP', 'x" event="forged\x1b[31m')
        s.docmd('MAIL', 'FROM:<"a b\\" to=<root> status=sent"@example.net>')
        s.docmd('RCPT', 'TO:<a@example.com>')
        s.data(b'Subject: x\r\nMessage-ID: <a" status="forged>\r\n\r\nx\r\n')
    sink.wait()
    site.wait_queue_empty()
    site.stop()
    events = [json.loads(line) for line in site.logged().splitlines() if line.strip()]
    assert len(events) > 3
    by_session = [e for e in events if e.get('session')]
    by_queue = [e for e in events if e.get('id')]
    assert by_session and by_queue, events
    assert any('deliver' in json.dumps(e) and e.get('id') for e in events), events
    assert not re.search(r'[\x00-\x09\x0b-\x1f\x7f]', site.logged())


def test_text_log_has_a_line_an_event(sites):
    site = sites('log text')
    send_by_hand(site)
    site.wait_mail('alice')
    site.stop()
    for line in site.logged().splitlines():
        assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \w+\[\d+\] \S+', line), line
