#!/usr/bin/python3
# run.py: runs every test of the project and says what came of it; `make test` calls it.
#
#     tests/run.py                    everything
#     tests/run.py unit interop       only suites whose name begins so
#     tests/run.py --list             the suites' names
#
# The last line is `N passed, N failed`, with `, N skipped` where that applies. A suite that reports nothing has failed.
import argparse
import concurrent.futures
import glob
import os
import queue
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from runner import builds, program  # noqa: E402
from runner.screen import Screen  # noqa: E402
from runner.tally import Tally, failure, tally_program, tally_pytest  # noqa: E402

ROOT = builds.ROOT
# Suites that Meson's files must register, so that none goes missing unseen; what else they register runs too.
EXPECTED = ['unit', 'dialogue', 'fuzz', 'sim', 'mutant']
ON_CLANG = ['unit', 'dialogue', 'fuzz', 'sim']
CLANG_SIM_SEEDS = '200'
FROM_OUTSIDE = {'interop': 3, 'torture': 2, 'corpora': 2}  # folders of pytest, and how many files at once: most wait
SLOW = ['test_dmarc_reports.py', 'test_storm.py']  # for their size


class Runner:
    def __init__(self, wanted):
        self.wanted = wanted
        self.screen = Screen()
        self.total = Tally()
        self.built = {}

    def wants(self, suite):
        return not self.wanted or any(suite.startswith(w) for w in self.wanted)

    def suite(self, name, tasks, at_once=os.cpu_count()):
        """Runs the tasks (name, function giving a Tally), the first first."""
        since, tally = time.monotonic(), Tally()

        def work(task):
            self.screen.running(name, task[0])
            return task[1]()

        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            try:
                for result in pool.map(work, tasks):
                    tally.add(result)
            except KeyboardInterrupt:
                program.stop()
                raise
        if tally.ran == 0:
            tally.add(failure(name, '(no test of this suite reported a result)'))
        self.screen.row(name, tally, since)
        self.total.add(tally)

    def build(self, build):
        if build.name in self.built:
            return self.built[build.name]
        name, since = f'build {build.name}', time.monotonic()
        self.screen.running(name, 'compiling')
        ok, output = builds.make(build)
        if ok:
            self.screen.note(name, 'built', since)
        else:
            tally = failure(name, output)
            self.screen.row(name, tally, since)
            self.total.add(tally)
        self.built[build.name] = ok
        return ok


def listed_task(test, cwd, env):
    def task():
        status, output = program.run(test.command, cwd, test.timeout, dict(test.env, **env))
        return tally_program(test.name, test.tap, status, output)
    return test.name, task


def run_listed(runner, build, suites):
    """Runs the programs that were built, suite by suite."""
    names = [(s, f'{s} {build.name}') for s in suites]
    if not any(runner.wants(name) for _, name in names):
        return
    if not runner.build(build):
        return
    tests = builds.listed(build)
    env = {'POSTHOUSE_SIM_SEEDS': CLANG_SIM_SEEDS} if build is builds.CLANG else {}
    more = [] if build is builds.CLANG else sorted({t.suite for t in tests} - set(suites))
    for suite, name in names + [(s, f'{s} {build.name}') for s in more]:
        if runner.wants(name):
            runner.suite(name, [listed_task(t, ROOT, env) for t in tests if t.suite == suite])


def script(name, *command):
    def task():
        status, output = program.run(list(command), ROOT, 600)
        return tally_program(name, False, status, output)
    return name, task


def manual_tasks():
    return [script(os.path.basename(page), 'mandoc', '-T', 'lint', '-W', 'warning', page)
            for page in sorted(glob.glob(os.path.join(ROOT, 'doc', '*.[1-8]')))]


def pytest_task(runner, suite, path, free_parts, parts):
    def shown(line):
        if '::' in line:
            runner.screen.running(suite, line.split('::', 1)[1].strip())

    def task():
        command = ['/usr/bin/python3', '-B', '-m', 'pytest', '-v', '-p', 'no:cacheprovider', '--color=no', '--tb=short', path]
        part = free_parts.get()
        env = {'POSTHOUSE': os.path.join(builds.GCC.path, 'posthouse'), 'POSTHOUSE_TEST_PART': f'{part}/{parts}'}
        status, output = program.run(command, ROOT, 1500, env, shown)
        free_parts.put(part)
        return tally_pytest(output, status)
    return os.path.basename(path), task


def pytest_tasks(runner, suite, folder, parts):
    """A task a file, those that take long first. What runs at once has ports of its own (tests/interop/site_of_test.py)."""
    free_parts = queue.SimpleQueue()
    for part in range(parts):
        free_parts.put(part)
    paths = glob.glob(os.path.join(ROOT, 'tests', folder, 'test_*.py'))
    paths.sort(key=lambda path: (os.path.basename(path) not in SLOW, -os.path.getsize(path)))
    return [pytest_task(runner, suite, path, free_parts, parts) for path in paths]


def run_all(runner):
    for name, command in (('floors', 'tests/floors.py'), ('runner', 'tests/runner/selftest.py')):
        if runner.wants(name):
            runner.suite(name, [script(name, '/usr/bin/python3', '-B', command)])
    if runner.wants('manual'):
        runner.suite('manual', manual_tasks())
    run_listed(runner, builds.GCC, EXPECTED)
    run_listed(runner, builds.CLANG, ON_CLANG)
    for folder, parts in FROM_OUTSIDE.items():
        suite = f'{folder} gcc'
        if runner.wants(suite) and runner.build(builds.GCC):
            runner.suite(suite, pytest_tasks(runner, suite, folder, parts), parts)
    if runner.wants('bench smoke') and runner.build(builds.PLAIN):
        runner.suite('bench smoke', [script('smoke', '/usr/bin/python3', '-B', 'tests/bench/run.py', '--smoke')])


def main():
    parser = argparse.ArgumentParser(description='Runs the tests of Posthouse.')
    parser.add_argument('suites', nargs='*', help='only suites whose name begins so, as "unit" or "interop"')
    parser.add_argument('--list', action='store_true', help='print the names of the suites')
    args = parser.parse_args()
    if args.list:
        print('\n'.join(['floors', 'runner', 'manual'] + [f'{s} gcc' for s in EXPECTED] + [f'{s} clang' for s in ON_CLANG]
                        + [f'{s} gcc' for s in FROM_OUTSIDE] + ['bench smoke']))
        return 0
    runner = Runner(args.suites)
    runner.screen.head()
    try:
        run_all(runner)
    except KeyboardInterrupt:
        runner.total.add(failure('interrupted', ''))
    if runner.total.ran == 0:
        runner.total.failed += 1
    runner.screen.last(runner.total)
    return 1 if runner.total.failed else 0


if __name__ == '__main__':
    sys.exit(main())
