# site: a Posthouse of its own for a test: a directory, a configuration, free loopback ports, the running server.
import base64
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import warnings

with warnings.catch_warnings():
    warnings.simplefilter('ignore', DeprecationWarning)  # Debian 12's Python has it
    import crypt

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get('POSTHOUSE', os.path.join(ROOT, 'build', 'test-gcc', 'posthouse'))
KEPT = os.path.join(ROOT, 'build', 'interop', 'failed')
START_SECONDS, STOP_SECONDS = 20, 20
FINDING = re.compile(r'AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|[Aa]ssertion .*failed')

ENV = dict(os.environ,
           ASAN_OPTIONS='detect_leaks=1:exitcode=99:strict_string_checks=1',
           UBSAN_OPTIONS='print_stacktrace=1:halt_on_error=1:exitcode=99')


# Below those that the kernel gives to who connects (32768 and up), and each part of a run that goes on at once has its own.
PART, PARTS = (int(n) for n in os.environ.get('POSTHOUSE_TEST_PART', '0/1').split('/'))
PORTS = range(10000 + PART, 32000, PARTS)
_given = set()


def free_port(host='127.0.0.1'):
    """A port that nobody listens on, and that this run has not given out before."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as s:
            try:
                s.bind((host, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


def wait_until(what, seconds=10.0, step=0.02):
    """Calls `what` until it gives something true, and gives that; an assertion error otherwise."""
    end = time.monotonic() + seconds
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < end, f'not within {seconds} s: {getattr(what, "__doc__", None) or what}'
        time.sleep(step)


# Of the users of a site with submission.
PASSWORDS = {'alice': 'curiouser, and curiouser', 'bob': 'pa:ss=wörd'}


def password_line(user, password, name=''):
    """A line of the file of passwords: sha512-crypt of the least cost, and SCRAM keys."""
    salt = hashlib.sha256(f'{user} {name}'.encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac('sha256', password.encode(), salt, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b'Client Key', 'sha256')).digest()
    keys = [base64.b64encode(b).decode() for b in (salt, stored, hmac.digest(salted, b'Server Key', 'sha256'))]
    return (f'{user}:{name}:{crypt.crypt(password, "$6$rounds=1000$" + salt.hex()[:16])}'
            f':{{SCRAM-SHA-256}}4096,{",".join(keys)}\n')


class Site:
    """extra: lines of configuration beside the usual ones.

    submission: also a port with STARTTLS (submission_port) and one with implicit TLS (submissions_port) for alice and
    bob with their PASSWORDS; auth: False leaves the file of passwords to `extra`.
    """

    def __init__(self, extra='', domain='example.org', tls=True, queue='segment 16M; reserve 1M; retry 2s .. 10s',
                 submission=False, auth=True):
        self.dir = tempfile.mkdtemp(prefix='ph-', dir='/tmp')
        self.port, self.http_port = free_port(), free_port()
        self.submission_port, self.submissions_port = (free_port(), free_port()) if submission else (None, None)
        self.process, self.expected_findings = None, False
        self.config = os.path.join(self.dir, 'posthouse.conf')
        self.write('users', 'alice\nbob\n')
        self.write('aliases', 'postmaster: alice\nsales: alice, bob\n')
        if tls:
            certificate(self.dir)
        if submission:
            self.write('passwords', ''.join(password_line(u, p) for u, p in PASSWORDS.items()), 0o600)
        self.write('posthouse.conf', f'''version 1
hostname mx1.{domain}
state {self.dir}/state
control {self.dir}/control.sock
listen mx 127.0.0.1:{self.port}
listen http 127.0.0.1:{self.http_port}
{f"tls certificate {self.dir}/cert.pem key {self.dir}/key.pem" if tls else ""}
table users file {self.dir}/users
table aliases aliases {self.dir}/aliases
domain {domain} {{
    recipients users + aliases
    deliver maildir "{self.dir}/mail/{{domain}}/{{local}}"
}}
{"" if "resolver forward" in extra else f"resolver forward 127.0.0.1:{free_port()}"}
{"" if "resolver forward" in extra or "checks" in extra else "checks { dns-time 200ms }"}
queue {{ {queue} }}
{self._submission(auth) if submission else ""}
{extra}
''')

    def _submission(self, auth):
        return (f'listen submission 127.0.0.1:{self.submission_port}\n'
                f'listen submission 127.0.0.1:{self.submissions_port} tls implicit\n'
                + (f'auth file {self.dir}/passwords\n' if auth else ''))

    def write(self, name, text, mode=0o644):
        with open(os.path.join(self.dir, name), 'w', encoding='utf-8') as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)

    # --- the server ---

    def spawn(self):
        self.log = open(os.path.join(self.dir, 'log'), 'ab')
        self.out = open(os.path.join(self.dir, 'out'), 'ab')
        self.process = subprocess.Popen([BINARY, 'run', '-c', self.config], stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=self.log, env=ENV, cwd=self.dir)
        return self

    def start(self):
        self.spawn()

        def greets():
            """the server greets"""
            assert self.process.poll() is None, f'the server ended with {self.process.returncode}:\n{self.logged()}'
            try:
                with socket.create_connection(('127.0.0.1', self.port), 1) as s:
                    return s.recv(100).startswith(b'220 ')
            except OSError:
                return False

        wait_until(greets, START_SECONDS)
        return self

    def stop(self, by=signal.SIGTERM):
        """Ends the server and insists that it ended well and that no sanitizer found anything."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(by)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = 'nothing for too long, and was killed'
        self.process = None
        self.log.close()
        self.out.close()
        finding = FINDING.search(self.logged())
        assert not finding, f'a finding in the log: {finding.group(0)}\n{self.logged()[finding.start():][:6000]}'
        assert status == 0, f'the server ended with {status}'

    def logged(self):
        with open(os.path.join(self.dir, 'log'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def printed(self):
        with open(os.path.join(self.dir, 'out'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def remove(self, keep_as=None):
        if keep_as:
            os.makedirs(KEPT, exist_ok=True)
            kept = os.path.join(KEPT, re.sub(r'[^\w.-]+', '_', keep_as)[:120])
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(self.dir, kept, ignore=lambda d, names: [n for n in names if n.startswith('log-')],
                            ignore_dangling_symlinks=True, copy_function=_copy_if_file)
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- the command line ---

    def run(self, *args, expect=0, timeout=20):
        """Runs `posthouse ARGS -c CONFIG`; gives what it printed on both outputs."""
        done = subprocess.run([BINARY, *args, '-c', self.config], capture_output=True, text=True, timeout=timeout, env=ENV,
                              cwd=self.dir, stdin=subprocess.DEVNULL)
        assert expect is None or done.returncode == expect, \
            f'posthouse {" ".join(args)}: exit {done.returncode}, not {expect}\n{done.stdout}\n{done.stderr}'
        return done

    def json(self, *args, **more):
        """What a command prints with --json: one value, or a list of values when there are several lines."""
        text = self.run(*args, '--json', **more).stdout.strip()
        return json.loads(text) if '\n' not in text and text else [json.loads(line) for line in text.splitlines()]

    def queue(self):
        """The queue's messages, as `queue list --json` prints them, a line each."""
        text = self.run('queue', 'list', '--json').stdout
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def wait_queue_empty(self, seconds=20):
        wait_until(lambda: not self.queue(), seconds, 0.1)

    # --- HTTP ---

    def get(self, path):
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.http_port}{path}', timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metric(self, name, **labels):
        """The sum of the samples of a metric that have these labels."""
        total, seen = 0.0, False
        for line in self.get('/metrics')[1].splitlines():
            if re.match(rf'{name}[{{ ]', line) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total, seen = total + float(line.rsplit(' ', 1)[1]), True
        assert seen, f'no metric {name}'
        return total

    # --- mailboxes ---

    def mailbox(self, user, domain='example.org'):
        """The messages in a mailbox, as bytes, oldest first."""
        new = os.path.join(self.dir, 'mail', domain, user, 'new')
        if not os.path.isdir(new):
            return []
        return [open(os.path.join(new, n), 'rb').read() for n in sorted(os.listdir(new))]

    def wait_mail(self, user, n=1, seconds=15, domain='example.org'):
        """Waits for n messages and gives them; fails at once when there are more."""
        def there():
            got = self.mailbox(user, domain)
            assert len(got) <= n, f'{len(got)} messages for {user}, not {n}'
            return len(got) == n and got or (n == 0)
        there.__doc__ = f'{n} messages for {user}'
        return wait_until(there, seconds)


def _copy_if_file(source, target, **more):
    if os.path.isfile(source):
        shutil.copy2(source, target, **more)


def certificate(directory):
    """A self-signed certificate for the names of the test sites."""
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
                    '-subj', '/CN=mx1.example.org', '-addext', 'subjectAltName=DNS:mx1.example.org,DNS:localhost,IP:127.0.0.1',
                    '-keyout', f'{directory}/key.pem', '-out', f'{directory}/cert.pem'], check=True, capture_output=True)
    os.chmod(f'{directory}/key.pem', 0o600)


def open_port(host, port):
    try:
        with socket.create_connection((host, port), 1):
            return True
    except OSError:
        return False


class Sites:
    def __init__(self):
        self.all = []

    def __call__(self, *args, started=True, **more):
        site = Site(*args, **more)
        self.all.append(site)
        return site.start() if started else site

    def finish(self, failed):
        """Stops what still runs; with the name of a failed test, shows the ends of the logs and keeps the directories."""
        wrong = []
        for site in self.all:
            try:
                site.stop()
            except AssertionError as e:
                wrong.append(str(e))
            if failed or wrong:
                print(f'--- log of {site.config}\n{site.logged()[-5000:]}' if os.path.exists(f'{site.dir}/log') else '')
            site.remove(keep_as=(failed or 'stop') if failed or wrong else None)
        assert not wrong, '\n'.join(wrong)
