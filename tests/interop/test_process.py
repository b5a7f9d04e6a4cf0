# test_process: starting, stopping and refusing to start: one clear line, the right exit code, nothing half done.
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from site_of_test import BINARY, ENV, free_port, open_port, wait_until
from test_clients import PLAIN, send_by_hand
from test_crash import pids
from wire import Wire


def refuses(site, code, *words, command=('run',)):
    """Insists that the command ends with that code and one line that has all of these words."""
    done = subprocess.run([BINARY, *command, '-c', site.config], capture_output=True, text=True, timeout=20, env=ENV,
                          cwd=site.dir)
    said = (done.stdout + done.stderr).strip()
    codes = code if isinstance(code, tuple) else (code,)
    assert done.returncode in codes, f'exit {done.returncode}, not {code}: {said}'
    for word in words:
        assert word in said, f'{word!r} is not in: {said}'
    return said


@pytest.mark.parametrize('by', [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly(sites, by):
    site = sites()
    children = list(pids(site).values())
    assert len(children) >= 7, pids(site)
    send_by_hand(site)
    site.wait_mail('alice')
    began = time.monotonic()
    site.stop(by)
    assert time.monotonic() - began < 6
    assert not any(os.path.exists(f'/proc/{p}') for p in children)
    assert not open_port('127.0.0.1', site.port)
    assert not os.path.exists(f'{site.dir}/control.sock')


def test_ctrl_c_reaches_the_whole_group(sites):
    """The terminal's Ctrl-C goes to every process of the group at once."""
    site = sites(started=False)
    site.log, site.out = open(f'{site.dir}/log', 'ab'), open(f'{site.dir}/out', 'ab')
    site.process = subprocess.Popen([BINARY, 'run', '-c', site.config], stdin=subprocess.DEVNULL, stdout=site.out,
                                    stderr=site.log, env=ENV, cwd=site.dir, start_new_session=True)
    wait_until(lambda: open_port('127.0.0.1', site.port), 20)
    wait_until(lambda: len(pids(site)) >= 7, 10)
    os.killpg(site.process.pid, signal.SIGINT)
    assert site.process.wait(10) == 0
    site.stop()


def test_sessions_hear_of_the_stop(site):
    with Wire(site.port) as w:
        w.hello()
        site.process.send_signal(signal.SIGTERM)
        code, _ = w.reply()
        assert code in (421, 0)
    site.stop()


def test_says_ready_and_is_quick(sites):
    site = sites()
    site.stop()
    began = time.monotonic()
    site.start()
    assert time.monotonic() - began < 5
    wait_until(lambda: f'127.0.0.1:{site.port}' in site.printed() + site.logged())


def test_port_in_use(sites):
    site = sites(started=False)
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', site.port))
        taken.listen()
        said = refuses(site, 69, f'127.0.0.1:{site.port}', 'in use')
    assert len(said.splitlines()) == 1, said
    assert not open_port('127.0.0.1', site.http_port)
    assert not os.path.exists(f'{site.dir}/control.sock')


def test_second_server_on_the_same_state(sites):
    site = sites()
    other = sites(started=False)
    with open(other.config, encoding='utf-8') as f:
        text = f.read().replace(f'state {other.dir}/state', f'state {site.dir}/state')
    other.write('posthouse.conf', text)
    said = refuses(other, (69, 73, 75, 78), f'{site.dir}/state')
    assert len(said.splitlines()) == 1, said
    send_by_hand(site)
    site.wait_mail('alice')


@pytest.mark.parametrize('missing', ['cert.pem', 'key.pem', 'users'])
def test_missing_file(sites, missing):
    site = sites(started=False)
    os.unlink(f'{site.dir}/{missing}')
    said = refuses(site, (66, 69, 72, 78), missing)
    assert len(said.splitlines()) <= 2, said
    refuses(site, (66, 69, 72, 78), missing, command=('check',))


def test_key_that_is_not_the_certificates(sites):
    site, other = sites(started=False), sites(started=False)
    with open(f'{other.dir}/key.pem', encoding='utf-8') as f:
        site.write('key.pem', f.read())
    refuses(site, (65, 69, 78), 'key', 'certificate', command=('check',))


def test_no_configuration_at_all(tmp_path):
    done = subprocess.run([BINARY, 'run', '-c', str(tmp_path / 'none.conf')], capture_output=True, text=True, timeout=20, env=ENV)
    assert done.returncode in (66, 78) and 'none.conf' in done.stderr and len(done.stderr.strip().splitlines()) == 1, done


# text appended to a good configuration: what the message must say (a place is line:column)
MISTAKES = [
    ('hostnam mx1.example.org', ['hostname']),
    ('limit { recipints 1000 }', ['recipients']),
    ('limit { recipients many }', ['number', 'many']),
    ('route example.com via', ['expected']),
    ('domain example.com { recipients nosuchtable; deliver relay }', ['nosuchtable']),
    ('domain example.com { recipients user; deliver relay }', ['users']),
    ('listen mx 127.0.0.1', ['port']),
    ('listen http 0.0.0.0:8080', ['loopback']),
    ('table x file "unended', ['"']),
    ('domain example.com {', ['}']),
    ('relay from 10.0.0.1/8', ['10.0.0.1/8', 'network']),
    ('timeout { command 5parsecs }', ['parsecs']),
]


@pytest.mark.parametrize('text,words', MISTAKES)
@pytest.mark.parametrize('command', ['check', 'run'])
def test_a_mistake_is_named_with_its_place(sites, text, words, command):
    site = sites(started=False)
    with open(site.config, 'a', encoding='utf-8') as f:
        f.write(text + '\n')
    with open(site.config, encoding='utf-8') as f:
        line = len(f.read().splitlines())
    said = refuses(site, 78, *words, command=(command,))
    place = re.search(r'posthouse\.conf:(\d+):(\d+): ', said)
    assert place and abs(int(place.group(1)) - line) <= 1, said


@pytest.mark.parametrize('net', ['0.0.0.0/0', '::/0', '0.0.0.0/1 128.0.0.0/1', '192.0.0.0/4', '2000::/3', '::ffff:0.0.0.0/96'])
def test_open_relay_is_refused_unless_asked_for(sites, net):
    site = sites(f'relay from {net}', started=False)
    refuses(site, 78, 'open relay', command=('check',))
    refuses(site, 78, 'open relay')
    asked = sites(f'relay from {net} yes-i-want-an-open-relay', started=False)
    if 'ffff' not in net:
        assert asked.run('check').returncode == 0


def test_a_route_back_to_ourselves_is_refused(sites):
    site = sites(started=False)
    with open(site.config, 'a', encoding='utf-8') as f:
        f.write(f'route example.com via 127.0.0.1:{site.port}\n')
    refuses(site, 78, 'ourselves', command=('check',))


def test_hangs_up_on_garbage_and_lives(site):
    for garbage in (b'\0' * 5000 + b'\r\n', b'\xff' * 100000, b'GET / HTTP/1.1\r\nHost: x\r\n\r\n' * 20, b'\x16\x03\x01\x02\x00' * 40):
        with Wire(site.port, timeout=10) as w:
            w.expect(220)
            try:
                w.send(garbage)
                w.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            assert w.is_closed()
    send_by_hand(site)
    site.wait_mail('alice')


def test_limits_of_sessions(sites):
    site = sites('limit { sessions-per-client 3 }')
    kept = []
    for _ in range(3):
        kept.append(Wire(site.port))
        kept[-1].expect(220)
    with Wire(site.port) as w:
        w.expect(421)
    for w in kept:
        w.close()
    wait_until(lambda: _greets(site), 5, 0.1)


def _greets(site):
    with Wire(site.port) as w:
        return w.reply()[0] == 220


def test_limits_within_a_session(sites):
    site = sites('limit { recipients 100; errors 5; messages-per-session 2; command-line 600 }')
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        for n in range(100):
            w.expect(250, f'RCPT TO:<alice+{n}@example.org>')
        w.expect(452, 'RCPT TO:<bob@example.org>')
        w.expect(250, 'RSET')
        w.expect(500, 'NOOP ' + 'x' * 700)
        w.message('you@example.net', ['alice@example.org'], PLAIN)
        w.message('you@example.net', ['alice@example.org'], PLAIN)
        code, _ = w.say('MAIL FROM:<you@example.net>')
        assert code == 421
    with Wire(site.port) as w:
        w.hello()
        codes = [w.say('NONSENSE')[0] for _ in range(5)]
        assert codes[:4] == [500] * 4 and codes[4] in (421, 500)
        assert codes[4] == 421 or w.say('NONSENSE')[0] in (421, 0)
        assert w.is_closed()


def test_header_too_large_and_too_many_hops(sites):
    site = sites('limit { header-size 20K; hops 30 }')
    with Wire(site.port) as w:
        w.hello()
        w.envelope('you@example.net', 'alice@example.org')
        w.expect(354, 'DATA')
        w.send(b'X-Long: ' + b'\r\n '.join([b'x' * 70] * 400) + b'\r\n\r\nbody\r\n.\r\n')
        w.expect(552)
        w.envelope('you@example.net', 'alice@example.org')
        w.expect(354, 'DATA')
        w.send(b'Received: from a by b; now\r\n' * 31 + b'\r\nbody\r\n.\r\n')
        w.expect(554)
        w.message('you@example.net', ['alice@example.org'], PLAIN)
    site.wait_mail('alice')


def test_http_only_on_loopback_and_free_ports_stay_free(site):
    assert not open_port('127.0.0.1', free_port())
    assert open_port('127.0.0.1', site.http_port)
