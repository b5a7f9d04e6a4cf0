# test_clients: the programs that people and machines send with reach a mailbox, content intact byte for byte.
import os
import re
import smtplib
import subprocess

from wire import Wire, arrived_as_sent, check_added, crlf

PLAIN = crlf(b'''From: You <you@example.net>
To: alice@example.org
Subject: a few odd lines
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <odd@example.net>
X-Folded: one
 two
\tthree

.one dot at the beginning
..two dots
.
 a line of blanks:   \t
''' + b'x' * 990 + b'\n\nlast\n')


def send_by_hand(site, content=PLAIN, sender='you@example.net', recipients=('alice@example.org',)):
    with Wire(site.port) as w:
        w.hello()
        return w.message(sender, recipients, content)


def test_curl(site, tmp_path):
    mail = tmp_path / 'mail'
    mail.write_bytes(PLAIN)
    subprocess.run(['curl', '-sS', '--url', f'smtp://127.0.0.1:{site.port}/client.example.net', '--mail-from',
                    'you@example.net', '--mail-rcpt', 'alice@example.org', '-T', str(mail)], check=True, timeout=30)
    added = arrived_as_sent(site.wait_mail('alice')[0], PLAIN)
    check_added(added, 'you@example.net', 'alice@example.org', 'ESMTP')


def test_curl_with_tls_and_unix_line_ends(site, tmp_path):
    mail = tmp_path / 'mail'
    mail.write_bytes(PLAIN.replace(b'\r\n', b'\n'))
    subprocess.run(['curl', '-sS', '--crlf', '--ssl-reqd', '--cacert', f'{site.dir}/cert.pem', '--url',
                    f'smtp://localhost:{site.port}/client.example.net', '--mail-from', 'you@example.net', '--mail-rcpt',
                    'alice@example.org', '-T', str(mail)], check=True, timeout=30)
    added = arrived_as_sent(site.wait_mail('alice')[0], PLAIN)
    check_added(added, 'you@example.net', 'alice@example.org', 'ESMTPS')


def test_the_three_lines_that_make_run_prints(sites, tmp_path):
    site = sites()
    hello = os.path.join(os.path.dirname(__file__), '..', '..', 'tools', 'hello')
    printed = subprocess.run([hello, site.dir], check=True, capture_output=True, text=True).stdout
    lines = [line for line in printed.splitlines() if line.startswith('  ')]
    assert len(lines) == 3, printed
    subprocess.run(['sh', '-ec', '\n'.join(lines[:2])], check=True, timeout=30)
    site.wait_mail('alice')
    shown = subprocess.run(['sh', '-ec', lines[2]], check=True, timeout=30, capture_output=True, text=True).stdout
    assert 'Subject: Hello' in shown and 'The first one.' in shown and 'Received: from' in shown


def swaks(site, *args):
    done = subprocess.run(['swaks', '--server', '127.0.0.1', '--port', str(site.port), '--from', 'you@example.net', '--to',
                           'alice@example.org', '--helo', 'client.example.net', *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_swaks_with_starttls(site):
    for version in ('tlsv1_2', 'tlsv1_3'):
        shown = swaks(site, '--tls', '--tls-protocol', version, '--body', f'over {version}')
        assert 'TLS started with cipher' in shown
    got = site.wait_mail('alice', 2)
    assert all(re.search(rb'Received: [^;]*with ESMTPS', m) for m in got)
    assert {m.strip().splitlines()[-1] for m in got} == {b'over tlsv1_2', b'over tlsv1_3'}


def test_swaks_old_tls_is_refused(site):
    done = subprocess.run(['swaks', '--server', '127.0.0.1', '--port', str(site.port), '--from', 'you@example.net', '--to',
                           'alice@example.org', '--tls', '--tls-protocol', 'tlsv1_1'], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and 'TLS started with cipher' not in done.stdout


def test_swaks_pipelining_and_two_recipients(site):
    swaks(site, '--pipeline', '--to', 'alice@example.org,bob@example.org')
    site.wait_mail('alice')
    site.wait_mail('bob')


def test_smtplib(site):
    with smtplib.SMTP('127.0.0.1', site.port, 'client.example.net', timeout=20) as s:
        assert s.sendmail('you@example.net', ['alice@example.org', 'bob@example.org'], PLAIN) == {}
    for user in ('alice', 'bob'):
        added = arrived_as_sent(site.wait_mail(user)[0], PLAIN)
        check_added(added, 'you@example.net', f'{user}@example.org', 'ESMTP')


def test_smtplib_over_tls(site):
    with smtplib.SMTP('127.0.0.1', site.port, 'client.example.net', timeout=20) as s:
        s.starttls()
        s.ehlo()
        assert not s.has_extn('starttls')
        s.sendmail('you@example.net', ['alice@example.org'], PLAIN)
    check_added(arrived_as_sent(site.wait_mail('alice')[0], PLAIN), 'you@example.net', 'alice@example.org', 'ESMTPS')


def test_smtplib_8bit_and_utf8_addresses(site):
    content = crlf('From: ja\nSubject: Grüße\n\nÄpfel und 梨\n'.encode())
    with smtplib.SMTP('127.0.0.1', site.port, 'client.example.net', timeout=20) as s:
        s.ehlo()
        for keyword in ('pipelining', 'size', '8bitmime', 'smtputf8', 'chunking', 'enhancedstatuscodes', 'starttls'):
            assert s.has_extn(keyword), keyword
        s.sendmail('jürgen@bücher.example', ['alice@example.org'], content, ['SMTPUTF8', 'BODY=8BITMIME'])
    added = arrived_as_sent(site.wait_mail('alice')[0], content)
    # The domain may come as it was sent or as A-labels; both name the same host.
    assert dict(added)['return-path'] in ('<jürgen@bücher.example>', '<jürgen@xn--bcher-kva.example>')


def test_git_send_email(site, tmp_path):
    def git(*args):
        return subprocess.run(['git', '-c', 'user.name=You', '-c', 'user.email=you@example.net', *args], cwd=tmp_path,
                              check=True, timeout=60, capture_output=True, text=True,
                              env=dict(os.environ, HOME=str(tmp_path), GIT_CONFIG_NOSYSTEM='1')).stdout
    git('init', '-q')
    (tmp_path / 'file').write_text('a line\n.a dot\n')
    git('add', 'file')
    git('commit', '-q', '-m', 'area: Add a file', '-m', 'Why.')
    patch = git('format-patch', '-1').strip()
    git('send-email', '--quiet', '--confirm=never', '--suppress-cc=all', '--smtp-server=127.0.0.1',
        f'--smtp-server-port={site.port}', '--smtp-domain=client.example.net', '--from=You <you@example.net>',
        '--to=alice@example.org', patch)
    got = site.wait_mail('alice')[0]
    sent = (tmp_path / patch).read_bytes()
    assert got.split(b'\n\n', 1)[1] == sent.split(b'\n\n', 1)[1]
    assert b'Subject: [PATCH] area: Add a file\n' in got


def test_nc_by_hand(site):
    nc = subprocess.Popen(['nc', '-C', '127.0.0.1', str(site.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(line, code):
        if line:
            nc.stdin.write(line + '\n')
            nc.stdin.flush()
        answer = nc.stdout.readline()
        assert answer.startswith(code), f'{line}: {answer}'
        return answer

    banner = says(None, '220 mx1.example.org')
    assert not re.search(r'\d+\.\d+\.\d+', banner), f'the banner tells a version: {banner}'
    says('HELO client.example.net', '250 ')
    says('mail from:<you@example.net>', '250 ')
    says('rcpt to:<alice+tag@example.org>', '250 ')
    says('rcpt to:<nobody@example.org>', '550 5.1.1')
    says('data', '354 ')
    nc.stdin.write('Subject: by hand\n\nHello\n')
    says('.', '250 2.0.0')
    says('quit', '221 ')
    nc.stdin.close()
    assert nc.wait(10) == 0
    added = arrived_as_sent(site.wait_mail('alice')[0], b'Subject: by hand\r\n\r\nHello\r\n')
    fields = dict(added)
    assert fields['delivered-to'].startswith('alice') and 'with SMTP id' in fields['received'], added


def test_bdat(site):
    with Wire(site.port) as w:
        w.hello()
        w.envelope('you@example.net', 'alice@example.org')
        half = len(PLAIN) // 2
        w.send(f'BDAT {half}\r\n'.encode() + PLAIN[:half])
        w.expect(250)
        w.send(f'BDAT {len(PLAIN) - half} LAST\r\n'.encode() + PLAIN[half:])
        w.expect(250)
    arrived_as_sent(site.wait_mail('alice')[0], PLAIN)


def test_no_byte_lost_however_it_is_cut(site):
    with Wire(site.port) as w:
        w.hello()
        w.envelope('you@example.net', 'alice@example.org')
        w.expect(354, 'DATA')
        content = crlf(b'Subject: in pieces\n\n' + b'.a\n' * 40 + b'end\n')
        for byte in content.replace(b'\r\n.', b'\r\n..') + b'.\r\n':
            w.send(bytes([byte]))
        w.expect(250)
    arrived_as_sent(site.wait_mail('alice')[0], content)


def test_20_megabytes(site):
    line = bytes(range(33, 127)) * 10
    content = b'Subject: big\r\n\r\n' + b'\r\n'.join(line[i % 90:i % 90 + 76] for i in range(20_000_000 // 78)) + b'\r\n'
    with Wire(site.port, timeout=120) as w:
        w.hello()
        w.expect(250, f'MAIL FROM:<you@example.net> SIZE={len(content)}')
        w.expect(250, 'RCPT TO:<alice@example.org>')
        w.expect(354, 'DATA')
        w.send(re.sub(rb'(?m)^\.', b'..', content) + b'.\r\n')
        w.expect(250)
    arrived_as_sent(site.wait_mail('alice', 1, 60)[0], content)
    # The next one still goes.
    send_by_hand(site, recipients=['bob@example.org'])
    site.wait_mail('bob')


def test_too_large_is_refused_and_the_session_goes_on(sites):
    site = sites('limit { message-size 100K }')
    content = b'Subject: large\r\n\r\n' + (b'x' * 70 + b'\r\nMAIL FROM:<evil@example.net>\r\n') * 2000
    with Wire(site.port) as w:
        assert 'SIZE 102400' in w.hello()
        w.expect(552, f'MAIL FROM:<you@example.net> SIZE={200 * 1024}')
        w.envelope('you@example.net', 'alice@example.org')
        w.expect(354, 'DATA')
        w.send(content + b'.\r\n')
        w.expect(552)
        w.message('you@example.net', ['alice@example.org'], PLAIN)
        w.expect(221, 'QUIT')
    arrived_as_sent(site.wait_mail('alice')[0], PLAIN)


def test_aliases_and_case(site):
    send_by_hand(site, recipients=['Sales@Example.ORG', 'POSTMASTER@example.org', 'postmaster'])
    site.wait_mail('bob', 1)
    assert len(site.wait_mail('alice', len(site.mailbox('alice')))) >= 1
    added = arrived_as_sent(site.mailbox('bob')[0], PLAIN)
    assert dict(added)['delivered-to'] == 'bob@example.org'
