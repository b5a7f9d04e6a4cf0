# test_filters_told: what filters are told of clients and users, and answers of theirs that Sendmail and Postfix know:
# places around our own Received, words of their own for unknown commands, progress, actions of servers of policy.
import ssl
import subprocess
import time

from milter import Milter, PolicyServer, at, header, packet
from peers import Dns
from site_of_test import PASSWORDS, wait_until
from test_filters import MESSAGE, filters, send
from wire import Wire

RECORDS = '''
7.2.0.192.in-addr.arpa. PTR mail.example.net.
mail.example.net. A 192.0.2.7
8.2.0.192.in-addr.arpa. PTR liar.example.net.
liar.example.net. A 192.0.2.99
'''


def test_names_of_trusted_clients(sites, peer):
    """Nobody but filters asks who they are."""
    milter, dns = peer(Milter), peer(Dns, RECORDS)
    site = sites(extra=filters(milter) +
                 f'relay from 192.0.2.0/24\nxclient from 127.0.0.0/8\nresolver forward 127.0.0.1:{dns.port}\nresolver dnssec off\n')
    for ip, host, name, ptr in (('192.0.2.7', b'mail.example.net', 'mail.example.net', 'mail.example.net'),
                                ('192.0.2.8', b'[192.0.2.8]', 'unknown', 'liar.example.net'),
                                ('192.0.2.9', b'[192.0.2.9]', 'unknown', 'unknown')):
        with Wire(site.port) as w:
            w.hello()
            w.expect(220, f'XCLIENT ADDR={ip}')
            w.expect(250, 'EHLO x.example.net')
            w.expect(250, 'MAIL FROM:<you@example.net>')
        macros = milter.macros[b'C']
        assert milter.data(b'C')[-1].startswith(host + b'\0' + b'4')
        assert (macros['{client_name}'], macros['{client_ptr}']) == (name, ptr), macros
    assert milter.macros[b'C']['_'] == 'unknown [192.0.2.9]'


def test_users(sites, peer, tmp_path):
    """Their certificates, who else wrote it, and the queue's id from MAIL on."""
    def openssl(*args):
        subprocess.run(['openssl', *args], cwd=tmp_path, check=True, capture_output=True)
    new = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')
    openssl('req', '-x509', *new, '-days', '30', '-subj', '/CN=People', '-keyout', 'ca.key', '-out', 'ca.pem')
    openssl('req', *new, '-subj', '/O=House/CN=alice', '-keyout', 'alice.key', '-out', 'alice.csr')
    openssl('x509', '-req', '-in', 'alice.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30',
            '-out', 'alice.pem')
    milter = peer(Milter)
    site = sites(extra=filters(milter, more='for submission') + f'tls client-ca {tmp_path}/ca.pem\n', submission=True)
    context = ssl.create_default_context(cafile=f'{site.dir}/cert.pem')
    context.check_hostname = False
    context.load_cert_chain(f'{tmp_path}/alice.pem', f'{tmp_path}/alice.key')
    w = Wire(site.submissions_port)
    w.socket = context.wrap_socket(w.socket)
    w.file = w.socket.makefile('rb')
    with w:
        w.hello()
        w.login('alice', PASSWORDS['alice'])
        w.expect(250, 'MAIL FROM:<alice@example.org> size=1000 AUTH=e+3Dmc2@example.com')
        w.expect(250, 'RCPT TO:<bob@example.org>')
        w.expect(354, 'DATA')
        w.send(MESSAGE.replace(b'you@example.net', b'alice@example.org') + b'.\r\n')
        queue_id = w.expect(250)[0].split()[-1]
    told = milter.macros
    assert told[b'H']['{cert_subject}'] == '/O=House/CN=alice' and told[b'H']['{cert_issuer}'] == '/CN=People'
    assert told[b'H']['{tls_version}'] == 'TLSv1.3' and told[b'H']['{cipher_bits}'] in ('128', '256')
    assert told[b'M']['{auth_author}'] == 'e=mc2@example.com' and told[b'M']['{auth_ssf}'] == '0'
    assert told[b'M']['i'] == told[b'E']['i'] == queue_id
    assert told[b'E']['{msg_id}'] == '<1@example.net>' and told[b'R']['{rcpt_mailer}'] == 'local'
    assert milter.data(b'M') == [b'<alice@example.org>\0size=1000\0AUTH=e+3Dmc2@example.com\0']  # as it was said


def test_places(sites, peer):
    """0 is in front of our own Received, 1 behind it (libmilter's smfi_insheader); users' mail is signed all the same."""
    first = peer(Milter, at(b'E', header(b'i', 'X-One', '1', 1) + header(b'i', 'X-Zero', '0', 0) + packet(b'c')))
    second = peer(Milter, at(b'E', header(b'i', 'X-Two', '2', 2) + packet(b'c')))
    site = sites(extra=filters(first, second))
    assert send(site)[0] == 250
    names = [line.split(b':')[0] for line in site.wait_mail('alice')[0].replace(b'\r\n', b'\n').split(b'\n\n')[0].split(b'\n')
             if line[:1] not in b' \t']
    assert names[:4] == [b'Return-Path', b'Delivered-To', b'X-Zero', b'Received'], names
    assert names[names.index(b'Subject') - 2:][:3] == [b'X-Two', b'X-One', b'Subject'], names


def test_unknown_command(sites, peer):
    milter = peer(Milter, at(b'U', packet(b'y', b'554 5.7.9 100%% no w\xc3\xafzards\0')))
    site = sites(extra=filters(milter))
    with Wire(site.port) as w:
        w.hello()
        w.expect(250, 'MAIL FROM:<you@example.net>')
        assert w.expect(554, 'WIZ now') == ['5.7.9 100% no w?zards']  # replies are ASCII
        milter.answer = at(b'U', packet(b'c'))
        w.expect(500, 'WIZ')
        milter.answer = at(b'U', None)
        w.expect(500, 'WIZ')
    assert milter.data(b'U') == [b'WIZ now\0', b'WIZ\0', b'WIZ\0']


def test_progress(sites, peer):
    """Who says that he makes progress has his time again."""
    def slowly(letter, data, milter):
        for _ in range(6):
            time.sleep(0.5)
            next(iter(milter.open)).sendall(packet(b'p'))
        return packet(b'c')
    site = sites(extra=filters(peer(Milter, at(b'E', slowly)), more='content 1s'))
    assert send(site)[0] == 250


ACTIONS = [  # what it says at RCPT, the reply to that, and whose message it is
    ('OK', 250, 'alice'), ('1795295297', 250, 'alice'), ('INFO look', 250, 'alice'), ('WARN look', 250, 'alice'),
    ('BCC bob@example.org', 250, 'alice bob'), ('REDIRECT bob@example.org', 250, 'bob'), ('DISCARD so', 250, ''),
    ('FILTER smtp:[127.0.0.1]', 250, 'alice'), ('DEFER_IF_REJECT x', 250, 'alice'), ('DEFER_IF_PERMIT 4.2.0 x', 450, ''),
    ('REJECT x', 554, ''), ('DEFER', 450, ''), ('521 5.7.1 x', 521, ''), ('421 4.7.1 x', 421, ''), ('PREPEND X: y', 250, 'alice'),
    ('permit_mynetworks', 451, '')]


def test_actions(sites, peer):
    server = peer(PolicyServer, lambda asked: ACTIONS[done][0])
    site = sites(extra=f'filter post delegation {server.listen}\npolicy recipient {{ ask post }}\n')
    arrived = {'alice': 0, 'bob': 0}
    for done, (action, code, whose) in enumerate(ACTIONS):
        with Wire(site.port) as w:
            w.hello()
            w.expect(250, 'MAIL FROM:<you@example.net>')
            w.expect(code, 'RCPT TO:<alice@example.org>')
            if code == 250:
                w.expect(354, 'DATA')
                w.send(MESSAGE + b'.\r\n')
                w.expect(250)
        for user in whose.split():
            arrived[user] += 1
            site.wait_mail(user, arrived[user])
        assert {user: len(site.mailbox(user)) for user in arrived} == arrived, action
    for words in 'words="WARN look"', 'filter-not-obeyed', 'words="FILTER smtp:[127.0.0.1]"', 'words=permit_mynetworks':
        wait_until(lambda: words in site.logged())


def test_attributes(sites, peer):
    server = peer(PolicyServer, lambda asked: 'DUNNO')
    site = sites(extra=f'filter post delegation {server.listen}\npolicy helo {{ ask post }}\n'
                       'policy recipient { ask post }\npolicy content { ask post }\n')
    with Wire(site.port) as w:
        w.expect(220)
        w.expect(250, 'HELO size=9999')
    with Wire(site.port) as w:
        w.hello()
        w.starttls()
        w.expect(250, 'EHLO client.example.net')
        w.expect(250, 'MAIL FROM:<you=there@example.net> SIZE=77')
        w.expect(250, 'RCPT TO:<alice@example.org>')
        w.expect(354, 'DATA')
        w.send(MESSAGE + b'.\r\n')
        queue_id = w.expect(250)[0].split()[-1]
    hello, rcpt, end = (next(a for a in server.asked if a['protocol_state'] == s) for s in ('HELO', 'RCPT', 'END-OF-MESSAGE'))
    assert (hello['protocol_name'], hello['helo_name'], hello['size']) == ('SMTP', 'size=9999', '0')
    assert (rcpt['sender'], rcpt['size'], rcpt['protocol_name']) == ('you=there@example.net', '77', 'ESMTP')
    assert rcpt['encryption_protocol'] == 'TLSv1.3' and int(rcpt['encryption_keysize']) >= 128 and rcpt['encryption_cipher']
    assert (end['queue_id'], end['size'], end['recipient_count']) == (queue_id, str(len(MESSAGE)), '1')
    assert rcpt['instance'] == end['instance'] and rcpt['ccert_subject'] == rcpt['stress'] == rcpt['policy_context'] == ''
