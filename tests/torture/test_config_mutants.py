# test_config_mutants: configurations that were spoilt at random, and every way to write an open relay: `check` says what is
# wrong with file, line and column, or that nothing is; it never crashes, and no open relay passes.
import concurrent.futures
import ipaddress
import json
import os
import random
import re
import subprocess

import pytest

from site_of_test import BINARY, ENV

WHOLE = '''version 1
hostname mx1.example.org
state DIR/state
control DIR/control.sock
listen mx 127.0.0.1:2525
listen mx [::1]:2526
listen http 127.0.0.1:8025
tls out never
table users file DIR/users
table aliases aliases DIR/aliases
table staff inline { "alice" "sales = alice, bob" }
domain example.org {
    recipients users + aliases + staff
    deliver maildir "DIR/mail/{domain}/{local}"
    tag "+"
}
domain example.net { recipients any; deliver relay }
relay from 10.0.0.0/8 192.0.2.7
route example.com via 192.0.2.25:2525
route .corp.example via hub.corp.example
route slow.example hold
route * via mx port 2526
content line-ends repair
resolver forward 127.0.0.1:5353
resolver dnssec off
log json
workers smtpd 1 relay 2
limit { sessions 10000; sessions-per-client 100; messages-per-session 1000; recipients 1000; message-size 50M; errors 10; hops 50 }
timeout { command 5m; data-block 3m; connect 30s; greeting 5m; mail 5m; rcpt 5m; data-init 2m; data-send 3m; data-end 10m }
queue { retry 5m .. 4h; expire 5d; concurrency 5 .. 50; attempts 500; segment 64M; reserve 64M }
table friends inline { ann@example.net .example.edu 192.0.2.0/24 2001:db8::/32 }
table nets cidr DIR/nets
dnsbl zen.example.org weight 5 codes 127.0.0.2 .. 127.0.0.11, 127.0.1.4
dnswl white.example.org of helo
rate messages by client 100 per hour burst 200 except local
rate recipients by sender-domain 1000 per day
checks { loopback on; greet-wait 0s; dns-time 3s }
shutout { points 20; window 1h; time 1m .. 2d; tarpit 0s .. 1s }
greylist { wait 1m; window 2d; keep 90d }
dmarc reports from dmarc@example.org { organisation "Example, Inc."; every 6h }
arc trust lists.example.org
filter spam milter 127.0.0.1:11332 { for mx submission; connect 1s; content 1m; failure accept }
filter quotas delegation unix:DIR/quotas
history { size 1M; days 7d }
policy connect { built-in; reject when client.ip in nets "not {client.ip}" }
policy recipient {
    ask quotas unless client.known or sender in friends
    tarpit 5s when (spf in softfail, fail and not tls) or recipients > 50
    built-in
}
policy content { header "X-Size: {size}" when header Subject matches "^(spam|ham)"; quarantine when size >= 10M }
'''
TOKENS = ['{', '}', ';', '"', '\\', '#', '..', '+', '*', '-1', '0', '999999999999999999999', '1G', '5m', '', '\0', '\xff', 'é', '127.0.0.1:1',
          '[::1]:0', '::/0', 'yes-i-want-an-open-relay', 'domain', 'route', 'relay', 'from', 'version', '\r', '\t', 'x' * 5000, '%s%n', '{domain}',
          '../..', '"unended', '# ', '\n', '\n\n}\n', 'inline {', '=', ',']


@pytest.fixture
def base(tmp_path):
    for name, text in (('users', 'alice\nbob\n'), ('aliases', 'postmaster: alice\n'), ('nets', '192.0.2.0/24\n')):
        (tmp_path / name).write_text(text)
    return tmp_path


def mutant(pick):
    words = re.findall(r'\n|[^\s]+| +', WHOLE)
    for _ in range(pick.choice([1, 1, 2, 5, 20])):
        if not words:
            break
        i, how = pick.randrange(len(words)), pick.randrange(6)
        if how == 0:
            del words[i]
        elif how == 1:
            words.insert(i, words[pick.randrange(len(words))])
        elif how == 2:
            words[i] = pick.choice(TOKENS)
        elif how == 3 and len(words[i]) > 1:
            at = pick.randrange(len(words[i]))
            words[i] = words[i][:at] + chr(ord(words[i][at]) ^ (1 << pick.randrange(7))) + words[i][at + 1:]
        elif how == 4:
            words[i:i + 3] = words[i:i + 3][::-1]
        else:
            words = words[:i] if pick.random() < 0.2 else words[:i] + [words[i]] + words[i:]
    return ''.join(words)


def check(directory, name, text, *more):
    path = os.path.join(directory, name)
    with open(path, 'w', encoding='utf-8', errors='surrogateescape', newline='') as f:
        f.write(text.replace('DIR', str(directory)))
    return path, subprocess.run([BINARY, 'check', '-c', path, *more], capture_output=True, timeout=30, env=ENV, check=False)


def test_mutants(base):
    def one(seed):
        text = mutant(random.Random(seed))
        path, done = check(base, f'm{seed}.conf', text)
        said = (done.stdout + done.stderr).decode('utf-8', 'replace')
        where = f'seed {seed}: exit {done.returncode}\n{said[-1500:]}'
        assert done.returncode in (0, 78), where
        assert not re.search('Sanitizer|runtime error', said), where
        assert not re.search(r'[\x00-\x08\x0b-\x1f\x7f]', said), where
        if done.returncode == 78:
            lines = said.strip().splitlines()
            places = [re.match(rf'{re.escape(path)}:(\d+):(\d+): \S', line) for line in lines]
            assert any(places) or re.search(r'DIR|/', said), where
            for m in filter(None, places):
                assert 1 <= int(m.group(1)) <= text.count('\n') + 2 and len(lines) <= 25, where
        # What passes comes out of `config --effective` and passes again, the same.
        else:
            effective = subprocess.run([BINARY, 'config', '--effective', '-c', path], capture_output=True, timeout=30, env=ENV, check=True)
            again = os.path.join(base, f'e{seed}.conf')
            with open(again, 'wb') as f:
                f.write(effective.stdout)
            twice = subprocess.run([BINARY, 'config', '--effective', '-c', again], capture_output=True, timeout=30, env=ENV, check=False)
            assert twice.returncode == 0 and twice.stdout == effective.stdout, where + twice.stderr.decode('utf-8', 'replace')
        return done.returncode == 78
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        refused = sum(pool.map(one, range(200)))
    assert 50 < refused < 200


def test_the_whole_one_is_sound(base):
    _, done = check(base, 'whole.conf', WHOLE)
    assert done.returncode == 0, done.stderr


def everybody(nets):
    """Whether these networks hold a sixteenth of all IPv4 or IPv6 addresses of the net, or more."""
    four = list(ipaddress.collapse_addresses(n for n in nets if n.version == 4))
    six = list(ipaddress.collapse_addresses(n for n in nets if n.version == 6))
    return sum(n.num_addresses for n in four) >= 2**28 or sum(n.num_addresses for n in six) >= 2**124


OPEN = ['0.0.0.0/0', '::/0', '0/0', '0.0.0.0', '0:0:0:0:0:0:0:0/0', '0000::/0', '::0/0', '0.0.0.0/1 128.0.0.0/1', '::/1 8000::/1',
        '::ffff:0:0/96', '::ffff:0.0.0.0/96', '::ffff:0:0/97 ::ffff:128.0.0.0/97', '::ffff:0:0/95', '0::ffff:0:0/96', '::/96', '::/64', '::/80',
        '64:ff9b::/96', '*', 'all', 'any', '0.0.0.0/00', '0.0.0.0/-1', '0.0.0.0/', '0.0.0.0/33', '0.0.0.0/4294967296', '::/256', '::/128/0',
        '2000::/3', '2000::/15', '1.0.0.0/7', '0.0.0.0/0.0.0.0', '00.0.0.0/0', '0x0/0', '[::]/0', '"0.0.0.0/0"', '"::/0"',
        ' '.join(f'{n}.0.0.0/8' for n in range(256)), ' '.join(f'{n}.0.0.0/8' for n in range(1, 17)),
        ' '.join(f'{n}.{m}.0.0/16' for n in range(16) for m in range(256)), ' '.join(f'{n * 16:x}00::/16' for n in range(16)) + ' ' +
        ' '.join(f'{n:x}::/16' for n in range(0x2000, 0x2010)), '::ffff:0:0/104 ::ffff:1.0.0.0/100', '0.0.0.0/0 # yes-i-want-an-open-relay',
        '0.0.0.0/0; # yes-i-want-an-open-relay', '10.0.0.0/8 0.0.0.0/0', '127.0.0.1 ::/0']


@pytest.mark.parametrize('nets', OPEN, ids=range(len(OPEN)))
def test_no_open_relay_passes(base, nets):
    one = WHOLE.replace('relay from 10.0.0.0/8 192.0.2.7', f'relay from {nets}')
    many = WHOLE.replace('relay from 10.0.0.0/8 192.0.2.7', '\n'.join(f'relay from {n}' for n in nets.split() if n[0] != '#'))
    for text in (one, many):
        _, done = check(base, 'open.conf', text)
        said = (done.stdout + done.stderr).decode()
        if done.returncode == 0:  # then it trusts few
            assert nets in ('0.0.0.0', '64:ff9b::/96', '::/96', '::/80', '::/64'), f'{nets} passes'
        else:
            assert done.returncode == 78 and re.search(r'open\.conf:\d+:\d+: ', said), said


def test_random_networks(base):
    """Networks at random: what together holds a sixteenth of the addresses never passes; small ones always do."""
    pick = random.Random(9)

    def one(seed):
        nets, bits = [], []
        for _ in range(pick.choice([1, 3, 20, 40])):
            if pick.random() < 0.5:
                n = pick.choice([7, 8, 8, 8, 9, 12, 16, 24, 32])
                nets.append(ipaddress.ip_network((pick.getrandbits(32) >> (32 - n) << (32 - n), n)))
            else:
                n = pick.choice([3, 15, 16, 16, 16, 20, 32, 48, 64, 128])
                nets.append(ipaddress.ip_network((pick.getrandbits(128) >> (128 - n) << (128 - n), n)))
            bits.append(n)
        text = WHOLE.replace('relay from 10.0.0.0/8 192.0.2.7', 'relay from ' + ' '.join(map(str, nets)))
        _, done = check(base, f'r{seed}.conf', text)
        wide = any(n.prefixlen < (8 if n.version == 4 else 16) for n in nets)
        if wide or everybody(nets):
            assert done.returncode == 78, nets
        elif len(nets) < 10 and not wide:
            assert done.returncode == 0, (nets, done.stderr)
    for seed in range(60):
        one(seed)


def test_domains_and_routes_make_no_open_relay(base):
    for line in ('domain * { recipients any; deliver relay }', 'domain . { recipients any; deliver relay }',
                 'domain "" { recipients any; deliver relay }', 'domain .com { recipients any; deliver relay }',
                 'domain com { recipients any; deliver relay }', 'domain *.com { recipients any; deliver relay }',
                 'domain "a b" { recipients any; deliver relay }', 'domain "*" { recipients any; deliver relay }'):
        _, done = check(base, 'domain.conf', WHOLE + line + '\n')
        assert done.returncode == 78 or line.startswith('domain com '), line
    for line in ('route * via 127.0.0.1:2525', 'route a.example via [::1]:2526', 'route a.example via mx1.example.org:2525',
                 'route a.example via localhost:2525', 'route example.org via 192.0.2.1', 'route a.example via 0.0.0.0:2525',
                 'route a.example via ::ffff:127.0.0.1:2525', 'route a.example via [::ffff:127.0.0.1]:2525', 'route a.example via MX1.EXAMPLE.ORG:2525',
                 'route a.example via mx1.example.org.:2525', 'route a.example via [::]:2526', 'route a.example via 127.1:2525'):
        text = WHOLE.replace('route * via mx port 2526\n', '') + line + '\n'
        _, done = check(base, 'route.conf', text)
        assert done.returncode == 78, f'{line} passes'
