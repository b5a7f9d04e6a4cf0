# tally: what came of tests: how many passed, failed and were skipped, and the output of what failed.
import re
from dataclasses import dataclass, field


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    shown: list = field(default_factory=list)  # output to show: (name, text)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.shown += other.shown

    @property
    def ran(self):
        return self.passed + self.failed + self.skipped

    def sentence(self):
        skipped = f', {self.skipped} skipped' if self.skipped else ''
        return f'{self.passed} passed, {self.failed} failed{skipped}'


def failure(name, text):
    return Tally(failed=1, shown=[(name, text)])


_POINT = re.compile(r'^\s*(not )?ok\b\s*\d*\s*(?:- )?(.*?)(#\s*skip.*)?$', re.IGNORECASE)
_PLAN = re.compile(r'^1\.\.(\d+)')


def tally_tap(output):
    """Counts the points of TAP output; also says how many its plans promised (a program may print several plans)."""
    tally, planned = Tally(), 0
    for line in output.splitlines():
        plan = _PLAN.match(line)
        point = _POINT.match(line)
        if plan:
            planned += int(plan.group(1))
        elif point and point.group(3):
            tally.skipped += 1
        elif point and point.group(1):
            tally.failed += 1
        elif point:
            tally.passed += 1
    return tally, planned


def tally_program(name, tap, status, output):
    """The tally of a program that ended with `status` (negative: by that signal; None: it took too long).

    A program that speaks TAP counts each point, any other counts one, with 77 for skipped. A crash, an exit in the
    middle and a silent success of a program that should have spoken are failures.
    """
    tally, planned = tally_tap(output)
    if status is None:
        tally.add(failure(name, output + '\n(ended by the runner: it took too long)'))
    elif not tap and tally.ran == 0:
        if status == 77:
            return Tally(skipped=1)
        return Tally(passed=1) if status == 0 else failure(name, f'{output}\n({_ending(status)})')
    elif tally.ran == 0:
        return failure(name, f'{output}\n(no test reported a result; {_ending(status)})')
    elif tally.failed:
        tally.shown.append((name, output))
    elif status != 0 or tally.ran < planned:
        tally.add(failure(name, f'{output}\n({tally.ran} of {planned} tests reported a result; {_ending(status)})'))
    return tally


def _ending(status):
    return f'ended by signal {-status}' if status < 0 else f'exit status {status}'


_PYTEST = re.compile(r'^\S*::.* (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b')


def tally_pytest(output, status):
    """The tally of `pytest -v`: each test a line; an error while tearing down is a failure of its own."""
    tally = Tally()
    for line in output.splitlines():
        point = _PYTEST.match(line)
        if point:
            word = point.group(1)
            tally.passed += word in ('PASSED', 'XPASS')
            tally.failed += word in ('FAILED', 'ERROR')
            tally.skipped += word in ('SKIPPED', 'XFAIL')
    if tally.failed:
        cut = re.search(r'^=+ (FAILURES|ERRORS) =+$', output, re.MULTILINE)
        tally.shown.append(('pytest', output[cut.start():] if cut else output))
    elif status != 0 or tally.ran == 0:
        tally.add(failure('pytest', f'{output}\n(no whole result; {_ending(status) if status is not None else "took too long"})'))
    return tally
