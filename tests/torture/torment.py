# torment: what the tests of this folder share: bulk senders, looks at processes from the kernel's side, odd SMTP servers.
import os
import re
import socket
import threading
import time

from site_of_test import BINARY, ENV, wait_until
from test_crash import pids

# Freed memory stays in a sanitizer's quarantine: memory could not be seen to come back.
ENV['ASAN_OPTIONS'] += ':quarantine_size_mb=4:thread_local_quarantine_size_kb=64:malloc_context_size=4'
SANITIZED = b'__asan_init' in open(BINARY, 'rb').read() if os.path.exists(BINARY) else False
SCALE = float(os.environ.get('POSTHOUSE_TORTURE_SCALE', '1'))
TRUST = 'relay from 127.0.0.0/8'


def rss(pid):
    """Resident kilobytes."""
    with open(f'/proc/{pid}/status', encoding='utf-8') as f:
        return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))


def descriptors(site):
    """Role to how many descriptors it has open; master too."""
    found = dict(pids(site), master=site.process.pid)
    return {role: len(os.listdir(f'/proc/{pid}/fd')) for role, pid in found.items()}


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def at_rest(site, seconds=20):
    """Descriptors when the start is over: spare segments are there, every process is wired."""
    seen = [descriptors(site)]

    def same():
        time.sleep(0.7)
        seen.append(descriptors(site))
        return seen[-1] == seen[-2]
    wait_until(same, seconds)
    return seen[-1]


def open_files(pid):
    names = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        try:
            names.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
        except OSError:
            pass
    return sorted(names)


def settled_descriptors(site, was, slack=2, seconds=15):
    """Waits until no process holds noticeably more descriptors than it `was` (caches and kept connections aside)."""
    def back():
        now = descriptors(site)
        return all(now.get(role, 10**6) <= n + slack for role, n in was.items())
    back.__doc__ = f'descriptors come back to {was}'
    try:
        wait_until(back, seconds, 0.2)
    except AssertionError:
        more = {role: open_files(pid) for role, pid in pids(site).items() if len(open_files(pid)) > was[role] + slack}
        raise AssertionError(f'descriptors were {was}, now: {more}') from None


class Bulk:
    """A quick client: pipelines a whole transaction, in BDAT. Gives the code of each message."""

    def __init__(self, port, timeout=30):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile('rb')
        self._code()
        self.socket.sendall(b'EHLO bulk.example.net\r\n')
        self._code()

    def _code(self):
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError('hung up')
            if line[3:4] != b'-':
                self.last = line.decode('utf-8', 'replace').strip()
                return int(line[:3])

    def send(self, sender, recipient, content):
        self.socket.sendall(b'MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBDAT %d LAST\r\n' %
                            (sender.encode(), recipient.encode(), len(content)) + content)
        codes = [self._code(), self._code(), self._code()]
        return max(codes)

    def many(self, sender, recipients, content, window=50):
        """A message to each of them, `window` in flight; gives how many were taken."""
        sent = taken = 0
        pending = 0
        recipients = list(recipients)
        while sent < len(recipients) or pending:
            batch = recipients[sent:sent + window]
            self.socket.sendall(b''.join(b'MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBDAT %d LAST\r\n' %
                                         (sender.encode(), r.encode(), len(content)) + content for r in batch))
            for _ in batch:
                taken += max(self._code(), self._code(), self._code()) < 300
            sent += len(batch)
        return taken

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def take(site, sender, recipients, content):
    """By 20 sessions at once, since each message of a session waits for its own sync."""
    shares, taken = [recipients[n::20] for n in range(20)], []

    def send(share):
        with Bulk(site.port, 120) as b:
            taken.append(b.many(sender, share, content, 20))
    threads = [threading.Thread(target=send, args=(share,)) for share in shares]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(taken)


def numbered(name, size=0):
    """A message that tells which one it is by its last line."""
    filler = (b'x' * 76 + b'\r\n') * (size // 78)
    return b'Subject: %s\r\n\r\n%s%s\r\n' % (name.encode(), filler, name.encode())


def last_line(content):
    return content.rstrip().rsplit(b'\n', 1)[-1].decode('utf-8', 'replace')


class Server:
    """A TCP server on a port of its own that runs `talk(connection, number)` in a thread for each connection."""

    def __init__(self, talk, host='127.0.0.1', port=0):
        self.talk, self.connections, self.over = talk, 0, threading.Event()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(200)
        self.host, self.port = host, self.listener.getsockname()[1]
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.over.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(connection)
            threading.Thread(target=self._run, args=(connection, self.connections), daemon=True).start()

    def _run(self, connection, number):
        try:
            connection.settimeout(60)
            self.talk(connection, number)
        except (OSError, ValueError):
            pass
        finally:
            self.open.discard(connection)
            connection.close()

    def stop(self):
        self.over.set()
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def timed(what, *args, **more):
    began = time.monotonic()
    result = what(*args, **more)
    return time.monotonic() - began, result
