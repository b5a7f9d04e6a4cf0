# test_user: `posthouse user`: the password file as the command line makes it, read here by other eyes: hashlib and crypt.
import base64
import hashlib
import hmac
import json
import os
import pty
import re
import select
import smtplib
import ssl
import stat
import subprocess
import time

import pytest

from site_of_test import BINARY, ENV, PASSWORDS, crypt, wait_until


class Users:
    """A configuration with a file of users, and the command line on it."""

    def __init__(self, directory, extra=''):
        self.dir, self.file = str(directory), os.path.join(directory, 'passwords')
        self.config = os.path.join(directory, 'posthouse.conf')
        with open(self.config, 'w', encoding='utf-8') as f:
            f.write(f'hostname mx1.example.org\nstate {self.dir}/state\ncontrol {self.dir}/control.sock\n'
                    f'listen mx 127.0.0.1:2525\nauth file passwords\n{extra}\n')

    def __call__(self, *args, password=None, expect=0):
        done = subprocess.run([BINARY, 'user', *args, '-c', self.config], text=True, capture_output=True, timeout=60, env=ENV,
                              **({'stdin': subprocess.DEVNULL} if password is None else {'input': password + '\n'}))
        assert expect is None or done.returncode == expect, f'{args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}'
        return done

    def write(self, text, mode=0o600):
        with open(self.file, 'w', encoding='utf-8') as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)

    def text(self):
        with open(self.file, encoding='utf-8') as f:
            return f.read()

    def lines(self):
        return [line.split(':') for line in self.text().splitlines() if line and line[0] != '#']


@pytest.fixture
def users(tmp_path):
    return Users(tmp_path)


def scram_keys(password, salt, iterations, name='sha256'):
    salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations)
    stored = hashlib.new(name, hmac.digest(salted, b'Client Key', name)).digest()
    return stored, hmac.digest(salted, b'Server Key', name)


def test_add_is_what_others_understand(users):
    users('add', 'Ann@Example.org', password='pa:ss=wörd "x"')
    [[user, name, hashed, keys]] = users.lines()
    assert (user, name) == ('ann@example.org', '')
    assert hashed.startswith('$y$') and crypt.crypt('pa:ss=wörd "x"', hashed) == hashed
    iterations, salt, stored, server = re.fullmatch(r'{SCRAM-SHA-256}(\d+),(.*),(.*),(.*)', keys).groups()
    assert int(iterations) >= 4096
    expected = scram_keys('pa:ss=wörd "x"', base64.b64decode(salt), int(iterations))
    assert (base64.b64decode(stored), base64.b64decode(server)) == expected
    assert stat.S_IMODE(os.stat(users.file).st_mode) == 0o600


def test_scram_sha_1_when_asked_for(tmp_path):
    users = Users(tmp_path, 'auth mechanisms plain scram-sha-256 scram-sha-1')
    users('add', 'ann', password='pencil')
    [[_, _, _, longer, shorter]] = users.lines()
    iterations, salt, stored, server = re.fullmatch(r'{SCRAM-SHA-1}(\d+),(.*),(.*),(.*)', shorter).groups()
    assert (base64.b64decode(stored), base64.b64decode(server)) == \
        scram_keys('pencil', base64.b64decode(salt), int(iterations), 'sha1')
    assert longer.startswith('{SCRAM-SHA-256}')


def test_app_passwords(users):
    users('add', 'ann', password='main one')
    made = users('add', 'ann', '--app', 'phone', '--generate')
    password = made.stdout.strip()
    assert re.fullmatch('([a-z0-9]{5}-){3}[a-z0-9]{5}', password) and password not in made.stderr
    answer = json.loads(users('add', 'ann', '--app', 'laptop', '--generate', '--json').stdout)
    assert answer['user'] == 'ann' and answer['secret'] == 'laptop' and len(answer['password']) > 20
    salts = {line[3].split(',')[1] for line in users.lines()}
    assert len(salts) == 1 and len(users.lines()) == 3  # one salt: SCRAM can tell them apart by the proof
    for secret, name in ((password, 'phone'), (answer['password'], 'laptop'), ('main one', '')):
        assert json.loads(users('test', 'ann', '--json', password=secret).stdout)['secret'] == name
    users('test', 'ann', '--app', 'phone', password='main one', expect=77)
    users('delete', 'ann', '--app', 'phone')
    users('test', 'ann', password=password, expect=77)
    users('delete', 'ann')
    assert users.text() == ''


def test_passwd(users):
    users('add', 'ann', password='one')
    users('add', 'ann', '--app', 'phone', password='two')
    users('passwd', 'ann', password='three')
    for password, code in (('one', 77), ('two', 0), ('three', 0)):
        users('test', 'ann', password=password, expect=code)
    users('passwd', 'bob', password='x', expect=67)
    users('passwd', 'ann', '--app', 'tablet', password='x', expect=67)


def test_list(users):
    assert 'no users' in (users.write('') or users('list').stdout)
    users('add', 'ann', password='one')
    users('add', 'ann', '--app', 'phone', password='two')
    users('add', 'bob', password='three')
    rows = [json.loads(line) for line in users('list', '--json').stdout.splitlines()]
    assert [(r['user'], r['secret'], r['last_use']) for r in rows] == [('ann', '', None), ('ann', 'phone', None), ('bob', '', None)]
    assert rows[0]['hashes'] == ['yescrypt', 'SCRAM-SHA-256']
    plain = users('list', 'ann')
    assert 'phone' in plain.stdout and 'bob' not in plain.stdout and '$y$' not in plain.stdout and not plain.stderr
    users('list', 'eve', expect=67)


@pytest.mark.parametrize('args,code,why', [
    (['add'], 64, 'one user'), (['add', 'a', 'b'], 64, 'one user'), (['add', 'a:b'], 64, 'no user'),
    (['add', 'a\nb'], 64, 'no user'), (['add', '#a'], 64, 'no user'), (['add', ''], 64, 'no user'),
    (['add', 'ann', '--app', 'my phone'], 64, '--app'), (['add', 'ann', '--app', ''], 64, '--app'),
    (['lst'], 64, '"list"'), (['delete', 'eve'], 67, 'no such user'), (['test', 'eve'], 67, 'no such user'),
    (['add', 'old'], 73, 'already'), (['list', 'a', 'b'], 64, 'one user'),
])
def test_mistakes(users, args, code, why):
    users.write('old:!\n')
    done = users(*args, password='secret', expect=code)
    assert why in done.stderr and not done.stdout and users.text() == 'old:!\n', done


@pytest.mark.parametrize('password', ['', 'x' * 512, 'tab\there', 'bell\x07'])
def test_bad_passwords(users, password):
    users('add', 'ann', password=password, expect=65)
    assert not os.path.exists(users.file)


def test_longest_password(users):
    users('add', 'ann', password='x' * 511)
    users('test', 'ann', password='x' * 511)
    users('test', 'ann', password='x' * 510, expect=77)


def test_no_file_of_users(tmp_path):
    users = Users(tmp_path)
    with open(users.config, encoding='utf-8') as f:
        text = f.read().replace('auth file passwords\n', '')
    with open(users.config, 'w', encoding='utf-8') as f:
        f.write(text)
    assert 'auth file' in users('add', 'ann', password='x', expect=78).stderr


def test_other_lines_stay(users):
    hashed = crypt.crypt('theirs', crypt.mksalt(crypt.METHOD_SHA512, rounds=1000))
    before = f'# by hand\n\ncarol:{hashed}\nnot a line\ndave:{{MD5}}abc\n'
    users.write(before, 0o640)
    os.rename(users.file, users.file + '.real')
    os.symlink('passwords.real', users.file)
    done = users('add', 'ann', password='mine')
    assert 'line 4: ' in done.stderr and 'line 5: unknown scheme {MD5}' in done.stderr
    assert users.text().startswith(before) and len(users.text().splitlines()) == 6
    assert os.path.islink(users.file) and stat.S_IMODE(os.stat(users.file).st_mode) == 0o640
    users('test', 'carol', password='theirs')
    users('test', 'carol', password='others', expect=77)
    users('delete', 'ann')
    assert users.text() == before
    assert sorted(os.listdir(users.dir)) == ['passwords', 'passwords.lock', 'passwords.real', 'posthouse.conf']


def test_check(users):
    users.write(f'ann:{crypt.crypt("x", crypt.mksalt(crypt.METHOD_SHA512, rounds=1000))}\nnot a line\nbob:!\nBob::!\n', 0o644)
    done = subprocess.run([BINARY, 'check', '-c', users.config], text=True, capture_output=True, timeout=60, env=ENV, check=True)
    for warning in ('passwords:2: warning: expected USER', 'passwords:4: warning: a second', 'chmod 600', '1 of 3 passwords have no keys'):
        assert warning in done.stderr, done.stderr
    users.write('')
    done = subprocess.run([BINARY, 'check', '-c', users.config], text=True, capture_output=True, timeout=60, env=ENV, check=True)
    assert not done.stderr


def test_at_once(users):
    users.write('')
    processes = [subprocess.Popen([BINARY, 'user', 'add', f'user{n}', '--generate', '-c', users.config], env=ENV,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) for n in range(12)]
    made = [(p.communicate(timeout=60)[0].decode().strip(), p.returncode) for p in processes]
    assert all(code == 0 for _, code in made) and len(users.lines()) == 12
    users('test', 'user7', password=made[7][0])


class Terminal:
    """The command line on a terminal of its own."""

    def __init__(self, users, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BINARY, [BINARY, 'user', *args, '-c', users.config], ENV)
        self.seen = ''

    def expect(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            self.read()
        self.seen = self.seen.split(text, 1)[1]

    def read(self):
        if not select.select([self.fd], [], [], 1)[0]:
            return True
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # the other side has gone
            return False
        self.seen += data.decode()
        return bool(data)

    def type(self, text):
        os.write(self.fd, text.encode())

    def finish(self):
        while self.read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize('first,second,code,why', [
    ('pencil\n', 'pencil\n', 0, 'added'),
    ('pex\x7fncil\r', 'wrong\x15pencil\n', 0, 'added'),
    ('p\xf6\x7fencil\n', 'pencil\n', 0, 'added'),
    ('pencil\n', 'pensil\n', 65, 'differ'),
    ('pencil\x03', None, 75, 'interrupted'),
])
def test_terminal(users, first, second, code, why):
    terminal = Terminal(users, 'add', 'ann')
    terminal.expect('New password: ')
    terminal.type(first)
    if second is not None:
        terminal.expect('Once more: ')
        terminal.type(second)
    assert terminal.finish() == code
    assert why in terminal.seen and 'pen' not in terminal.seen, terminal.seen
    if code == 0:
        users('test', 'ann', password='pencil')
    else:
        assert not os.path.exists(users.file)


# --- with a server that runs

def log_in(site, user, password):
    context = ssl.create_default_context(cafile=f'{site.dir}/cert.pem')
    with smtplib.SMTP('127.0.0.1', site.submission_port, timeout=20) as s:
        s._host = 'mx1.example.org'
        s.starttls(context=context)
        s.ehlo()
        try:
            s.login(user, password)
        except smtplib.SMTPAuthenticationError:
            return False
        return True


def scram_log_in(site, user, password):
    """SCRAM-SHA-256 (RFC 7677) by hand; insists that the server shows that it knows the keys, too."""
    def b64(data):
        return base64.b64encode(data).decode()

    with smtplib.SMTP('127.0.0.1', site.submission_port, timeout=20) as s:
        s._host = 'mx1.example.org'
        s.starttls(context=ssl.create_default_context(cafile=f'{site.dir}/cert.pem'))
        s.ehlo()
        bare = f'n={user},r=rOprNGfwEbeRWgbNEkqO'
        code, answer = s.docmd('AUTH', 'SCRAM-SHA-256 ' + b64(f'n,,{bare}'.encode()))
        assert code == 334, answer
        server_first = base64.b64decode(answer).decode()
        nonce, salt, iterations = re.fullmatch('r=([^,]*),s=([^,]*),i=([0-9]+)', server_first).groups()
        assert nonce.startswith('rOprNGfwEbeRWgbNEkqO') and len(nonce) > 36
        stored, server = scram_keys(password, base64.b64decode(salt), int(iterations))
        salted = hashlib.pbkdf2_hmac('sha256', password.encode(), base64.b64decode(salt), int(iterations))
        message = f'{bare},{server_first},c=biws,r={nonce}'.encode()
        proof = bytes(a ^ b for a, b in zip(hmac.digest(salted, b'Client Key', 'sha256'), hmac.digest(stored, message, 'sha256')))
        code, answer = s.docmd(b64(f'c=biws,r={nonce},p={b64(proof)}'.encode()))
        if code == 535:
            return False
        assert code == 334 and base64.b64decode(answer).decode() == 'v=' + b64(hmac.digest(server, message, 'sha256'))
        return s.docmd('')[0] == 235


def test_scram_by_any_secret(sites):
    site = sites('', submission=True, started=False)
    made = {}
    for user, options in (('carol', []), ('carol', ['--app', 'phone']), ('carol', ['--app', 'laptop'])):
        made[tuple(options)] = subprocess.run([BINARY, 'user', 'add', user, '--generate', *options, '-c', site.config], env=ENV,
                                              text=True, capture_output=True, timeout=60, check=True).stdout.strip()
    site.start()
    for password in made.values():
        assert scram_log_in(site, 'carol', password)
    assert not scram_log_in(site, 'carol', 'wrong')
    assert not scram_log_in(site, 'nobody', 'wrong')

    def used():
        return sum(r['user'] == 'carol' and r['last_use'] is not None for r in site.json('user', 'list'))

    wait_until(lambda: used() == 3, 10, 0.2)


def test_a_running_server_sees_it(sites):
    site = sites(submission=True)
    made = subprocess.run([BINARY, 'user', 'add', 'carol', '--app', 'phone', '--generate', '-c', site.config], env=ENV, text=True,
                          capture_output=True, timeout=60, check=True)
    password = made.stdout.strip()
    wait_until(lambda: log_in(site, 'carol', password), 20, 0.5)
    assert log_in(site, 'alice', PASSWORDS['alice'])
    site.run('user', 'delete', 'carol')
    wait_until(lambda: not log_in(site, 'carol', password), 20, 0.5)


def test_last_use(sites):
    site = sites(submission=True)
    before = int(time.time())
    assert {r['last_use'] for r in site.json('user', 'list')} == {None}
    assert log_in(site, 'alice', PASSWORDS['alice'])
    assert not log_in(site, 'bob', 'wrong')

    def used():
        return {r['user']: r['last_use'] for r in site.json('user', 'list')}

    wait_until(lambda: used()['alice'], 10, 0.2)
    assert before <= used()['alice'] <= time.time() + 1 and used()['bob'] is None
    assert re.search(r'^20\d\d-\d\d-\d\d \d\d:\d\d +alice', site.run('user', 'list').stdout, re.MULTILINE)
