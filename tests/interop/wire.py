# wire: an SMTP client that sends exactly the bytes it is told, and the comparison of what arrived with what was sent.
import base64
import re
import socket
import ssl


class Wire:
    """A conversation. Replies are (code, lines of text without the code)."""

    def __init__(self, port, host='127.0.0.1', timeout=20, source=None, tls=False):
        self.socket = socket.create_connection((host, port), timeout, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile('rb')
        if tls:
            self.handshake()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """The next reply; (0, []) when the server has hung up."""
        lines = []
        while True:
            line = self.file.readline(4096)
            if not line:
                return 0, lines
            assert re.match(rb'[2-5][0-9][0-9][ -].*\r\n$|[2-5][0-9][0-9]\r\n$', line), f'no reply line: {line!r}'
            lines.append(line[4:].rstrip(b'\r\n').decode())
            if line[3:4] != b'-':
                return int(line[:3]), lines

    def say(self, line):
        self.send(line + '\r\n' if isinstance(line, str) else line + b'\r\n')
        return self.reply()

    def expect(self, code, line=None):
        """Says a line (or nothing) and insists on the code, or on one of several."""
        got, text = self.say(line) if line is not None else self.reply()
        wanted = code if isinstance(code, tuple) else (code,)
        assert got in wanted, f'{line!r}: {got} {text}, not {code}'
        return text

    def hello(self, name='client.example.net'):
        self.expect(220)
        return self.expect(250, f'EHLO {name}')

    def envelope(self, sender, *recipients):
        self.expect(250, f'MAIL FROM:<{sender}>')
        for r in recipients:
            self.expect(250, f'RCPT TO:<{r}>')

    def message(self, sender, recipients, content):
        """A whole transaction; `content` has CRLF and is stuffed with dots here. Gives the last reply's text."""
        self.envelope(sender, *recipients)
        self.expect(354, 'DATA')
        self.send(stuffed(content) + b'.\r\n')
        return self.expect(250)

    def starttls(self):
        self.expect(220, 'STARTTLS')
        self.handshake()

    def handshake(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.file.close()
        self.socket = context.wrap_socket(self.socket, server_hostname='mx1.example.org')
        self.file = self.socket.makefile('rb')

    def login(self, user, password):
        """AUTH PLAIN, over TLS."""
        response = base64.b64encode(f'\0{user}\0{password}'.encode()).decode()
        self.expect(235, f'AUTH PLAIN {response}')

    def is_closed(self):
        """Whether the server hangs up, whatever it says before."""
        try:
            while self.file.readline(4096):
                pass
            return True
        except (ConnectionResetError, ssl.SSLError, BrokenPipeError):
            return True
        except socket.timeout:
            return False


def stuffed(content):
    """Dot-stuffed (RFC 5321 4.5.2), ending in CRLF."""
    assert content.endswith(b'\r\n')
    return re.sub(rb'(?m)^\.', b'..', content)


def crlf(text):
    return re.sub(rb'\r?\n', b'\r\n', text)


ADDED = (b'return-path', b'delivered-to', b'x-original-to', b'received', b'authentication-results')


def split_added(stored):
    """(header fields added by the way, the rest): the fields on top that a server adds, unfolded and as (name, value)."""
    added, rest = [], stored
    while True:
        field = re.match(rb'([!-9;-~]+):((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)', rest)
        if not field or field.group(1).lower() not in ADDED:
            return added, rest
        value = re.sub(rb'\r?\n[ \t]+', b' ', field.group(2)).strip()
        added.append((field.group(1).lower().decode(), value.decode('utf-8', 'replace')))
        rest = rest[field.end():]


def arrived_as_sent(stored, sent):
    """Insists that `stored`, from a Maildir, is `sent` with only header fields added on top; gives those.

    Line ends are LF in a Maildir; everything else is the same byte for byte. Fields of the same names that were in the
    message before are not confused with added ones: the rest is found by its length.
    """
    sent = sent.replace(b'\r\n', b'\n')
    assert stored.endswith(sent), _difference(stored, sent)
    added, rest = split_added(stored[:len(stored) - len(sent)] + b'\n')
    assert rest == b'\n', f'neither sent nor a field of ours: {rest!r}'
    return added


def _difference(stored, sent):
    rest = split_added(stored)[1]
    for n, (a, b) in enumerate(zip(rest, sent)):
        if a != b:
            return f'differs at byte {n}: stored {rest[max(0, n - 30):n + 50]!r}, sent {sent[max(0, n - 30):n + 50]!r}'
    return f'stored {len(rest)} bytes, sent {len(sent)}; ends {rest[-60:]!r} and {sent[-60:]!r}'


def check_added(added, sender, recipient, protocol=r'(UTF8SMTP|E?SMTP)S?A?', hostname='mx1.example.org'):
    """Insists on Return-Path, Delivered-To and one Received of ours (RFC 5321 4.4)."""
    fields = {}
    for name, value in added:
        fields.setdefault(name, []).append(value)
    assert fields.get('return-path') == [f'<{sender}>'], fields
    assert fields.get('delivered-to') == [recipient], fields
    received = fields.get('received', [])
    assert len(received) == 1, fields
    assert re.search(rf'^from \S+ \(.*\[127\.0\.0\.1\]\).* by {re.escape(hostname)} .*with {protocol} id \S+.*; '
                     r'\w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}', received[0]), received[0]
