#!/usr/bin/python3
# selftest: shows that the runner sees a failure when there is one: crashes, missing points, silence.
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from runner.tally import tally_program, tally_pytest  # noqa: E402

# what it was, TAP?, status, output, (passed, failed, skipped)
PROGRAMS = [
    ('all points pass', True, 0, '1..2\nok 1 - a\nok 2 - b\n', (2, 0, 0)),
    ('a point fails', True, 1, '1..2\nok 1 - a\nnot ok 2 - b\n', (1, 1, 0)),
    ('a point is skipped', True, 0, '1..2\nok 1 - a\nok 2 # SKIP no corpora\n', (1, 0, 1)),
    ('two groups', True, 0, '1..1\nok 1 - a\n1..1\nok 1 - b\n', (2, 0, 0)),
    ('a crash in the middle', True, -11, '1..2\nok 1 - a\n', (1, 1, 0)),
    ('a leak at the end', True, 99, '1..1\nok 1 - a\n', (1, 1, 0)),
    ('an exit in the middle', True, 0, '1..2\nok 1 - a\n', (1, 1, 0)),
    ('silence where TAP was due', True, 0, '', (0, 1, 0)),
    ('too slow', True, None, '1..2\nok 1 - a\n', (1, 1, 0)),
    ('a plain program passes', False, 0, 'fine\n', (1, 0, 0)),
    ('a plain program fails', False, 3, 'bad\n', (0, 1, 0)),
    ('a plain program skips', False, 77, '', (0, 0, 1)),
    ('a plain program speaks TAP', False, 0, 'ok 1 - a\nok 2 - b\n', (2, 0, 0)),
]

PYTEST = [
    ('pytest passes', 0, 'tests/x.py::test_a PASSED [50%]\ntests/x.py::test_b[c d] PASSED [100%]\n', (2, 0, 0)),
    ('pytest fails', 1, 'tests/x.py::test_a FAILED [100%]\n', (0, 1, 0)),
    ('pytest errs at the end of a test', 1, 'x.py::test_a PASSED [1%]\nx.py::test_a ERROR [1%]\n', (1, 1, 0)),
    ('pytest skips', 0, 'x.py::test_a SKIPPED (no exim) [100%]\nx.py::test_b PASSED [1%]\n', (1, 0, 1)),
    ('pytest collects nothing', 5, 'collected 0 items\n', (0, 1, 0)),
    ('pytest dies', 3, 'x.py::test_b PASSED [1%]\nINTERNALERROR\n', (1, 1, 0)),
]


def main():
    cases = [(name, tally_program(name, tap, status, out), want) for name, tap, status, out, want in PROGRAMS]
    cases += [(name, tally_pytest(out, status), want) for name, status, out, want in PYTEST]
    print(f'1..{len(cases)}')
    bad = 0
    for n, (name, tally, want) in enumerate(cases, 1):
        got = (tally.passed, tally.failed, tally.skipped)
        bad += got != want
        print(f'{"ok" if got == want else "not ok"} {n} - {name}' + ('' if got == want else f': {got}, not {want}'))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
