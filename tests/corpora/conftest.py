# conftest.py: where the corpora and the program are.
import os

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPORA = os.environ.get('POSTHOUSE_CORPORA') or os.path.join(ROOT, '..', 'shared', 'corpora')


@pytest.fixture(scope='session')
def posthouse():
    """The path of the program under test."""
    return os.environ.get('POSTHOUSE') or os.path.join(ROOT, 'build', 'posthouse')


@pytest.fixture(scope='session')
def built(posthouse):
    """Gives the path of a program that is built for these tests."""
    return lambda name: os.path.join(os.path.dirname(posthouse), 'tests', 'corpora', name)


@pytest.fixture(scope='session')
def corpora():
    """Gives the path of a corpus, or skips the test."""
    def path(name):
        if not os.path.isdir(os.path.join(CORPORA, name)):
            pytest.skip('no corpora')
        return os.path.join(CORPORA, name)
    return path
