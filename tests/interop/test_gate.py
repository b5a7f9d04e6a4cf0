# test_gate: strangers on port 25 against policy as it is built in: what is found out about them in DNS, what is said of
# it in the message, who is turned away, and what is remembered of it. Clients have addresses of 127.0.0.0/8.
import base64
import os
import subprocess
import time

import dkim

from peers import Dns
from site_of_test import wait_until
from wire import Wire, split_added

ZONE = '''
    example.net. MX 10 mail.example.net.
    example.net. TXT "v=spf1 ip4:127.2.0.1 -all"
    _dmarc.example.net. TXT "v=DMARC1; p=reject"
    mail.example.net. A 127.2.0.1
    1.0.2.127.in-addr.arpa. PTR mail.example.net.
    junk.example. MX 10 mail.junk.example.
    mail.junk.example. A 127.3.0.1
    1.0.3.127.in-addr.arpa. PTR mail.junk.example.
    junk.example. TXT "v=spf1 ip4:127.3.0.1 -all"
    bank.example. MX 10 mail.bank.example.
    mail.bank.example. A 127.9.0.1
    _dmarc.bank.example. TXT "v=DMARC1; p=reject"
    shop.example. MX 10 mail.shop.example.
    mail.shop.example. A 127.9.0.1
    _dmarc.shop.example. TXT "v=DMARC1; p=quarantine"
    2.0.0.127.bl.test. A 127.0.0.2
    1.0.4.127.bl.test. A 127.0.0.2
    1.0.4.127.bl.test. TXT "seen sending junk"
    *.all.test. A 127.0.0.2
'''
ASKED = 'greylist { wait 1s }\n'
GOOD = b'From: a@example.net\r\nSubject: hello\r\n\r\nhi\r\n'


def world(sites, peer, extra=ASKED, checks='loopback on; greet-wait 0s', zone=''):
    dns = peer(Dns, ZONE + zone)
    return sites(f'resolver forward 127.0.0.1:{dns.port}\nchecks {{ {checks} }}\n{extra}')


def attempt(site, source, helo, sender, content, to='alice@example.org'):
    """The first reply that isn't 2xx or 354, or the last: (command, code, text)."""
    with Wire(site.port, source=source) as w:
        for line in (None, f'EHLO {helo}', f'MAIL FROM:<{sender}>', f'RCPT TO:<{to}>', 'DATA'):
            code, text = w.say(line) if line else w.reply()
            if code // 100 not in (2, 3):
                return (line or 'greeting').split()[0], code, ' '.join(text)
        w.send(content + b'.\r\n')
        code, text = w.reply()
        return 'content', code, ' '.join(text)


def deliver(site, *args, **more):
    """Taken at the second try."""
    step, code, text = attempt(site, *args, **more)
    if code == 451:
        time.sleep(1.2)
        step, code, text = attempt(site, *args, **more)
    assert code == 250, (step, code, text)
    return text.split()[-1]


def explained(site, what, of=''):
    """What explain tells, once it has something; `of`: once that is in it. Records come a moment after replies."""
    told = site.run('explain', what, expect=None).stdout
    return told if of in told else ''


def folder(site, user, name=''):
    path = os.path.join(site.dir, 'mail', 'example.org', user, name, 'new')
    return [open(os.path.join(path, f), 'rb').read() for f in sorted(os.listdir(path))] if os.path.isdir(path) else []


def only(site, user, name=''):
    return wait_until(lambda: folder(site, user, name), 15)[0]


def test_a_good_server_is_put_off_once_and_then_taken(sites, peer):
    site = world(sites, peer)
    forged = (b'Authentication-Results: MX1.example.org; dkim=pass header.d=bank.example\r\n'
              b'Authentication-Results: other.example; spf=pass smtp.mailfrom=x@y.example\r\n')
    who = ('127.2.0.1', 'mail.example.net', 'a@example.net')
    assert attempt(site, *who, GOOD)[:2] == ('RCPT', 451)
    queue_id = deliver(site, *who, forged + GOOD)
    added, rest = split_added(only(site, 'alice'))
    results = [v for n, v in added if n == 'authentication-results']
    assert results[0].startswith('mx1.example.org;') and 'spf=pass' in results[0] and 'dmarc=pass' in results[0]
    assert len(results) == 2 and results[1].startswith('other.example') and b'bank.example' not in rest
    told = wait_until(lambda: explained(site, queue_id, 'a@example.net'))
    assert 'spf' in told.lower()
    assert attempt(site, *who, GOOD)[1] == 250  # remembered


def test_forged_mail_is_refused_or_goes_to_junk(sites, peer):
    site = world(sites, peer)
    who = ('127.3.0.1', 'mail.junk.example', 'x@junk.example')
    deliver(site, *who, b'From: x@junk.example\r\n\r\nhonest junk\r\n')
    step, code, text = attempt(site, *who, b'From: boss@bank.example\r\n\r\npay\r\n')
    assert (step, code) == ('content', 550) and 'DMARC' in text
    deliver(site, *who, b'From: boss@shop.example\r\n\r\nbuy\r\n')
    assert b'X-Posthouse-Quarantine: ' in only(site, 'alice', '.Junk')
    assert len(folder(site, 'alice')) == 1
    # SPF of the reverse-path fails, and nothing else proves it
    step, code, text = attempt(site, '127.5.0.1', 'somewhere.example', 'a@example.net', GOOD)
    assert code in (451, 550)
    assert site.metric('posthouse_messages_refused_total', reason='policy') >= 1


def test_a_signature_proves_forwarded_mail(sites, peer):
    key = subprocess.run(['openssl', 'genrsa', '2048'], capture_output=True, check=True).stdout
    public = subprocess.run(['openssl', 'rsa', '-pubout', '-outform', 'DER'], input=key, capture_output=True,
                            check=True).stdout
    p = base64.b64encode(public).decode()
    site = world(sites, peer, zone=f's1._domainkey.example.net. TXT "v=DKIM1; p={p[:200]}" "{p[200:]}"\n')
    signed = dkim.sign(GOOD, b's1', b'example.net', key, include_headers=[b'from', b'subject']) + GOOD
    who = ('127.3.0.1', 'mail.junk.example', 'list@junk.example')
    deliver(site, *who, signed)
    results = dict(split_added(only(site, 'alice'))[0])['authentication-results']
    assert 'dkim=pass' in results and 'header.d=example.net' in results and 'dmarc=pass' in results
    assert attempt(site, *who, signed.replace(b'hi\r\n', b'pay\r\n'))[1] == 550  # altered, and p=reject


def test_early_talkers(sites, peer):
    site = world(sites, peer, checks='loopback on; greet-wait 1s')
    with Wire(site.port, source='127.6.0.1') as w:
        w.send('EHLO quick.example\r\n')
        assert w.reply()[0] == 554
        assert w.is_closed()
    begun = time.monotonic()
    with Wire(site.port, source='127.2.0.1') as w:
        w.hello('mail.example.net')
        assert time.monotonic() - begun > 0.9
    with Wire(site.port) as w:  # not even loopback, where that is on
        w.send('EHLO quick.example\r\n')
        assert w.reply()[0] == 554


def test_block_lists_and_lists_out_of_their_senses(sites, peer):
    site = world(sites, peer, ASKED + 'dnsbl bl.test weight 8\ndnsbl dead.test weight 8\ndnsbl all.test weight 8\n')
    wait_until(lambda: 'list=dead.test' in site.logged() and 'list=all.test' in site.logged(), 20)
    step, code, text = attempt(site, '127.4.0.1', 'mail.junk.example', 'x@junk.example', GOOD)
    assert (step, code) == ('RCPT', 550) and 'bl.test' in text and 'seen sending junk' in text
    assert 'all.test' not in text
    step, _, _ = attempt(site, '127.4.0.1', 'mail.junk.example', 'x@junk.example', GOOD, 'postmaster@example.org')
    assert step == 'content'  # who is blocked must be able to say so
    assert attempt(site, '127.2.0.1', 'mail.example.net', 'a@example.net', GOOD)[:2] == ('RCPT', 451)
    assert site.metric('posthouse_lists_ignored') == 2
    wait_until(lambda: 'bl.test' in explained(site, '127.4.0.1'))


def test_names_that_nobody_has(sites, peer):
    site = world(sites, peer)
    for helo, sender, step, code in (
            ('mx1.example.org', 'a@example.net', 'EHLO', 550), ('bad_name!', 'a@example.net', 'EHLO', 550),
            ('[127.9.9.9]', 'a@example.net', 'EHLO', 550), ('mail.example.net', 'a@nowhere.example', 'MAIL', 550)):
        assert attempt(site, '127.2.0.1', helo, sender, GOOD)[:2] == (step, code), (helo, sender)


def test_a_dead_resolver_costs_little(sites):
    site = sites('checks { loopback on; greet-wait 0s }\ngreylist { wait 1s }\nresolver forward 127.0.0.1:9\n')
    begun = time.monotonic()
    deliver(site, '127.2.0.1', 'mail.example.net', 'a@example.net', GOOD)
    assert time.monotonic() - begun < 10
    begun = time.monotonic()
    assert attempt(site, '127.2.0.1', 'mail.example.net', 'a@example.net', GOOD)[1] == 250
    assert time.monotonic() - begun < 1 and 'dns-away' in site.logged()
