# conftest: the fixtures of the tests from outside. Each test gets servers of its own; what fails leaves its directory in
# build/interop/failed.
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from site_of_test import Sites  # noqa: E402


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.failed_phase = report.when


@pytest.fixture
def sites(request):
    """Makes sites (see site_of_test.py): sites(extra='...') starts one; all are stopped and checked at the end."""
    made = Sites()
    yield made
    made.finish(getattr(request.node, 'failed_phase', None) and request.node.nodeid.split('::', 1)[-1])


@pytest.fixture
def site(sites):
    """A site as most tests want it: example.org with alice and bob, nobody trusted."""
    return sites()


@pytest.fixture
def peer():
    """Makes peers: peer(Exim), peer(Dns, records), peer(Sink, ...); ends them at the end."""
    made = []

    def make(kind, *args, **more):
        made.append(kind(*args, **more))
        return made[-1]

    yield make
    for one in reversed(made):
        one.stop()
