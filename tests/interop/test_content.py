# test_content: odd and broken messages that others collected arrive as they were sent.
import glob
import os
import re

import pytest

from site_of_test import ROOT, wait_until
from wire import Wire, arrived_as_sent, crlf

CORPORA = os.environ.get('POSTHOUSE_CORPORA', os.path.join(ROOT, '..', 'shared', 'corpora'))


def messages(folder):
    found = []
    for path in sorted(glob.glob(os.path.join(CORPORA, folder, '**'), recursive=True)):
        if os.path.isfile(path) and not path.endswith(('SOURCE.txt', '.json', '.md', '.toml', '.out', '.xml')):
            with open(path, 'rb') as f:
                found.append(f.read())
    return found


@pytest.mark.parametrize('folder', ['eml-mailparser-malformed', 'eml-mailparser-rfc', 'eml-mime4j', 'eml-python',
                                    'dsn-sisimai-dev'])
def test_corpus_arrives_as_sent(sites, folder):
    all_of_them = messages(folder)
    if not all_of_them:
        pytest.skip('skipped: no corpora')
    site = sites('relay from 127.0.0.0/8\nlimit { hops 200; header-size 1M }')
    sent = {}
    with Wire(site.port) as w:
        w.hello()
        for n, raw in enumerate(all_of_them):
            # A bare CR is refused, and a line that is too long is another test's matter.
            content = crlf(re.sub(rb'\r(?!\n)', b'', raw))
            content = (content if content.endswith(b'\r\n') else content + b'\r\n')
            if b'\0' in content or max(map(len, content.split(b'\n'))) > 998 or b'Delivered-To' in content:
                continue
            sent[f'alice+{n}@example.org'] = content
            w.expect(250, 'MAIL FROM:<you@example.net> BODY=8BITMIME')
            w.expect(250, f'RCPT TO:<alice+{n}@example.org>')
            w.expect(354, 'DATA')
            w.send(re.sub(rb'(?m)^\.', b'..', content) + b'.\r\n')
            w.expect(250)
    assert len(sent) > len(all_of_them) // 2
    wait_until(lambda: len(site.mailbox('alice')) >= len(sent), 60, 0.2)
    unmatched = sorted(c.replace(b'\r\n', b'\n') for c in sent.values())
    for stored in site.mailbox('alice'):
        match = [c for c in unmatched if stored.endswith(c)]
        assert match, stored[:2000]
        arrived_as_sent(stored, max(match, key=len))
        unmatched.remove(max(match, key=len))
    assert not unmatched


def test_full_queue_says_so(sites):
    """Mail that waits beyond what is configured keeps more from coming, with its own status (RFC 3463 3.4)."""
    site = sites('limit { queue-messages 1 }\nroute held.example hold\nrelay from 127.0.0.0/8\n')
    large = b'Subject: y\r\n\r\n' + b'0123456789abcde\r\n' * 20000
    with Wire(site.port) as w:
        w.hello()
        w.message('you@example.net', ['x@held.example'], b'Subject: x\r\n\r\ny\r\n')
        for content in (b'Subject: y\r\n\r\nz\r\n', large):
            w.envelope('you@example.net', 'alice@example.org')
            w.expect(354, 'DATA')
            w.send(content + b'.\r\n')
            text = w.expect(451)
            assert text[0].startswith('4.3.2 '), text
