# test_alias: tables where the administrator put them; what is wrong with an alias is told to the administrator, word for word, and to a client only as ours.
import os

import pytest

from site_of_test import wait_until
from wire import Wire

BROKEN = {
    'ring': ('ring: gnir\ngnir: ring\n', 'alias gnir (line 2) leads back to ring'),
    'lost': ('lost: nobody-at-all\n', 'alias lost (line 1) leads to nobody: nobody-at-all'),
    'list': ('list: :include:/etc/secret-list\n', 'alias list (line 1) asks for what is not supported: :include:/etc/secret-list'),
}


@pytest.mark.parametrize('name', BROKEN)
def test_broken_alias(sites, name):
    text, told = BROKEN[name]
    site = sites(started=False)
    site.write('aliases', text)
    site.start()
    with Wire(site.port) as w:
        w.hello()
        w.envelope('you@example.net')
        assert w.expect(451, f'RCPT TO:<{name}@example.org>') == \
            ['4.3.5 an alias for this recipient is configured wrongly here, please try again later']
        w.expect(250, 'RCPT TO:<alice@example.org>')
    wait_until(lambda: ' alias-broken ' in site.logged())  # the log may be a moment behind the reply
    events = [line for line in site.logged().splitlines() if ' alias-broken ' in line]
    assert len(events) == 1 and f'{name}@example.org' in events[0] and told in events[0], site.logged()


def test_a_table_behind_a_link(sites):
    """Links lead where the administrator wants them to, also out of the directory; and what changes there is seen."""
    site = sites(started=False)
    os.mkdir(f'{site.dir}/elsewhere')
    site.write('elsewhere/users', 'carol\n')
    os.remove(f'{site.dir}/users')
    os.symlink(f'{site.dir}/elsewhere/users', f'{site.dir}/users')
    site.start()

    def code(name):
        with Wire(site.port) as w:
            w.hello()
            w.envelope('you@example.net')
            return w.say(f'RCPT TO:<{name}@example.org>')[0]

    assert (code('carol'), code('dave')) == (250, 550)
    with open(f'{site.dir}/elsewhere/users', 'a', encoding='utf-8') as f:
        f.write('dave\n')
    wait_until(lambda: code('dave') == 250, 10, 0.3)
