# test_simulate: policy walked for clients that aren't there, over DNS in a file or a server of the test's; and recorded
# decisions against another configuration.
import base64
import json
import os
import smtplib
import subprocess

import pytest

from peers import Dns
from site_of_test import BINARY, ENV, free_port, wait_until

ZONE = '''
2.2.0.192.in-addr.arpa. PTR mail.good.example.
mail.good.example. A 192.0.2.2
good.example. MX 10 mail.good.example.
good.example. TXT "v=spf1 a:mail.good.example -all"
_dmarc.good.example. TXT "v=DMARC1; p=reject"
other.example. MX 10 mail.other.example.
66.2.0.192.bl.example. A 127.0.0.4
66.2.0.192.bl.example. TXT "seen in a botnet"
silent.example. MX 0 .
slow.example. TIMEOUT
'''

CONFIG = '''version 1
hostname mx.our.example
state {dir}/state
control {dir}/control
listen mx 127.0.0.1:2525
table people inline {{ "alice" "bob" "sales = alice, bob" }}
table wanted file {dir}/wanted
domain our.example {{ recipients people; deliver maildir "{dir}/mail/{{local}}" }}
relay from 10.0.0.0/8
dnsbl bl.example weight 8
resolver forward 127.0.0.1:{port}
{more}
'''

MESSAGE = 'From: Ann <ann@good.example>\nTo: alice@our.example\nSubject: hello\n\nhow are you\n'


class House:
    def __init__(self, directory):
        self.dir, self.port = str(directory), free_port()
        self.write('zone', ZONE)
        self.write('message', MESSAGE)
        self.write('wanted', 'news@list.example\n.friends.example\n')
        self.configure()

    def write(self, name, text):
        with open(os.path.join(self.dir, name), 'w', encoding='utf-8') as f:
            f.write(text)
        return os.path.join(self.dir, name)

    def configure(self, more='', name='posthouse.conf'):
        return self.write(name, CONFIG.format(dir=self.dir, port=self.port, more=more))

    def run(self, *args, code=0, config='posthouse.conf', stdin=None):
        done = subprocess.run([BINARY, 'simulate', '-c', os.path.join(self.dir, config), *args], capture_output=True,
                              text=True, timeout=60, env=ENV, input=stdin)
        assert done.returncode == code, done
        assert 'Sanitizer' not in done.stderr, done.stderr
        return done

    def session(self, client, helo, sender, *rcpts, message=True, more=(), code=0, dns=True):
        args = ['--client', client, '--helo', helo, '--from', sender, '--json', *more]
        for rcpt in rcpts or ['alice@our.example']:
            args += ['--rcpt', rcpt]
        if message:
            args += ['--message', os.path.join(self.dir, 'message')]
        if dns:
            args += ['--dns', os.path.join(self.dir, 'zone')]
        return json.loads(self.run(*args, code=code).stdout)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def step(result, stage, at=0):
    return [s for s in result['steps'] if s['stage'] == stage][at]


def facts(step_of):
    return {name: value for rule in step_of['rules'] for name, value in rule['facts'].items()}


def test_good_mail(house):
    result = house.session('192.0.2.2', 'mail.good.example', 'ann@good.example')
    assert result['verdict']['outcome'] == 'taken', result['verdict']
    assert 'spf=pass' in result['results'] and 'dmarc=pass' in result['results']
    first, again = step(result, 'recipient'), step(result, 'recipient', 1)
    assert first['reply'].startswith('451 4.7.1') and again['again'] and not again['reply']
    assert facts(first)['spf'] == 'pass' and facts(again)['proven'] == 'true'
    asked = {d['question']: d['answer'] for d in first['dns']}
    assert asked['TXT good.example'] == 'OK v=spf1 a:mail.good.example -all'


def test_forged_mail(house):
    result = house.session('192.0.2.3', 'mail.other.example', 'x@other.example')
    assert result['verdict'] == {'outcome': 'refused', 'stage': 'content', 'line': 0,
                                 'reply': '550 5.7.1 forged: by the DMARC policy of good.example'}
    house.configure('dmarc monitor')
    assert house.session('192.0.2.3', 'mail.other.example', 'x@other.example')['verdict']['outcome'] == 'taken'


def test_signed_mail(house):
    dkim = pytest.importorskip('dkim')
    key = subprocess.run(['openssl', 'genrsa', '2048'], capture_output=True, check=True).stdout
    public = subprocess.run(['openssl', 'rsa', '-pubout', '-outform', 'DER'], input=key, capture_output=True,
                            check=True).stdout
    record = base64.b64encode(public).decode()
    house.write('zone', ZONE + f's._domainkey.good.example. TXT "v=DKIM1; k=rsa; p={record[:200]}" "{record[200:]}"\n')
    message = MESSAGE.replace('\n', '\r\n').encode()
    signed = dkim.sign(message, b's', b'good.example', key) + message
    house.write('message', signed.decode().replace('\r\n', '\n'))
    result = house.session('192.0.2.3', 'mail.other.example', 'x@other.example')
    assert result['verdict']['outcome'] == 'taken', result
    assert 'dkim=pass' in result['results'] and 'dmarc=pass' in result['results']


def test_what_a_rule_says(house):
    house.configure('policy recipient {\n    accept when sender in wanted\n    reject 553 when recipients > 1 "one by one"\n'
                    '    tarpit 3s when not helo.confirmed\n    tag slow when not helo.confirmed\n    built-in\n}')
    result = house.session('192.0.2.66', 'mail.other.example', 'x@other.example', 'alice@our.example',
                           more=['--fact', 'proven=yes'])
    refused = step(result, 'recipient')
    assert refused['reply'] == '550 5.7.1 blocked: bl.example (127.0.0.4: seen in a botnet)'
    assert refused['tarpit_seconds'] == 3
    result = house.session('192.0.2.66', 'mail.other.example', 'news@list.example', 'alice@our.example',
                           more=['--fact', 'sender.missing=false'], message=False)
    assert result['verdict']['outcome'] == 'taken'
    assert [(r['line'] > 0, r['matched']) for r in step(result, 'recipient')['rules']] == [(True, True)]
    result = house.session('192.0.2.2', 'mail.good.example', 'ann@good.example', 'alice@our.example', 'bob@our.example',
                           more=['--fact', 'proven=true'], message=False)
    second = step(result, 'recipient', 1)
    assert second['reply'] == '553 5.7.1 one by one' and second['line'] == 14


def test_recipients(house):
    result = house.session('192.0.2.2', 'mail.good.example', 'ann@good.example', 'nobody@our.example', 'sales@our.example',
                           'x@elsewhere.example', more=['--fact', 'proven=true'])
    replies = [s['reply'][:9] for s in result['steps'] if s['stage'] == 'recipient']
    assert replies == ['550 5.1.1', '', '550 5.7.1']
    assert result['verdict']['outcome'] == 'taken'
    result = house.session('10.1.1.1', 'pc', 'ann@good.example', 'x@elsewhere.example')
    assert result['verdict']['outcome'] == 'taken'
    result = house.session('192.0.2.9', 'pc', 'ann@our.example', 'x@elsewhere.example', more=['--user', 'ann'])
    assert result['verdict']['outcome'] == 'taken'


def test_ends_where_nothing_is_known(house):
    stages = [s['stage'] for s in json.loads(house.run('--client', '192.0.2.2', '--json', '--dns',
                                                       os.path.join(house.dir, 'zone')).stdout)['steps']]
    assert stages == ['connect']
    text = house.run('--client', '192.0.2.2', '--helo', 'mx.our.example', '--dns', os.path.join(house.dir, 'zone')).stdout
    assert 'verdict: refused at helo: 550 5.7.1' in text
    text = house.run('--client', '192.0.2.3', '--helo', 'mail.other.example', '--from', '<>', '--rcpt', '<alice@our.example>',
                     '--dns', os.path.join(house.dir, 'zone')).stdout
    assert 'without a message' in text


def test_dns_of_a_server(house, peer):
    dns = peer(Dns, ZONE.replace('slow.example. TIMEOUT', '') + '2.0.0.127.bl.example. A 127.0.0.2\n')
    house.port = dns.port
    house.configure()
    result = house.session('192.0.2.66', 'mail.other.example', 'x@other.example', dns=False)
    assert step(result, 'recipient')['reply'].startswith('550 5.7.1 blocked'), result['verdict']
    assert house.session('192.0.2.2', 'mail.good.example', 'ann@good.example', dns=False)['verdict']['outcome'] == 'taken'


def test_names_that_a_sender_chose(house, peer):
    """A local part may be anything, and SPF asks for it (RFC 7208 7): such a name is asked for as it is."""
    dns = peer(Dns, 'odd.example. TXT "v=spf1 exists:%{l}.users.odd.example -all"\nodd.example. MX 10 odd.example.\n'
                    'odd.example. A 192.0.2.5\n\\"a\\032\\@b\\".users.odd.example. A 127.0.0.2\n')
    house.port = dns.port
    house.configure('policy recipient { tag "pass" when spf = pass; tag "fail" when spf = fail; built-in }')
    for sender, result in (('"a @b"@odd.example', 'pass'), ('"a @c"@odd.example', 'fail'), ('x@odd.example', 'fail'),
                           ('x\u00e9@odd.example', 'fail')):
        found = house.session('192.0.2.5', 'odd.example', sender, dns=False)
        assert facts(step(found, 'recipient'))['spf'] == result, (sender, found)


def test_list_out_of_its_senses(house, peer):
    """A list without its test entry (RFC 5782 5) is told of, and decides nothing."""
    dns = peer(Dns, ZONE.replace('slow.example. TIMEOUT', ''))
    house.port = dns.port
    house.configure()
    done = house.run('--client', '192.0.2.66', '--helo', 'a.other.example', '--from', 'x@other.example', '--rcpt',
                     'alice@our.example', '--json')
    assert "bl.example isn't asked" in done.stderr
    assert json.loads(done.stdout)['verdict']['outcome'] == 'taken'


def test_list_of_everybody_in_a_file(house):
    """A file need not have a list's test entry, but a list that has everybody decides nothing there either."""
    bot = '192.0.2.66', 'a.other.example', 'x@other.example'
    assert step(house.session(*bot), 'recipient')['reply'].startswith('550 5.7.1 blocked')
    with open(os.path.join(house.dir, 'zone'), 'a') as f:
        f.write('*.bl.example. A 127.0.0.2\n')
    assert 'blocked' not in step(house.session(*bot), 'recipient')['reply']


def test_nobody_answers(house):
    """Where DNS is silent nothing is held against the client."""
    result = house.session('192.0.2.2', 'mail.good.example', 'ann@slow.example', more=['--fact', 'spf=none'])
    assert not step(result, 'mail')['reply']
    house.configure('checks { dns-time 500ms }')  # nobody listens on that port
    result = house.session('192.0.2.2', 'mail.good.example', 'ann@good.example', dns=False)
    assert result['verdict']['outcome'] == 'taken', result['verdict']
    assert facts(step(result, 'recipient'))['spf'] == 'temperror'


def test_without_a_configuration(house):
    """Nothing at the usual place: the built-in rules are walked, with the recipients' domains for ours."""
    assert not os.path.exists('/etc/posthouse/posthouse.conf')

    def walk(*more, code=0):
        done = subprocess.run([BINARY, 'simulate', '--client', '192.0.2.3', '--helo', 'mail.other.example', '--from',
                               'x@other.example', '--dns', os.path.join(house.dir, 'zone'), *more],
                              capture_output=True, text=True, timeout=60, env=ENV)
        assert done.returncode == code and 'Sanitizer' not in done.stderr, done
        return done
    message = ('--message', os.path.join(house.dir, 'message'))
    text = walk('--rcpt', 'alice@Our.Example', '--rcpt', 'bob@our.example', '--rcpt', 'c@their.example', *message).stdout
    assert text.startswith('built-in defaults, since there is no /etc/posthouse/posthouse.conf') and \
        'ours: our.example, their.example\n' in text
    assert 'verdict: refused at content: 550 5.7.1 forged: by the DMARC policy of good.example\n' in text
    result = json.loads(walk('--rcpt', 'alice@our.example', '--json').stdout)
    assert result['configuration'] == 'built-in' and result['verdict']['outcome'] == 'taken'
    assert 'ours' not in walk('--rcpt', 'postmaster').stdout.splitlines()[0]
    walk('-c', '/etc/posthouse/posthouse.conf', code=78)
    assert house.session('192.0.2.2', 'mail.good.example', 'ann@good.example')['configuration'].endswith('/posthouse.conf')


def test_filters_are_named(house):
    """What a filter would say isn't known here, and that is told."""
    house.configure('filter spam milter 127.0.0.1:9; filter out milter 127.0.0.1:9 { for submission }\n'
                    'filter quotas delegation 127.0.0.1:9\npolicy recipient { ask quotas; accept }')
    result = house.session('192.0.2.2', 'mail.good.example', 'ann@good.example')
    assert result['filters_not_asked'] == ['spam'] and step(result, 'recipient')['filters_not_asked'] == ['quotas']
    result = house.session('192.0.2.9', 'pc', 'ann@our.example', 'x@elsewhere.example', more=['--user', 'ann'])
    assert result['filters_not_asked'] == ['out']
    text = house.run('--client', '192.0.2.2', '--helo', 'mail.good.example', '--from', 'ann@good.example', '--rcpt',
                     'alice@our.example', '--dns', os.path.join(house.dir, 'zone')).stdout
    assert 'filter  quotas would be asked' in text and '\nfilter spam would be asked' in text


def test_a_user_is_no_stranger(house):
    """No rule is asked about who logged in: a session of port 587 has no policy."""
    house.configure('policy mail { reject }')
    result = house.session('192.0.2.9', 'pc', 'ann@our.example', 'x@elsewhere.example', more=['--user', 'ann'])
    assert result['verdict']['outcome'] == 'taken' and not any(s['rules'] for s in result['steps'])


def test_a_trusted_client_is_no_stranger(house):
    """As in the server: policy isn't asked about clients of relay from."""
    house.configure('policy mail { reject }')
    result = house.session('10.1.1.1', 'pc', 'ann@our.example', 'x@elsewhere.example')
    assert result['verdict']['outcome'] == 'taken' and not any(s['rules'] for s in result['steps'])
    assert house.session('192.0.2.2', 'pc', 'ann@good.example')['verdict']['stage'] == 'mail'


def test_a_field_that_is_there_twice(house):
    house.configure('policy content { discard when header X-Spam-Flag = yes }')
    house.write('message', 'X-Spam-Flag: NO\n' + MESSAGE.replace('\n\n', '\nX-Spam-Flag: YES\n\n'))
    assert house.session('192.0.2.2', 'mail.good.example', 'ann@good.example')['verdict']['outcome'] == 'discarded'


def test_thrown_away_or_held_by_recipient(house):
    house.configure('policy recipient { discard when recipient = bob@our.example; hold when recipient = alice@our.example }')
    def outcome(*rcpts, message=True):
        return house.session('192.0.2.2', 'mail.good.example', 'ann@good.example', *rcpts, message=message)['verdict']['outcome']
    assert outcome('bob@our.example') == outcome('bob@our.example', message=False) == 'discarded'
    assert outcome('alice@our.example') == outcome('alice@our.example', message=False) == 'held'
    assert outcome('alice@our.example', 'bob@our.example') == 'held'
    house.configure('policy recipient { discard when recipient = bob@our.example }')
    assert outcome('alice@our.example', 'bob@our.example') == 'taken'


def test_usage(house):
    help_text = house.run('--help').stdout
    assert '--replay' in help_text and '\n  posthouse simulate --client' in help_text
    zone = os.path.join(house.dir, 'zone')
    house.run(code=64)
    house.run('--client', 'nowhere', code=64)
    house.run('--client', '192.0.2.1', '--from', 'no address', code=64)
    house.run('--client', '192.0.2.1', '--rcpt', 'a@b@c', code=64)
    house.run('--client', '192.0.2.1', '--fact', 'no.such=1', code=64)
    house.run('--client', '192.0.2.1', '--fact', 'client.known=perhaps', code=64)
    house.run('--client', '192.0.2.1', '--now', 'x', code=64)
    house.run('--client', '192.0.2.1', '--dns', zone + '.not', code=66)
    house.run('--client', '192.0.2.1', '--dns', house.write('bad', 'a.example. A nonsense\n'), code=65)
    house.run('--client', '192.0.2.1', '--dns', zone, '--message', zone + '.not', code=66)
    house.run('--client', '192.0.2.1', '--dns', zone, config='none', code=78)


# --- replay


def recorded(stage, outcome, **more):
    """As a line of explain --json."""
    line = {'when': '2026-11-21T10:41:15.123Z', 'stage': stage, 'outcome': outcome, 'session': 'S1',
            'client': '192.0.2.3', 'helo': 'mail.other.example', 'user': '', 'sender': 'x@other.example',
            'recipients': ['alice@our.example'], 'code': 0, 'text': '', 'remote': '', 'rules': [], 'filters': [],
            'facts': {'client.shut-out': 'false', 'client.known': 'false', 'client.early': 'false', 'pipelined': 'false',
                      'helo.ours': 'false', 'sender.null-mx': 'false', 'sender.missing': 'false', 'spf': 'none',
                      'proven': 'true', 'client.ptr-confirmed': 'true'},
            'dns': [{'question': 'A 3.2.0.192.bl.example', 'answer': 'NXDOMAIN'}], 'tags': []}
    line['facts'].update(more.pop('facts', {}))
    line.update(more)
    return line


CONTENT = {'dmarc': 'fail', 'dmarc.policy': 'reject', 'dmarc.enforced': 'reject', 'dmarc.domain': 'good.example',
           'dkim': 'none', 'from.several': 'false', 'from.broken': 'false', 'size': '1234'}
REJECTED = dict(code=550, text='forged: by the DMARC policy of good.example',
                rules=[{'source': 'reject 550 5.7.1 when dmarc.enforced = reject "forged"', 'line': 0, 'matched': True}])


def replay(house, lines, *more, config='posthouse.conf'):
    house.write('then', '\n'.join(json.dumps(line) for line in lines) + '\n')
    out = house.run('--replay', os.path.join(house.dir, 'then'), '--json', *more, config=config).stdout
    *changes, summary = [json.loads(line) for line in out.splitlines()]
    assert summary['changed'] == len(changes)
    return changes, summary


def test_replay_of_the_same(house):
    lines = [recorded('content', 'accepted', facts={**CONTENT, 'dmarc': 'pass', 'dmarc.policy': 'none'}),
             recorded('content', 'refused', facts=CONTENT, **REJECTED),
             recorded('recipient', 'refused', code=550, text='no such recipient here'),
             recorded('recipient', 'deferred', code=451, text='greylisted', facts={'proven': 'false', 'spf': 'pass'},
                      rules=[{'source': 'greylist unless proven', 'line': 0, 'matched': True}]),
             recorded('login', 'refused'), recorded('delivery', 'delivered')]
    changes, summary = replay(house, lines)
    assert not changes, changes
    assert summary == {'summary': True, 'decisions': 4, 'changed': 0, 'stricter': 0, 'milder': 0, 'not_by_policy': 1,
                       'with_unknown': 0}


def test_replay_against_another(house):
    lines = [recorded('content', 'refused', facts=CONTENT, **REJECTED),
             recorded('content', 'accepted', facts={**CONTENT, 'dmarc': 'pass', 'dmarc.policy': 'none'}),
             recorded('content', 'accepted', client='192.0.2.66', facts={**CONTENT, 'dmarc.policy': 'none'},
                      dns=[{'question': 'A 66.2.0.192.bl.example', 'answer': 'OK 127.0.0.4'},
                           {'question': 'TXT 66.2.0.192.bl.example', 'answer': 'OK seen in a botnet'}])]
    house.configure('dmarc monitor\npolicy helo { reject when header_less }', name='wrong.conf')
    house.run('--replay', house.write('then', ''), config='wrong.conf', code=78)
    house.configure('dmarc monitor\npolicy mail { reject when sender = x@other.example and client.ip = 192.0.2.66 "not you" }',
                    name='new.conf')
    changes, summary = replay(house, lines, config='new.conf')
    assert [(c['was'], c['would_be']) for c in changes] == [('refused', 'taken'), ('taken', 'refused')], changes
    assert 'not you' in changes[1]['would_be_because'] and 'line 13' in changes[1]['would_be_because']
    assert summary['stricter'] == summary['milder'] == 1
    changes, _ = replay(house, lines[2:])  # that list is asked by the present configuration as well
    assert changes[0]['would_be_because'].startswith('refused at recipient: 550 5.7.1 blocked: bl.example (127.0.0.4')


def test_replay_names_what_is_not_known(house):
    house.configure('dnsbl new.example weight 9\npolicy content { reject when header List-Id = "" ; built-in }', name='new.conf')
    lines = [recorded('content', 'accepted', facts={**CONTENT, 'dmarc.policy': 'none', 'header List-Id': '<x>'}),
             recorded('content', 'accepted', facts={**CONTENT, 'dmarc.policy': 'none'})]
    changes, summary = replay(house, lines, config='new.conf')
    assert summary['with_unknown'] == 2 and len(changes) == 1, (changes, summary)
    assert changes[0]['unknown'] == ['A 3.2.0.192.new.example', 'header List-Id']
    text = house.run('--replay', os.path.join(house.dir, 'then'), config='new.conf').stdout
    assert '2026-11-21T10:41:15.123Z  192.0.2.3' in text and 'header List-Id' in text


def test_replay_of_what_is_no_record(house):
    house.run('--replay', os.path.join(house.dir, 'not-there'), code=66)
    for text in ('nonsense\n', '{}\n', '[1]\n', '{"stage": "content", "outcome": "perhaps"}\n', '"\\ud800"\n'):
        done = house.run('--replay', house.write('then', text), code=65)
        assert 'line 1' in done.stderr


def speak(site, client, helo, sender, rcpt):
    """What the server says of one message of a client that is at `client`."""
    with smtplib.SMTP('127.0.0.1', site.port, timeout=30) as smtp:
        smtp.ehlo('test')
        assert smtp.docmd('XCLIENT', f'ADDR={client}')[0] == 220
        smtp.ehlo(helo)
        try:
            smtp.sendmail(sender, [rcpt], MESSAGE.replace('\n', '\r\n'))
        except smtplib.SMTPRecipientsRefused as e:
            return e.recipients[rcpt][0]
        except smtplib.SMTPResponseException as e:
            return e.smtp_code
    return 250


def test_replay_of_a_server(sites, peer):
    """What a server decided, it would decide again; DMARC that only watches would take the forged message."""
    dns = peer(Dns, ZONE.replace('slow.example. TIMEOUT', ''))
    site = sites(f'xclient from 127.0.0.0/8\nresolver forward 127.0.0.1:{dns.port}\nchecks {{ greet-wait 0s }}\n'
                 'policy recipient { accept when client.ip in 192.0.2.2, 192.0.2.3; built-in }')
    assert speak(site, '192.0.2.2', 'mail.good.example', 'ann@good.example', 'alice@example.org') == 250
    assert speak(site, '192.0.2.3', 'mail.other.example', 'x@other.example', 'alice@example.org') == 550
    assert speak(site, '192.0.2.3', 'mail.other.example', 'x@silent.example', 'alice@example.org') == 550
    assert speak(site, '192.0.2.4', 'mail.other.example', 'x@other.example', 'nobody@example.org') == 550
    history, then = os.path.join(site.dir, 'state', 'history'), os.path.join(site.dir, 'then')

    def replay_it(config, what):
        done = subprocess.run([BINARY, 'simulate', '--json', '-c', config, '--replay', what], capture_output=True,
                              text=True, timeout=60, env=ENV, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    *_, summary = wait_until(lambda: (r := replay_it(site.config, history)) and r[-1]['decisions'] >= 4 and r, 20, 0.3)
    assert summary['changed'] == 0 and summary['not_by_policy'] == 1, summary
    with open(site.config, encoding='utf-8') as f:
        site.write('new.conf', f.read() + '\ndmarc monitor\n')
    told = site.run('explain', '--json', 'alice@example.org').stdout
    with open(then, 'w', encoding='utf-8') as f:
        f.write(told)
    for what in (history, then):
        change, summary = replay_it(os.path.join(site.dir, 'new.conf'), what)
        assert (change['was'], change['would_be']) == ('refused', 'taken') and summary['milder'] == 1
