# conftest: the fixtures of tests/interop, for tests that make the real program suffer.
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
INTEROP = os.path.join(os.path.dirname(HERE), 'interop')
sys.path[:0] = [HERE, INTEROP]

_spec = importlib.util.spec_from_file_location('interop_fixtures', os.path.join(INTEROP, 'conftest.py'))
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)

sites, site, peer = _fixtures.sites, _fixtures.site, _fixtures.peer
pytest_runtest_makereport = _fixtures.pytest_runtest_makereport
