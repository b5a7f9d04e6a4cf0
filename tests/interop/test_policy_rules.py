# test_policy_rules: rules that an administrator writes, over tables of every kind, walked by `simulate`; what `check`
# says of them; and that the effective configuration decides the same.
import json
import os
import subprocess

import pytest

from site_of_test import BINARY, ENV

ZONE = '''
mail.good.example. A 192.0.2.2
good.example. MX 10 mail.good.example.
good.example. TXT "v=spf1 ip4:192.0.2.2 -all"
2.2.0.192.in-addr.arpa. PTR mail.good.example.
'''

CONFIG = '''hostname mx.our.example
state {dir}/state
control {dir}/control
listen mx 127.0.0.1:2525
table partners cidr {dir}/partners
table dynamic regex {dir}/dynamic
table friends file {dir}/friends
table former inline {{ "gone@our.example" "@old.our.example" ".below.example" "2001:db8:7::/48" }}
domain our.example {{ recipients any; deliver maildir "{dir}/mail/{{local}}" }}
domain old.our.example {{ recipients any; deliver maildir "{dir}/mail/{{local}}" }}
policy connect {{
    accept when client.ip in partners
    reject 554 5.7.1 when client.ip in 203.0.113.0/24, former "no {{client.ip}}"
}}
policy helo {{ reject 550 5.7.1 when helo in dynamic "{{helo}} looks dynamic" }}
policy mail {{ defer 450 4.1.8 when sender in friends and tls; tag friend when sender in friends }}
policy recipient {{
    redirect postmaster@our.example when recipient in former
    reject 551 5.1.6 when recipient.domain in former "moved"
    reject when helo in former "{{helo}} is below"
}}
policy content {{
    header "X-Seen: {{client.ip}} {{header Subject}}" when header Subject matches "^(spam|ham)"
    quarantine when header Subject matches "^spam\\\\b"
    discard when header X-Gone != ""
}}
'''


class Site:
    def __init__(self, directory):
        self.dir = str(directory)
        self.write('zone', ZONE)
        self.write('partners', '# ours\n198.51.100.0/24 ; a list of another make\n2001:db8:1::/48\n')
        self.write('dynamic', '^(dsl|ppp)[-.][0-9]\n\\.dyn\\.example$\n')
        self.write('friends', 'ann@good.example\n@all.example\n')
        self.config = self.write('conf', CONFIG.format(dir=self.dir))

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def run(self, *args):
        done = subprocess.run([BINARY, *args, '-c', self.config], capture_output=True, text=True, timeout=60, env=ENV, check=False)
        assert 'Sanitizer' not in done.stderr, done.stderr
        return done

    def walk(self, subject='hello', more='', **who):
        who = {'client': '192.0.2.2', 'helo': 'mail.good.example', 'from': 'bob@good.example', 'rcpt': 'a@our.example', **who}
        args = [word for name, value in who.items() for word in (f'--{name}', value)]
        message = self.write('message', f'From: bob@good.example\nSubject: {subject}\n{more}\nhello\n')
        done = self.run('simulate', *args, '--message', message, '--dns', os.path.join(self.dir, 'zone'), '--json')
        assert done.returncode == 0, done
        return json.loads(done.stdout)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def reply(result):
    return result['verdict'].get('reply') or result['verdict']['outcome']


CASES = [
    ({}, 'taken'),
    ({'client': '203.0.113.9'}, '554 5.7.1 no 203.0.113.9'),
    ({'client': '2001:db8:7::1'}, '554 5.7.1 no 2001:db8:7::1'),
    ({'client': '2001:db8:8::1'}, 'taken'),
    ({'client': '198.51.100.7'}, 'taken'),
    ({'helo': 'DSL-1.example.net'}, '550 5.7.1 DSL-1.example.net looks dynamic'),
    ({'helo': 'a.dyn.example'}, '550 5.7.1 a.dyn.example looks dynamic'),
    ({'helo': 'xdyn.example'}, 'taken'),
    ({'from': 'ann@good.example'}, 'taken'),
    ({'helo': 'x.below.example'}, '550 5.7.1 x.below.example is below'),
    ({'subject': 'ham'}, 'taken'),
]


@pytest.mark.parametrize('who,wanted', CASES, ids=range(len(CASES)))
def test_verdicts(site, who, wanted):
    assert reply(site.walk(**who)) == wanted
    # And likewise by what `config --effective` prints.
    effective = site.run('config', '--effective')
    assert effective.returncode == 0, effective
    site.config = site.write('effective', effective.stdout)
    assert reply(site.walk(**who)) == wanted


def test_what_goes_on(site):
    def step(result, stage):
        return next(s for s in result['steps'] if s['stage'] == stage)
    assert 'postmaster@our.example' in json.dumps(step(site.walk(rcpt='gone@our.example'), 'recipient'))
    assert 'postmaster@our.example' in json.dumps(step(site.walk(rcpt='x@old.our.example'), 'recipient'))
    assert 'friend' in json.dumps(step(site.walk(**{'from': 'x@all.example'}), 'mail')['rules'])
    content = json.dumps(site.walk(subject='spam for you'))
    assert 'X-Seen: 192.0.2.2 spam for you' in content and 'quarantine' in content
    assert site.walk(more='X-Gone: 1\n')['verdict']['outcome'] == 'discarded'


def test_a_table_that_changes_or_is_away(site):
    site.write('partners', '203.0.113.9\n')
    assert reply(site.walk(client='203.0.113.9')) == 'taken'
    os.remove(os.path.join(site.dir, 'partners'))  # what can't be read has nothing
    assert reply(site.walk(client='203.0.113.9')) == '554 5.7.1 no 203.0.113.9'


def test_check(site):
    site.write('partners', '198.51.100.7/24\n')
    site.write('dynamic', '(open\n')
    site.config = site.write('conf', CONFIG.format(dir=site.dir) + 'filter quotas delegation unix:q\ndnsbl bl.example\n')
    done = site.run('check')
    assert done.returncode == 0, done
    assert 'partners:1: warning: expected a network such as 192.0.2.0/24' in done.stderr
    assert 'dynamic:1: warning: expected a regular expression, found that missing closing parenthesis' in done.stderr
    assert ': warning: filter quotas is never asked: no rule says "ask quotas"' in done.stderr
    assert ': warning: lists are named, and no rule asks for dnsbl.score or dnsbl.allowed' in done.stderr
    site.config = site.write('conf', CONFIG.format(dir=site.dir).replace('helo in dynamic', 'helo in dynamics'))
    done = site.run('check')
    assert done.returncode == 78 and ':15:45: expected the name of a table, found "dynamics"; did you mean "dynamic"?' in done.stderr
