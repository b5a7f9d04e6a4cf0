# test_reload: a changed configuration while mail flows: taken when it is sound, refused when it is not, and nothing lost.
import signal
import smtplib
import threading
import time

from site_of_test import free_port, open_port, wait_until
from test_clients import send_by_hand
from test_crash import pids
from wire import Wire


def change(site, old, new):
    with open(site.config, encoding='utf-8') as f:
        text = f.read()
    assert old in text
    site.write('posthouse.conf', text.replace(old, new))


def answer_to(site, recipient):
    with smtplib.SMTP('127.0.0.1', site.port, timeout=10) as s:
        s.ehlo('client.example.net')
        s.mail('you@example.net')
        return s.rcpt(recipient)[0]


def one_of_each(site):
    """Only the new processes are left."""
    names = [p['name'] for p in site.json('status')['processes'] if p['state'] == 'ready']
    return len(names) == len(set(names)) == len(site.json('status')['processes']) and names


def test_a_new_configuration_is_taken(site):
    before = set(pids(site).values())
    assert answer_to(site, 'carol@example.net') == 550
    change(site, 'domain example.org', f'domain example.net {{ recipients any\n deliver maildir "{site.dir}/net/{{local}}" }}\n'
                                       'domain example.org')
    site.run('reload')
    wait_until(lambda: answer_to(site, 'carol@example.net') == 250, 10, 0.1)
    assert answer_to(site, 'alice@example.org') == 250
    wait_until(lambda: one_of_each(site), 20, 0.1)
    assert not before & set(pids(site).values())
    assert site.json('status')['reloads'] == 1
    send_by_hand(site)
    site.wait_mail('alice')


def test_a_hangup_reloads(site):
    change(site, 'listen mx', 'limit { command-line 512 }\nlisten mx')
    site.process.send_signal(signal.SIGHUP)
    wait_until(lambda: site.json('status')['reloads'] == 1 and one_of_each(site), 20, 0.1)
    with Wire(site.port) as w:
        w.hello()
        w.expect(500, 'NOOP ' + 'x' * 600)


def test_a_mistake_is_refused_and_all_goes_on(site):
    before = pids(site)
    change(site, 'listen mx', 'listn mx')
    said = site.run('reload', expect=78)
    assert ':' in said.stderr and 'did you mean "listen"' in said.stderr
    change(site, 'listn mx', 'listen mx')
    assert pids(site) == before
    send_by_hand(site)
    site.wait_mail('alice')


def test_what_cannot_change_is_refused(site):
    change(site, f'state {site.dir}/state', f'state {site.dir}/elsewhere')
    change(site, 'hostname mx1', 'hostname mx2')
    said = site.run('reload', expect=78)
    assert '"state"' in said.stderr
    with Wire(site.port) as w:
        assert w.expect(220)[0].startswith('mx1.')


def test_ports_come_and_go(site):
    old, new = site.port, free_port()
    change(site, f'listen mx 127.0.0.1:{old}', f'listen mx 127.0.0.1:{new}')
    site.run('reload')
    site.port = new
    wait_until(lambda: open_port('127.0.0.1', new), 10)
    wait_until(lambda: not open_port('127.0.0.1', old), 10)
    send_by_hand(site)
    site.wait_mail('alice')


def test_a_session_in_hand_is_finished(site):
    """The old smtpd keeps its transaction while the new one takes whoever comes."""
    with Wire(site.port) as w:
        w.hello()
        w.envelope('you@example.net', 'alice@example.org')
        w.expect(354, 'DATA')
        w.send(b'Subject: half\r\n\r\n')
        site.run('reload')
        time.sleep(0.5)
        for _ in range(5):
            assert answer_to(site, 'alice@example.org') == 250
        w.send(b'the rest\r\n.\r\n')
        w.expect(250)
    assert b'the rest' in site.wait_mail('alice')[0]
    wait_until(lambda: one_of_each(site), 30, 0.2)


def test_mail_flows_during_reloads(site):
    """What was acknowledged arrives, however often the house is replaced meanwhile."""
    acknowledged, ended = [], threading.Event()

    def send():
        while not ended.is_set():
            n = len(acknowledged)
            try:
                with smtplib.SMTP('127.0.0.1', site.port, timeout=10) as s:
                    s.sendmail('you@example.net', ['alice@example.org'], f'Subject: {n}\r\n\r\nnumber {n}.\r\n')
                acknowledged.append(n)
            except (smtplib.SMTPException, OSError):
                time.sleep(0.02)

    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(3):
        site.run('reload', timeout=70)
        wait_until(lambda: one_of_each(site), 30, 0.2)
    ended.set()
    sender.join()
    assert len(acknowledged) > 10
    site.wait_queue_empty()
    there = b''.join(site.mailbox('alice'))
    assert not [n for n in acknowledged if b'number %d.' % n not in there]
