# test_bounce: what can't be delivered comes back as a notification (RFC 3464) that other projects' parsers read.
import email
import email.policy
import io
import json
import subprocess

import pytest
from flufl.bounce import all_failures

from peers import Dns, Sink
from site_of_test import free_port
from test_clients import PLAIN, send_by_hand
from wire import split_added


@pytest.fixture
def bounce_of(sites, peer):
    """Sends to one recipient in a world of these records; gives the bounce as stored and the site."""
    def make(records, recipient, content=PLAIN):
        dns = peer(Dns, records)
        site = sites(f'relay from 127.0.0.0/8\nresolver forward 127.0.0.1:{dns.port}\nresolver dnssec off\n'
                     f'route * via mx port {free_port()}')
        send_by_hand(site, content, 'alice@example.org', [recipient])
        return site.wait_mail('alice')[0], site
    return make


def check(stored, recipient, status):
    message = email.message_from_bytes(stored, policy=email.policy.default)
    assert dict(split_added(stored)[0])['return-path'] == '<>'
    assert message.get_content_type() == 'multipart/report'
    assert message.get_param('report-type') == 'delivery-status'
    assert message['To'] == 'alice@example.org' and message['Auto-Submitted'].startswith('auto-')
    assert message['Date'] and message['Message-ID'] and message['Subject'] and not message.defects
    text, report, original = message.iter_parts()
    assert text.get_content_type() == 'text/plain' and recipient in text.get_content()
    assert original.get_content_type() in ('text/rfc822-headers', 'message/rfc822', 'message/global-headers')
    assert 'a few odd lines' in original.as_string()
    about, one = report.get_payload()
    assert about['Reporting-MTA'].replace(' ', '') == 'dns;mx1.example.org'
    assert one['Final-Recipient'].replace(' ', '') == f'rfc822;{recipient}'
    assert one['Action'] == 'failed' and one['Status'] == status, one.as_string()
    assert one['Diagnostic-Code']
    # Mailman's detectors, and Perl's Mail::DeliveryStatus::BounceParser.
    assert all_failures(email.message_from_bytes(stored)) == (set(), {recipient.encode()})
    assert perl_reads(stored) == [{'email': recipient, 'status': status}]


def perl_reads(stored):
    program = r'''
        use Mail::DeliveryStatus::BounceParser; local $/; my $b = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
        print "[", join(",", map { sprintf q({"email":"%s","status":"%s"}), $_->get("email"), $_->get("Status") =~ s{\s+}{}gr }
            $b->reports), "]";'''
    done = subprocess.run(['perl', '-e', program], input=stored, capture_output=True, check=True, timeout=30)
    return [{'email': r['email'], 'status': r['status'] or None} for r in json.load(io.BytesIO(done.stdout))]


def test_dead_domain(bounce_of):
    stored, site = bounce_of('', 'someone@dead.example')
    check(stored, 'someone@dead.example', '5.1.2')
    site.wait_queue_empty()


def test_null_mx(bounce_of):
    stored, _ = bounce_of('nomail.example. MX 0 .', 'someone@nomail.example')
    check(stored, 'someone@nomail.example', '5.1.10')


def test_refused_recipient_word_for_word(sites, peer):
    sink = peer(Sink, refuse=['gone'])
    site = sites(f'relay from 127.0.0.0/8\nroute example.com via 127.0.0.1:{sink.port}')
    send_by_hand(site, PLAIN, 'alice@example.org', ['gone@example.com'])
    stored = site.wait_mail('alice')[0]
    check(stored, 'gone@example.com', '5.1.1')
    assert b'550 5.1.1 no such user here' in stored
    assert site.metric('posthouse_recipients_bounced_total') >= 1


def test_no_bounce_of_a_bounce(sites, peer):
    sink = peer(Sink, refuse=['gone'])
    site = sites(f'relay from 127.0.0.0/8\nroute example.com via 127.0.0.1:{sink.port}')
    send_by_hand(site, PLAIN, '', ['gone@example.com'])
    # To a sender that doesn't exist here or there: the notification itself can't be delivered and ends.
    send_by_hand(site, PLAIN, 'gone@example.com', ['gone@example.com'])
    send_by_hand(site, PLAIN, 'nobody@example.org', ['gone@example.com'])
    site.wait_queue_empty()
    assert site.mailbox('alice') == [] and sink.got == []


def test_expired(sites):
    site = sites(f'relay from 127.0.0.0/8\nroute example.com via 127.0.0.1:{free_port()}',
                 queue='segment 16M; reserve 1M; retry 1s .. 2s; expire 3s')
    send_by_hand(site, PLAIN, 'alice@example.org', ['a@example.com'])
    stored = site.wait_mail('alice', 1, 30)[0]
    assert all_failures(email.message_from_bytes(stored)) == (set(), {b'a@example.com'})
    assert b'refused' in stored.lower()
