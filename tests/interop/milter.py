# milter: a filter for tests, in Python: it negotiates, keeps what it was told, and answers what a test says, right or
# wrong.
import socket
import struct
import threading
import time

from site_of_test import free_port

ALL, NOTHING = 0x1ff, 0


def packet(letter, data=b''):
    return struct.pack('>I', len(data) + 1) + letter + data


def header(letter, name, value, index=None):
    where = b'' if index is None else struct.pack('>I', index)
    return packet(letter, where + name.encode() + b'\0' + value.encode('latin-1') + b'\0')


class Milter:
    """answer(letter, data, milter) gives bytes to send (as they are), b'' for nothing, or None to hang up.

    told: [(letter, data)] of all connections; macros: {letter: {name: value}} of the last of each.
    """

    def __init__(self, answer=None, actions=ALL, steps=NOTHING, port=None):
        self.answer, self.actions, self.steps = answer or (lambda letter, data, milter: packet(b'c')), actions, steps
        self.told, self.macros, self.connections, self.failures = [], {}, 0, []
        self.port = port or free_port()
        self.listen = f'127.0.0.1:{self.port}'
        self.server = socket.create_server(('127.0.0.1', self.port), backlog=64)
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(s)
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            self._talk(s)
        except OSError:
            pass
        finally:
            s.close()
            self.open.discard(s)

    def _exactly(self, s, n):
        got = b''
        while len(got) < n:
            more = s.recv(n - len(got))
            if not more:
                raise OSError('closed')
            got += more
        return got

    def _talk(self, s):
        while True:
            n, = struct.unpack('>I', self._exactly(s, 4))
            data = self._exactly(s, n)
            letter, data = data[:1], data[1:]
            self.told.append((letter, data))
            if letter == b'D':
                words = data[1:].split(b'\0')
                self.macros[data[:1]] = {k.decode(): v.decode() for k, v in zip(words[::2], words[1::2])}
            if letter == b'Q':
                return
            if letter in b'DAK' or (letter == b'L' and self.steps & 0x80) or (letter == b'B' and self.steps & 0x80000):
                continue
            said = self.answer(letter, data, self)
            if letter == b'O' and said == packet(b'c'):
                said = packet(b'O', struct.pack('>III', 6, self.actions, self.steps))
            if said is None:
                return
            s.sendall(said)

    def letters(self):
        return b''.join(letter for letter, _ in self.told if letter != b'D').decode()

    def data(self, letter):
        return [d for got, d in self.told if got == letter]

    def stop(self):
        try:
            self.server.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        except OSError:
            pass
        self.server.close()
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def at(which, what, otherwise=packet(b'c')):
    """Answers `what` (bytes, None, or a function) to the packet `which`, and `otherwise` to all others."""
    def answer(letter, data, milter):
        if letter != which:
            return otherwise
        return what(letter, data, milter) if callable(what) else what
    return answer


def flood(text, seconds):
    """Answers with as much of `text` as is taken, for so long."""
    def answer(letter, data, milter):
        s = next(iter(milter.open))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            s.sendall(text)
        return None
    return answer


class PolicyServer:
    """A server of Postfix's policy delegation: `answer(attributes)` gives the action's words."""

    def __init__(self, answer):
        self.answer, self.asked, self.connections, self.port = answer, [], 0, free_port()
        self.listen = f'127.0.0.1:{self.port}'
        self.server = socket.create_server(('127.0.0.1', self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        with s, s.makefile('rb') as lines:
            asked = {}
            for line in lines:
                line = line.rstrip(b'\n')
                if line:
                    name, _, value = line.partition(b'=')
                    asked[name.decode()] = value.decode()
                    continue
                self.asked.append(asked)
                s.sendall(f'action={self.answer(asked)}\n\n'.encode())
                asked = {}

    def stop(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
