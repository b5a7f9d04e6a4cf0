# test_socket_activation: what systemd does for a service, done by hand: sockets from 3 on, readiness, the watchdog.
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from site_of_test import BINARY, ENV, free_port, wait_until
from wire import Wire

# Puts the descriptors in place and becomes the server, as systemd's child does.
AS_SYSTEMD = '''
import os, sys
n = int(sys.argv[1])
given = [os.dup(int(fd)) for fd in sys.argv[2:2 + n]]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(given)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.closerange(3 + n, 256)
if os.environ['LISTEN_PID'] == 'own':
    os.environ['LISTEN_PID'] = str(os.getpid())
os.execv(sys.argv[2 + n], sys.argv[2 + n:])
'''


class Manager:
    """The part of systemd that a service meets."""

    def __init__(self, site):
        self.site = site
        self.path = f'{site.dir}/notify'
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path)
        self.notify.settimeout(20)
        self.said = []

    def start(self, *sockets, pid='own', **env):
        site = self.site
        fds = [s.fileno() for s in sockets]
        site.log, site.out = open(f'{site.dir}/log', 'ab'), open(f'{site.dir}/out', 'ab')
        env = dict(ENV, NOTIFY_SOCKET=self.path, LISTEN_FDS=str(len(fds)), LISTEN_PID=pid, LISTEN_FDNAMES='mx', **env)
        site.process = subprocess.Popen([sys.executable, '-c', AS_SYSTEMD, str(len(fds)), *map(str, fds), BINARY, 'run',
                                         '-c', site.config], stdin=subprocess.DEVNULL, stdout=site.out, stderr=site.log,
                                        env=env, pass_fds=fds, cwd=site.dir)
        return self

    def wait(self, what):
        """Reads notes until one has this line."""
        while True:
            note = self.notify.recv(4096).decode()
            self.said += note.splitlines()
            if what in note.splitlines():
                return

    def close(self):
        self.notify.close()


@pytest.fixture
def manager(sites):
    made = []

    def make(site):
        made.append(Manager(site))
        return made[-1]

    yield make
    for m in made:
        m.close()


def listening(port, host='127.0.0.1'):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(64)
    return s


def test_given_sockets_are_served(sites, manager):
    site = sites(started=False)
    with listening(site.port) as mx:
        early = Wire(site.port)  # connects before the server is there: nobody is turned away
        m = manager(site).start(mx)
        m.wait('READY=1')
        early.hello()
        early.close()
        with Wire(site.port) as w:
            w.hello()
        assert site.get('/health')[0] == 200  # a listener without a given socket is bound as always
        site.stop()
        # systemd still holds the socket: clients that come now wait for the next start.
        late = Wire(site.port)
        manager_again = Manager.__new__(Manager)
        manager_again.__dict__.update(m.__dict__)
        manager_again.start(mx).wait('READY=1')
        late.hello()
        late.close()
        site.stop()
        assert 'STOPPING=1' in read_rest(m)


def read_rest(m):
    m.notify.settimeout(0.2)
    try:
        while True:
            m.said += m.notify.recv(4096).decode().splitlines()
    except TimeoutError:
        return m.said


def test_a_socket_that_no_line_names_is_reported(sites, manager):
    site = sites(started=False)
    port = free_port()
    with listening(site.port) as mx, listening(port) as other:
        manager(site).start(mx, other).wait('READY=1')
        wait_until(lambda: re.search(rf'socket-not-used.*127\.0\.0\.1:{port}', site.logged()), 5)
        site.stop()


def test_sockets_for_another_process_are_left_alone(sites, manager):
    site = sites(started=False)
    with listening(free_port()) as other:
        manager(site).start(other, pid='1').wait('READY=1')
        with Wire(site.port) as w:
            w.hello()
        site.stop()
    assert 'socket-not-used' not in site.logged()


def test_reload_drops_and_takes_up_a_given_socket(sites, manager):
    site = sites(started=False)
    port = free_port()
    before = open(site.config, encoding='utf-8').read()
    with listening(site.port) as mx, listening(port) as second:
        site.write('posthouse.conf', before + f'listen mx 127.0.0.1:{port}\n')
        m = manager(site).start(mx, second)
        m.wait('READY=1')
        for text in (before, before + f'listen mx 127.0.0.1:{port}\n'):
            site.write('posthouse.conf', text)
            site.run('reload')
            m.wait('READY=1')
        with Wire(port) as w:
            w.hello()
        assert 'RELOADING=1' in m.said and any(line.startswith('MONOTONIC_USEC=') for line in m.said)
        site.stop()


def test_children_inherit_neither_sockets_nor_variables(sites, manager):
    site = sites(started=False)
    with listening(site.port) as mx:
        manager(site).start(mx).wait('READY=1')
        inode = os.stat(f'/proc/self/fd/{mx.fileno()}').st_ino
        for process in site.json('status')['processes']:
            try:
                environment = open(f'/proc/{process["pid"]}/environ', encoding='utf-8', errors='replace').read()
                holds = [os.stat(f'/proc/{process["pid"]}/fd/{fd}').st_ino
                         for fd in os.listdir(f'/proc/{process["pid"]}/fd')].count(inode)
            except PermissionError:
                continue
            assert process['name'] == 'master' or 'LISTEN_' not in environment
            assert process['name'] in ('master', 'smtpd') or holds == 0
        site.stop()


def test_the_watchdog_is_fed_and_sees_a_hang(sites, manager):
    site = sites(started=False)
    m = manager(site).start(WATCHDOG_USEC='400000')
    m.wait('READY=1')
    start = time.monotonic()
    for _ in range(5):
        m.wait('WATCHDOG=1')
    assert 0.5 < time.monotonic() - start < 2.5  # every 200 ms
    site.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(0.3)
        read_rest(m)
        with pytest.raises(TimeoutError):
            m.notify.recv(4096)
    finally:
        site.process.send_signal(signal.SIGCONT)
    m.notify.settimeout(10)
    m.wait('WATCHDOG=1')
    site.stop()


def test_no_watchdog_that_nobody_asked_for(sites, manager):
    site = sites(started=False)
    m = manager(site).start(WATCHDOG_USEC='100000', WATCHDOG_PID='1')
    m.wait('READY=1')
    time.sleep(0.3)
    assert 'WATCHDOG=1' not in read_rest(m)
    site.stop()
