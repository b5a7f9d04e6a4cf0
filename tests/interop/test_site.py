# test_site: what tools/site makes is a site that serves: mail comes in, users log in by what its README says, and what
# they send is signed. Made again, it stays as it was.
import os
import re
import smtplib
import ssl
import subprocess
import time

import pytest

from site_of_test import BINARY, ROOT, Site, free_port, wait_until


class Development(Site):
    """A site by tools/site."""

    def __init__(self, directory):
        self.dir, self.config = directory, f'{directory}/posthouse.conf'
        self.process, self.expected_findings = None, False
        self.port, self.http_port, self.submission_port, self.submissions_port = (free_port() for _ in range(4))

    def make(self):
        env = dict(os.environ, POSTHOUSE=BINARY, POSTHOUSE_PORT=str(self.port), POSTHOUSE_HTTP_PORT=str(self.http_port),
                   POSTHOUSE_SUBMISSION_PORT=str(self.submission_port), POSTHOUSE_SUBMISSIONS_PORT=str(self.submissions_port))
        subprocess.run([f'{ROOT}/tools/site', self.dir], env=env, check=True, timeout=60)
        return self


@pytest.fixture
def site(tmp_path):
    made = Development(str(tmp_path / 'run')).make()
    yield made
    made.stop()


def files(directory):
    return {path: (os.stat(path).st_mtime_ns, open(path, 'rb').read())
            for folder, _, names in os.walk(directory) for path in (os.path.join(folder, n) for n in names)}


def test_made_again_nothing_changes_and_it_is_quick(site):
    before, start = files(site.dir), time.monotonic()
    site.make()
    assert files(site.dir) == before and time.monotonic() - start < 2


def test_users_log_in_by_its_readme(site):
    text = open(f'{site.dir}/README', encoding='utf-8').read()
    passwords = dict(re.findall(r'^    (alice|bob) +(\S+)$', text, re.M))
    assert sorted(passwords) == ['alice', 'bob']
    for name in ('README', 'auth/passwords', 'dkim/dev.pem', 'tls/key.pem'):
        assert os.stat(f'{site.dir}/{name}').st_mode & 0o077 == 0, name
    site.start()
    context = ssl.create_default_context(cafile=f'{site.dir}/tls/cert.pem')
    for user, other in (('alice', 'bob'), ('bob', 'alice')):
        with smtplib.SMTP_SSL('localhost', site.submissions_port, timeout=20, context=context) as s:
            s.login(user, passwords[user])
            s.sendmail(f'{user}@example.org', [f'{other}@example.org'], f'From: {user}@example.org\r\n\r\nhello\r\n')
        stored = site.wait_mail(other)[0]
        assert b'DKIM-Signature: v=1; a=rsa-sha256;' in stored and b'Message-ID: ' in stored
    wait_until(lambda: not site.queue(), 10, 0.1)
