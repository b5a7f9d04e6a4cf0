# test_submission_nginx: Debian's nginx in front: it says by XCLIENT whom it let in, and by the PROXY protocol for whom it speaks.
import http.server
import os
import shutil
import smtplib
import subprocess
import tempfile
import threading
import urllib.parse

import pytest

from site_of_test import PASSWORDS, ROOT, free_port, open_port, wait_until
from wire import arrived_as_sent, crlf

NGINX = os.path.join(ROOT, 'build', 'interop', 'nginx', 'usr', 'sbin', 'nginx')
MODULE = os.path.join(ROOT, 'build', 'interop', 'nginx-mail', 'usr', 'lib', 'nginx', 'modules', 'ngx_mail_module.so')
MAIL = crlf(b'''From: alice@example.org
Subject: through nginx
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <a@b>

hello
''')


class Nginx:
    """A proxy for SMTP on 127.0.0.1; it connects to `port` of ::1. Whoever knows a password of the test's is let in."""

    def __init__(self, port, settings):
        if not (os.path.exists(NGINX) and os.path.exists(MODULE)):
            pytest.skip('skipped: no nginx unpacked (tests/interop/setup)')
        self.dir = tempfile.mkdtemp(prefix='ph-nginx-', dir='/tmp')
        self.port = free_port()
        self.gate = http.server.ThreadingHTTPServer(('127.0.0.1', 0), self._gate_to(port))
        threading.Thread(target=self.gate.serve_forever, daemon=True).start()
        with open(f'{self.dir}/conf', 'w', encoding='utf-8') as f:
            f.write(f'''daemon off; master_process off; pid {self.dir}/pid; error_log {self.dir}/log info;
load_module {MODULE};
events {{ }}
mail {{
    server_name proxy.example.org;
    auth_http 127.0.0.1:{self.gate.server_port}/;
    server {{ listen 127.0.0.1:{self.port}; protocol smtp; {settings} }}
}}
''')
        self.process = subprocess.Popen([NGINX, '-p', self.dir, '-e', f'{self.dir}/log', '-c', f'{self.dir}/conf'],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: open_port('127.0.0.1', self.port), 15)

    @staticmethod
    def _gate_to(port):
        class Gate(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers
                password = urllib.parse.unquote(asked['Auth-Pass'] or '')
                known = asked['Auth-Method'] == 'none' or PASSWORDS.get(asked['Auth-User']) == password
                self.send_response(200)
                self.send_header('Auth-Status', 'OK' if known else 'Invalid login or password')
                self.send_header('Auth-Server', '::1')
                self.send_header('Auth-Port', str(port))
                self.end_headers()

            def log_message(self, *_):
                pass

        return Gate

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.gate.shutdown()
        self.gate.server_close()
        shutil.rmtree(self.dir, ignore_errors=True)


def test_xclient_with_login(sites, peer):
    port = free_port('127.0.0.1')
    site = sites(f'listen submission [::1]:{port}\nxclient from ::1', submission=True)
    nginx = peer(Nginx, port, 'smtp_auth plain login; xclient on;')
    with smtplib.SMTP('127.0.0.1', nginx.port, timeout=20) as client:
        client.login('alice', PASSWORDS['alice'])
        client.sendmail('alice@example.org', ['bob@example.org'], MAIL)
    stored = site.wait_mail('bob')[0]
    arrived_as_sent(stored, MAIL)
    assert b'[127.0.0.1]' in stored and b'ESMTPA ' in stored
    wait_until(lambda: 'user=alice' in site.logged())


def test_proxy_protocol(sites, peer):
    port = free_port('127.0.0.1')
    site = sites(f'listen mx [::1]:{port}\nproxy from ::1', submission=True)
    nginx = peer(Nginx, port, 'smtp_auth none; xclient off; proxy_protocol on;')
    with smtplib.SMTP('127.0.0.1', nginx.port, timeout=20) as client:
        client.sendmail('alice@example.net', ['bob@example.org'], MAIL)
    assert b'[127.0.0.1]' in site.wait_mail('bob')[0]
    assert 'proxy-refused' not in site.logged()
