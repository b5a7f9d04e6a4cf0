# test_submission_content: what becomes of a user's message on its way in: put right where RFC 6409 8 says so, and otherwise
# byte for byte as it was; only under addresses that belong to the user; large ones without large memory.
import random
import re
import smtplib
import ssl
import subprocess

import pytest

import site_of_test
from site_of_test import PASSWORDS, wait_until
from wire import Wire, split_added, stuffed

QUICK = 'lockout { delay 0ms .. 10ms }'
RIGHT = b'Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nFrom: alice@example.org\r\nMessage-ID: <a@b>\r\n'
DECLARED = b'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n'


def log_in(site, user='alice'):
    c = Wire(site.submissions_port, tls=True, timeout=120)
    c.hello()
    c.login(user, PASSWORDS[user])
    return c


def stored(mail):
    """A message from a Maildir without the fields on top that every server adds, with CRLF again."""
    return split_added(mail)[1].replace(b'\n', b'\r\n')


def through(site, c, content, sender='alice@example.org', n=1):
    """The n-th message of a site, as it arrives."""
    before = site.mailbox('bob')
    c.message(sender, ['bob@example.org'], content)
    new = [mail for mail in site.wait_mail('bob', n) if mail not in before]
    assert len(new) == 1
    return stored(new[0])


# --- what is added and left out

def test_made_right(sites):
    site = sites(QUICK, submission=True)
    with log_in(site) as c:
        got = through(site, c, b'Subject: hi\r\nBcc: carol@example.com,\r\n dave@example.com\r\nX: y\r\n\r\nhello\r\n')
        added = re.fullmatch(rb'Date: (.*)\r\nFrom: alice@example\.org\r\nMessage-ID: <(\S+@mx1\.example\.org)>\r\n'
                             rb'Subject: hi\r\nX: y\r\n\r\nhello\r\n', got)
        assert added, got
        assert re.fullmatch(rb'\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d \+0000', added.group(1))
        again = through(site, c, b'Subject: hi\r\n\r\nhello\r\n', n=2)
        assert added.group(2) not in again  # another message
        got = through(site, c, b'just text\r\n', n=3)
        assert re.fullmatch(rb'Date: .*\r\nFrom: .*\r\nMessage-ID: .*\r\n\r\njust text\r\n', got), got
        got = through(site, c, RIGHT.replace(b'alice@', b'alice@example.org, postmaster@') + b'\r\n', n=4)
        assert got == b'Sender: alice@example.org\r\n' + RIGHT.replace(b'alice@', b'alice@example.org, postmaster@') + b'\r\n'


def test_bare_line_ends(sites):
    """Port 25 refuses them by default; a user's program is helped."""
    site = sites(QUICK, submission=True)
    with log_in(site) as c:
        c.envelope('alice@example.org', 'bob@example.org')
        c.expect(354, 'DATA')
        c.send(RIGHT.replace(b'\r\n', b'\n') + b'\none\rtwo\n.\nthree\r\n.\r\n')
        c.expect(250)
        assert stored(site.wait_mail('bob')[0]) == RIGHT + b'\r\none\r\ntwo\r\n.\r\nthree\r\n'


def test_declares_utf8(sites):
    site = sites(QUICK, submission=True)
    with log_in(site) as c:
        body = 'Grüße, 馬\r\n'.encode()
        assert through(site, c, RIGHT + b'\r\n' + body) == DECLARED + RIGHT + b'\r\n' + body
        latin = RIGHT + b'\r\nGr\xfc\xdfe\r\n'
        assert through(site, c, latin, n=2) == latin
        typed = RIGHT + b'MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n' + body
        assert through(site, c, typed, n=3) == typed


def test_python_and_back(sites):
    """What smtplib's send_message makes arrives whole."""
    from email import message_from_bytes, policy
    from email.message import EmailMessage
    site = sites(QUICK, submission=True)
    message = EmailMessage()
    message['From'], message['To'], message['Subject'] = 'Alice <alice@example.org>', 'bob@example.org', 'Grüße'
    message.set_content('Überlang: ' + 'wort ' * 500 + '\n')
    message.add_attachment(bytes(range(256)) * 40, maintype='application', subtype='octet-stream', filename='x')
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL('127.0.0.1', site.submissions_port, timeout=20, context=context) as client:
        client.login('alice', PASSWORDS['alice'])
        client.send_message(message)
    got = message_from_bytes(site.wait_mail('bob')[0], policy=policy.default)
    assert got['Subject'] == 'Grüße' and got['Message-ID'] and got['Date']
    assert got.get_body().get_content() == message.get_body().get_content()
    assert next(got.iter_attachments()).get_content() == bytes(range(256)) * 40


# --- nothing else changes

def lines_of(body):
    """A body with its long lines broken as it is promised (a second pen: not the server's code)."""
    out = []
    for line in body.split(b'\r\n'):
        while len(line) > 998:
            blank = max(line.rfind(b' ', 798, 998), line.rfind(b'\t', 798, 998))
            at = blank + 1 if blank >= 0 else 998
            while blank < 0 and 995 < at and line[at] & 0xc0 == 0x80:
                at -= 1
            out.append(line[:at])
            line = line[at:]
        out.append(line)
    return b'\r\n'.join(out)


def random_message(r):
    names = [b'Subject', b'To', b'Cc', b'X-Odd', b'X-Received', b'Reply-To', b'References', b'List-Id']
    values = [b' text', b'', b'  two  blanks ', b' a,\r\n\tb', b' "quo\\"ted" (comment)', ' Grüße'.encode(), b'\r\n folded']
    header, dropped = [], []
    for _ in range(r.randrange(8)):
        header.append(r.choice(names) + r.choice([b':', b' :']) + r.choice(values) + b'\r\n')
    for _ in range(r.randrange(2)):
        dropped.append(r.choice([b'Bcc: x@example.com\r\n', b'BCC:\r\n', b'Resent-Bcc: y@example.com,\r\n z@example.com\r\n']))
    header += [RIGHT[:39], RIGHT[39:64], RIGHT[64:]]
    assert b''.join(header[-3:]) == RIGHT
    r.shuffle(header)
    kept = b''.join(header)
    for d in dropped:
        header.insert(r.randrange(len(header) + 1), d)
    pieces = [b'word', b' ', b'\t', b'.', b'From ', 'ü馬'.encode(), b'\xff', b'=', b'--boundary', b'x' * 300, b'\r\n', b'\r\n.',
              b'\r\n\r\n']
    count = r.choice([0, 5, 40, 400, 4000])
    body = b''.join(r.choice(pieces if r.random() < .5 else pieces[:5]) for _ in range(count)) + b'\r\n'
    return b''.join(header) + b'\r\n' + body, kept, body


def test_nothing_else_changes(sites):
    site = sites(QUICK, submission=True)
    r = random.Random(6409)
    with log_in(site) as c:
        for n in range(1, 61):
            sent, kept, body = random_message(r)
            got = through(site, c, sent, n=n)
            try:
                body.decode()
                declared = DECLARED if any(b > 127 for b in body) else b''
            except UnicodeDecodeError:
                declared = b''
            assert got == declared + kept + b'\r\n' + lines_of(body), f'message {n}: {sent!r}'


# --- who may send as whom

def refused(c, content, text):
    c.envelope('alice@example.org', 'bob@example.org')
    c.expect(354, 'DATA')
    c.send(stuffed(content) + b'.\r\n')
    assert c.expect(550) == [text]


def test_owners(sites):
    site = sites(QUICK + '''
table may inline { "bob = @far.example, press-*@example.com" "* = noreply@example.org" }
senders may
account bob { messages-per-hour 100 }''', submission=True)
    with log_in(site) as c:
        assert c.expect(550, 'MAIL FROM:<bob@example.org>') == ['5.7.1 alice may not send as bob@example.org']
        for sender in ('alice@example.org', 'ALICE@EXAMPLE.ORG', 'alice+tag@example.org', 'sales@example.org',
                       'postmaster@example.org', 'noreply@example.org', ''):
            c.expect(250, f'MAIL FROM:<{sender}>')
            c.expect(250, 'RSET')
        c.expect(550, 'MAIL FROM:<x@far.example>')
        refused(c, RIGHT.replace(b'alice@example.org', b'Boss <boss@example.org>') + b'\r\n',
                '5.7.1 alice may not send as boss@example.org')
        refused(c, RIGHT.replace(b'alice@', b'alice@example.org, bob@') + b'\r\n',
                '5.7.1 alice may not send as bob@example.org')
        refused(c, RIGHT + b'Sender: bob@example.org\r\n\r\n', '5.7.1 alice may not send as bob@example.org')
        refused(c, RIGHT + b'From: alice@example.org\r\n\r\n',
                '5.6.0 the message has 2 From fields; one is allowed')
    with log_in(site, 'bob') as c:
        for sender in ('x@far.example', 'press-1@example.com', 'noreply@example.org'):
            c.expect(250, f'MAIL FROM:<{sender}>')
            c.expect(250, 'RSET')
        c.expect(550, 'MAIL FROM:<press@example.com>')
    assert site.metric('posthouse_messages_refused_total', reason='sender') == 6
    wait_until(lambda: re.search(r'sender-refused .*user=alice from=bob@example\.org code=550', site.logged()), 5)


def test_account_any_sender(sites):
    site = sites(QUICK + '\naccount alice { senders any }', submission=True)
    with log_in(site) as c:
        got = through(site, c, RIGHT.replace(b'alice@', b'anybody@') + b'\r\n', sender='someone@example.com')
        assert got.startswith(RIGHT.replace(b'alice@', b'anybody@'))


@pytest.mark.parametrize('shown', [True, False])
def test_user_in_received(sites, shown):
    site = sites(QUICK + ('' if shown else '\nsubmission { received-user off }'), submission=True)
    with log_in(site) as c:
        through(site, c, RIGHT + b'\r\n')
    received = dict(split_added(site.mailbox('bob')[0])[0])['received']
    assert 'with ESMTPSA id ' in received and ('(auth=alice)' in received) == shown


# --- large

def peak_kib(site, role):
    """VmHWM of the processes of a role."""
    pids = subprocess.run(['pgrep', '-P', str(site.process.pid)], capture_output=True, text=True).stdout.split()
    peaks = []
    for pid in pids:
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            if role.encode() in f.read():
                with open(f'/proc/{pid}/status', encoding='utf-8') as status:
                    peaks.append(int(re.search(r'VmHWM:\s+(\d+)', status.read()).group(1)))
    assert peaks, f'no process of {role}'
    return max(peaks)


def test_large_in_little_memory(sites, monkeypatch):
    """Signed, declared and put right while it streams: 50 MB through a few hundred KiB."""
    # What a sanitizer keeps of freed memory is no need of ours.
    monkeypatch.setitem(site_of_test.ENV, 'ASAN_OPTIONS', site_of_test.ENV['ASAN_OPTIONS'] + ':quarantine_size_mb=1')
    site = sites(QUICK + '\nlimit { message-size 100M }', submission=True, started=False)
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'ed25519', '-out', f'{site.dir}/dkim.pem'], check=True,
                   capture_output=True)
    with open(site.config, 'a', encoding='utf-8') as f:
        f.write(f'dkim sign example.org as example.org selector s1 key {site.dir}/dkim.pem\n')
    site.start()
    line = 'Grüße, und noch ein paar Worte auf einer Zeile von üblicher Länge\r\n'.encode()
    body = line * (50_000_000 // len(line))
    with log_in(site) as c:
        through(site, c, RIGHT + b'\r\nsmall\r\n')
        before = peak_kib(site, 'submission'), peak_kib(site, 'queue')
        got = through(site, c, RIGHT + b'\r\n' + body, n=2)
        after = peak_kib(site, 'submission'), peak_kib(site, 'queue')
    print(f'submission {before[0]} -> {after[0]} KiB, queue {before[1]} -> {after[1]} KiB')
    signature, rest = re.fullmatch(rb'(?s)(DKIM-Signature:.*?\r\n)(?=MIME-Version)(.*)', got).groups()
    assert rest == DECLARED + RIGHT + b'\r\n' + body and b'bh=' in signature
    assert after[0] - before[0] < 8192 and after[1] - before[1] < 8192
