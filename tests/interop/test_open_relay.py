# test_open_relay: a stranger can't get mail through to anywhere but our own recipients, however the address is dressed.
import pytest

from site_of_test import free_port
from wire import Wire

# With what example.org is ours, mx1.example.org our name and 127.0.0.1 our address; victim.example is neither.
FORMS = [
    '<victim@victim.example>',
    '<victim@[192.0.2.1]>',
    '<victim@[127.0.0.1]>',
    '<victim@[IPv6:2001:db8::1]>',
    '<victim@192.0.2.1>',
    '<victim%victim.example@example.org>',
    '<victim%victim.example@mx1.example.org>',
    '<victim%victim.example@[127.0.0.1]>',
    '<victim%victim.example@localhost>',
    '<victim%victim.example>',
    '<victim@victim.example@example.org>',
    '<"victim@victim.example"@example.org>',
    '<"victim%victim.example"@example.org>',
    '<"victim@victim.example">',
    '<"victim@victim.example"@[127.0.0.1]>',
    '<victim.example!victim@example.org>',
    '<victim.example!victim>',
    '<victim.example!victim@mx1.example.org>',
    '<example.org!victim.example!victim>',
    '<@example.org:victim@victim.example>',
    '<@mx1.example.org:victim@victim.example>',
    '<@example.org,@mx1.example.org:victim@victim.example>',
    '<@example.org:victim%victim.example@example.org>',
    '<victim@victim.example:25>',
    '<victim@victim.example.>',
    '<victim@example.org.victim.example>',
    '<victim@.example.org>',
    '<victim@sub.example.org>',
    '<victim@example.org@victim.example>',
    '<alice@example.org>, <victim@victim.example>',
    '<alice@example.org> <victim@victim.example>',
    'victim@victim.example',
    '<"alice@example.org" victim@victim.example>',
    '<"alice@example.org>,<victim"@victim.example>',
    '<\\victim@victim.example>',
    '<victim\\@victim.example@example.org>',
    '<alice+victim%victim.example@example.org@victim.example>',
    '<victim@xn--victim-.example>',
    '<victim@victim．example>',
    '<victim@localhost>',
    '<root>',
]
SENDERS = ['you@example.net', 'alice@example.org', 'alice@mx1.example.org', 'root@localhost', '']


@pytest.mark.parametrize('sender', SENDERS)
def test_refused_from(sites, sender):
    site = sites(f'limit {{ errors 1000 }}\nroute * via 127.0.0.1:{free_port()}')
    let_in = []
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, f'MAIL FROM:<{sender}>')
        for form in FORMS:
            code, text = w.say(f'RCPT TO:{form}'.encode())
            assert code >= 500 or 200 <= code < 300, (form, code, text)
            if code < 300:
                let_in.append(form)
        w.expect((503, 554), 'DATA')
    assert let_in == []


def test_plainly_foreign_is_5_7_1(site):
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        for form in FORMS[:1] + ['<victim%victim.example@elsewhere.example>', '<@example.org:victim@victim.example>']:
            code, text = w.say(f'RCPT TO:{form}')
            assert code == 550 and text[0].startswith('5.7.1'), (form, code, text)


def test_trusted_network_may_relay_and_others_may_not(sites):
    site = sites(f'relay from 127.0.0.2/32\nroute * hold')
    with Wire(site.port, source='127.0.0.2') as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        w.expect(250, 'RCPT TO:<someone@elsewhere.example>')
    with Wire(site.port, source='127.0.0.3') as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        w.expect(550, 'RCPT TO:<someone@elsewhere.example>')


def test_vrfy_and_expn_tell_nothing(site):
    with Wire(site.port) as w:
        w.hello()
        assert w.say('VRFY alice')[0] == w.say('VRFY nobody')[0] == 252
        assert w.say('EXPN sales')[0] in (502, 550, 252)
