# test_gate_memory: what the server remembers of strangers, over restarts and kills: greylisting, rates, shut-outs,
# probing for recipients, and what people say of senders. Clients have addresses of 127.0.0.0/8, asked as strangers are.
import os
import signal
import time

from site_of_test import PASSWORDS, wait_until
from wire import Wire

STRANGERS = '''checks { loopback on; greet-wait 0s; dns-time 100ms }
policy connect { defer 421 4.7.0 when client.shut-out "shut out" }
policy helo { accept }
policy mail { accept }
policy content { accept }
'''
GREYLIST = STRANGERS + 'policy recipient { greylist unless proven }\ngreylist { wait 1s; window 1h; keep 10d }\n'
LENIENT = STRANGERS + 'policy recipient { accept }\n'
HELLO = b'From: bob@example.net\r\nSubject: hello\r\n\r\nhi\r\n'


def enter(site, source):
    w = Wire(site.port, source=source)
    w.hello()
    return w


def recipient(site, source, sender='bob@example.net', to='alice@example.org'):
    """The reply's code to RCPT."""
    with enter(site, source) as w:
        w.expect(250, f'MAIL FROM:<{sender}>')
        return w.say(f'RCPT TO:<{to}>')[0]


def policy_pid(site):
    return next(p['pid'] for p in site.json('status')['processes'] if p['name'] == 'policy')


def kill_policy(site):
    pid = policy_pid(site)
    time.sleep(1.5)  # what is promised to be kept
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: policy_pid(site) not in (0, pid), 10)


def entries(site, *what):
    got = site.json('sender', 'list', *what)
    return got[:-1] if isinstance(got, list) else []


# --- greylisting

def test_who_comes_back_is_let_in_over_a_restart(sites):
    site = sites(GREYLIST)
    assert recipient(site, '127.1.0.1') == 451
    assert recipient(site, '127.2.0.1') == 451
    assert recipient(site, '127.1.0.1') == 451  # too soon
    assert [e['state'] for e in entries(site, '127.1.0.1')] == ['waiting']
    assert 'passes' in site.run('sender', 'list', 'example.net').stdout
    time.sleep(1.1)
    assert recipient(site, '127.1.0.1') == 250
    time.sleep(1.2)
    site.stop()
    site.start()
    assert recipient(site, '127.1.0.1') == 250
    assert recipient(site, '127.1.0.77', to='bob@example.org') == 250  # its network, to anybody
    assert recipient(site, '127.2.0.1') == 250  # it had come before the restart
    assert recipient(site, '127.3.0.1') == 451
    assert site.metric('posthouse_greylist_total', result='wait') >= 1
    assert {'proven', 'waiting'} == {e['state'] for e in entries(site)}


def test_first_sights_survive_a_kill(sites):
    site = sites(GREYLIST)
    assert recipient(site, '127.1.0.1') == 451
    kill_policy(site)
    assert recipient(site, '127.1.0.1') == 250


def test_whom_our_users_wrote_to_is_let_in(sites):
    site = sites(GREYLIST, submission=True)
    assert recipient(site, '127.1.0.1', sender='carol@example.com') == 451
    with Wire(site.submissions_port, tls=True) as w:
        w.hello()
        w.login('alice', PASSWORDS['alice'])
        w.envelope('alice@example.org', 'carol@example.com')
        w.expect(354, 'DATA')
        w.send(b'From: alice@example.org\r\nSubject: hello\r\n\r\nhi\r\n.\r\n')
        w.expect(250)
    wait_until(lambda: 'wrote-to' in [e['state'] for e in entries(site, 'carol@example.com')])
    assert recipient(site, '127.2.0.1', sender='carol@example.com') == 250
    assert recipient(site, '127.2.0.1', sender='mallory@example.com') == 451


# --- rates

def test_rates_refuse_for_now(sites):
    site = sites(LENIENT + 'rate messages by client 2 per hour\nrate connections by network 9 per hour\n')
    for n in range(2):
        assert recipient(site, '127.1.0.1') == 250
    with enter(site, '127.1.0.1') as w:
        code, text = w.say('MAIL FROM:<bob@example.net>')
        assert code == 451 and 'too many messages from 127.1.0.1; try again in ' in ' '.join(text)
    assert recipient(site, '127.1.0.2') == 250
    assert recipient(site, '127.2.0.1') == 250
    for n in range(5):
        enter(site, '127.1.0.3').close()
    with Wire(site.port, source='127.1.0.4') as w:
        code, text = w.reply()
        assert code == 421 and 'too many connections from 127.1.0.0/24' in ' '.join(text)
    assert site.metric('posthouse_rates_refused_total', what='messages') == 1
    assert site.metric('posthouse_rates_refused_total', what='connections') >= 1
    wait_until(lambda: site.logged().count('rate-reached') == 2)


# --- shut-outs

def misbehave(site, source, times=6):
    with enter(site, source) as w:
        w.expect(250, 'MAIL FROM:<bob@example.net>')
        for n in range(times):
            if w.say(f'RCPT TO:<x{n}@example.com>')[0] not in (550, 421):
                break


def greeting(site, source):
    with Wire(site.port, source=source) as w:
        return w.reply()[0]


def test_misbehaviour_shuts_out_until_it_is_lifted(sites):
    site = sites(LENIENT + 'shutout { points 30; time 5m .. 1h; tarpit 0s .. 0s }\n')
    misbehave(site, '127.1.0.1')
    wait_until(lambda: 'client-shut-out' in site.logged())
    assert greeting(site, '127.1.0.1') == 421
    assert greeting(site, '127.1.0.2') == 220  # a neighbour
    kill_policy(site)
    assert greeting(site, '127.1.0.1') == 421
    one = entries(site, '127.1.0.1')[0]
    assert (one['kind'], one['state'], one['reason']) == ('address', 'shut-out', 'tried to relay: 6')
    assert site.metric('posthouse_shut_out') == 1
    assert 'shut-out' in site.run('sender', 'list').stdout
    site.run('sender', 'clear', '127.9.9.9', expect=66)
    assert site.run('sender', 'clear', '127.1.0.1').stdout == '1 entry cleared\n'
    assert greeting(site, '127.1.0.1') == 220


def test_errors_wait_before_a_shut_out(sites):
    site = sites(LENIENT + 'shutout { points 30; tarpit 300ms .. 300ms }\n')
    misbehave(site, '127.1.0.1', 3)
    with enter(site, '127.1.0.1') as w:
        begun = time.monotonic()
        w.expect(500, 'NONSENSE')
        assert time.monotonic() - begun >= 0.3


def test_people_block_and_allow(sites):
    site = sites(GREYLIST)
    assert site.run('sender', 'block', '127.1.0.0/24').stdout == '127.1.0.0/24 is blocked\n'
    assert greeting(site, '127.1.0.1') == 421
    site.run('sender', 'allow', '127.1.0.7')
    assert recipient(site, '127.1.0.7') == 250  # the narrower one, and no greylisting
    kill_policy(site)
    assert greeting(site, '127.1.0.1') == 421
    assert greeting(site, '127.1.0.7') == 220
    assert {(e['what'], e['state']) for e in entries(site)} >= {('127.1.0.0/24', 'blocked'), ('127.1.0.7', 'allowed')}
    site.run('sender', 'clear', '127.1.0.0/24')
    assert greeting(site, '127.1.0.1') == 220
    site.run('sender', 'block', 'no such thing', expect=65)
    site.run('sender', 'block', expect=64)
    site.run('sender', 'clear', expect=64)


def sender(site, host, address):
    """The reply to MAIL, and by which rule."""
    with enter(site, host) as w:
        return w.say(f'MAIL FROM:<{address}>')[0]


def test_people_block_names(sites):
    site = sites('checks { loopback on; greet-wait 0s; dns-time 100ms }\npolicy recipient { accept }\n')
    assert site.run('sender', 'block', 'Bad.Example').stdout == 'Bad.Example is blocked\n'
    site.run('sender', 'block', 'spam@free.example')
    site.run('sender', 'allow', 'good.bad.example')
    site.run('sender', 'allow', 'ham@free.example', expect=65)
    assert {(e['what'], e['state'], e['kind']) for e in entries(site)} == {
        ('bad.example', 'blocked', 'domain'), ('spam@free.example', 'blocked', 'mailbox'), ('good.bad.example', 'allowed', 'domain')}
    kill_policy(site)
    asked = {a: sender(site, '127.1.0.1', a) for a in ('a@bad.example', 'a@x.bad.example', 'a@good.bad.example',
                                                       'spam@free.example', 'ham@free.example')}
    assert [code for code in asked.values()] == [550, 550, 250, 550, 250], asked
    wait_until(lambda: 'sender.blocked' in site.run('explain', 'a@x.bad.example', expect=None).stdout, 10, 0.2)
    story = site.run('explain', 'a@x.bad.example').stdout
    assert 'reject 550 5.7.1 when sender.blocked' in story and 'mail from a@x.bad.example is blocked here' in story
    assert site.run('sender', 'clear', 'bad.example').stdout == '1 entry cleared\n'
    assert sender(site, '127.1.0.1', 'a@bad.example') == 250


# --- probing

def test_probing_for_recipients_is_noticed(sites):
    site = sites(LENIENT + 'shutout { points 0 }\nlimit errors 1000\n')
    with enter(site, '127.1.0.1') as w:
        w.expect(250, 'MAIL FROM:<bob@example.net>')
        for n in range(15):
            w.expect(550, f'RCPT TO:<user{n}@example.org>')
    wait_until(lambda: 'recipient-probing' in site.logged())
    assert site.metric('posthouse_recipient_probings_total') == 1  # one host is no network that shares the work
    assert site.metric('posthouse_volume_hour', what='unknown') == 15


def test_a_reload_or_a_kill_is_no_way_around_a_rate(sites):
    site = sites(LENIENT + 'rate messages by client 2 per hour\n')
    with enter(site, '127.1.0.1') as w:
        for code in (250, 250, 451):
            w.expect(code, 'MAIL FROM:<bob@example.net>')
            w.say('RSET')
    for again in (lambda: site.run('reload'), lambda: kill_policy(site)):
        pid = policy_pid(site)
        again()
        wait_until(lambda: policy_pid(site) not in (0, pid), 10)
        with enter(site, '127.1.0.1') as w:
            assert 'too many messages from 127.1.0.1' in w.expect(451, 'MAIL FROM:<bob@example.net>')[0]


def test_who_errs_on_is_shut_out_in_the_session(sites):
    site = sites(LENIENT + 'shutout { points 6; tarpit 0s .. 0s }\n')
    with enter(site, '127.1.0.1') as w:
        w.expect(250, 'MAIL FROM:<bob@example.net>')
        for n in range(6):
            w.expect(550, f'RCPT TO:<user{n}@example.org>')
        assert 'misbehaved too often' in w.expect(421)[0]


def test_good_mail_is_counted(sites):
    site = sites(LENIENT)
    with enter(site, '127.1.0.1') as w:
        w.envelope('bob@example.net', 'alice@example.org')
        w.expect(354, 'DATA')
        w.send(HELLO + b'.\r\n')
        w.expect(250)
    one = wait_until(lambda: entries(site, '127.1.0.1'))[0]
    assert (one['state'], one['good'], one['points']) == ('seen', 1, 0)
    assert site.metric('posthouse_volume_hour', what='in') == 1
    assert 'good message' in site.run('sender', 'list', '127.1.0.1').stdout
