# test_explain.py: what was decided is told afterwards: refusals, deliveries, by a server that runs and by none.
import json
import os
import re

from site_of_test import wait_until
from wire import Wire

CONTENT = b'From: ann@example.net\r\nSubject: hello\r\n\r\nWords.\r\n'
RULES = '''policy mail {
    reject when sender = "spam@example.net" "this is refused"
}
'''


def told(site, what, *more, expect=0):
    return site.run('explain', what, *more, expect=expect).stdout


def records(site, what, *more):
    text = site.run('explain', what, '--json', *more, expect=None).stdout
    return [json.loads(line) for line in text.splitlines()]


def wait_records(site, what, n):
    def there():
        """the records are written"""
        return len(records(site, what)) >= n
    wait_until(there, 10, 0.1)
    return records(site, what)


def deliver(site, recipients=('alice@example.org',), sender='ann@example.net'):
    with Wire(site.port) as w:
        w.hello()
        reply = w.message(sender, recipients, CONTENT)[-1]
        w.say('QUIT')
    return re.search(r'[0-9A-HJKMNP-TV-Z]{13}', reply).group()


def test_delivered(site):
    """An accepted message and its deliveries are one story, by any of its names."""
    queue_id = deliver(site, ('alice@example.org', 'bob@example.org'))
    site.wait_mail('alice')
    wait_records(site, queue_id, 3)
    for name in (queue_id, queue_id.lower(), 'alice@example.org', 'ALICE@Example.org', '@example.org', 'ann@example.net'):
        story = told(site, name)
        assert f'Message {queue_id}' in story, name
        assert 'Delivered to <alice@example.org>' in story and 'Delivered to <bob@example.org>' in story
        assert 'from <ann@example.net>' in story and '127.0.0.1' in story
    assert 'client.example.net' in told(site, '127.0.0.0/8')
    site.stop()
    assert f'Message {queue_id}' in told(site, queue_id)
    site.start()
    second = deliver(site)
    wait_records(site, second, 2)
    both = told(site, 'alice@example.org')
    assert both.index(queue_id) < both.index(second)
    last = told(site, 'alice@example.org', '-n', '1')
    assert queue_id not in last and second in last and last.startswith('1 earlier')


def test_refused(sites):
    """A refusal names its rule, with the line of the configuration."""
    site = sites(RULES)
    with Wire(site.port) as w:
        w.hello()
        assert w.say('MAIL FROM:<spam@example.net>')[0] == 550
        w.expect(250, 'MAIL FROM:<ann@example.net>')
        assert w.say('RCPT TO:<nobody@example.org>')[0] == 550
        assert w.say('RCPT TO:<bob@example.com>')[0] in (550, 554)
        w.say('QUIT')
    wait_records(site, 'nobody@example.org', 2)
    story = told(site, 'spam@example.net')
    line = next(i for i, text in enumerate(open(site.config, encoding='utf-8'), 1) if 'reject when sender' in text)
    assert 'this is refused' in story and f'posthouse.conf:{line} ' in story
    assert re.search(r'<nobody@example.org> was .*refused', story) and '5.1.1' in story
    assert 'no rule' in told(site, 'nobody@example.org')
    refused = [r for r in records(site, 'spam@example.net') if r['sender'] == 'spam@example.net']
    assert refused[0]['rules'][-1]['line'] == line and refused[0]['code'] == 550


def test_recipients_that_policy_takes_away(sites):
    """Who was thrown away, held or sent elsewhere can be asked about, and so can the message of nobody."""
    site = sites('checks { loopback on; greet-wait 0s; dns-time 100ms }\npolicy content { tag seen }\npolicy recipient {\n'
                 '    discard when recipient = bob@example.org\n'
                 '    hold when recipient = "alice+held@example.org"\n'
                 '    redirect alice@example.org when recipient = "sales@example.org"\n}')
    gone = deliver(site, ('bob@example.org',))
    held = deliver(site, ('alice+held@example.org', 'alice@example.org'))
    other = deliver(site, ('sales@example.org',))
    wait_records(site, other, 2)
    story = told(site, gone)
    assert re.search(r'to <bob@example.org> was .*taken and thrown away', story) and 'decided by ' in story
    assert re.search(r'decided by +posthouse.conf:\d+ +discard when', story), story
    assert 'Z 127.0.0.1 ' in story
    story = told(site, held)
    assert 'held back' in story and re.search(r'decided by +posthouse.conf:\d+ +hold when', story), story
    assert 'held back' in told(site, 'alice+held@example.org')
    assert re.search(r'decided by +posthouse.conf:\d+ +redirect alice@example.org when', told(site, 'sales@example.org'))
    assert 'held by policy or a filter' in site.run('queue', 'show', held).stdout
    assert told(site, '[127.0.0.1]') == told(site, '127.0.0.1:1') == told(site, '127.0.0.1')
    site.run('explain', '', expect=64)


def test_nothing(site):
    done = site.run('explain', 'stranger@example.com', expect=67)
    assert 'nothing is known' in done.stderr
    site.run('explain', expect=64)
    site.run('explain', 'a', 'b', expect=64)
    site.run('explain', 'a', '-n', 'x', expect=64)


def test_off(sites):
    site = sites('history { size 0 }')
    queue_id = deliver(site)
    site.wait_mail('alice')
    assert 'there is no history' in site.run('explain', queue_id, expect=66).stderr
    assert not [p for p in site.json('status')['processes'] if p['name'].startswith('history')]


def test_damaged(site):
    """A torn end, a foreign file and garbage take nothing else away."""
    first = deliver(site)
    wait_records(site, first, 2)
    site.stop()
    history = os.path.join(site.dir, 'state', 'history')
    name = os.path.join(history, sorted(os.listdir(history))[-1])
    with open(name, 'ab') as f:
        f.write(b'\x40\0\0\0torn')
    for other, content in (('0000000000000000', b'garbage'), ('README', b'no segment'), ('ffff', b'')):
        with open(os.path.join(history, other), 'wb') as f:
            f.write(content)
    assert first in told(site, first)
    site.start()
    second = deliver(site)
    wait_records(site, second, 2)
    assert first in told(site, 'alice@example.org') and second in told(site, 'alice@example.org')


def test_killed(site):
    """Killed, it is started again and goes on; mail doesn't notice."""
    deliver(site)
    os.kill(next(p['pid'] for p in site.json('status')['processes'] if p['name'].startswith('history')), 9)
    wait_until(lambda: any(p['name'].startswith('history') for p in site.json('status')['processes']), 10, 0.1)
    queue_id = deliver(site)
    site.wait_mail('alice', 2)
    wait_until(lambda: records(site, deliver(site)) or None, 20, 0.5)
    assert queue_id


def test_reload(site):
    """One process writes history at any time: nothing is lost or written over by a reload."""
    ids = [deliver(site)]
    for _ in range(3):
        site.run('reload')
        ids.append(deliver(site))
    wait_records(site, ids[-1], 2)

    def all_there():
        """every message is told"""
        story = told(site, 'alice@example.org')
        return all(i in story for i in ids)
    wait_until(all_there, 10, 0.2)
    site.wait_mail('alice', 4)
    assert len(os.listdir(os.path.join(site.dir, 'state', 'history'))) == 1
