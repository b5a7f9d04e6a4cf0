# program: runs one program of the tests and gathers what it says.
import os
import signal
import subprocess
import threading

# A finding of a sanitizer ends the program with a status of its own, which no test expects.
SANITIZERS = {
    'ASAN_OPTIONS': 'detect_leaks=1:exitcode=99:strict_string_checks=1:check_initialization_order=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1:exitcode=99',
}

_running = set()  # leaders of sessions
_stopped = threading.Event()


def stop():
    """Ends all that runs and lets nothing begin any more: somebody pressed Ctrl-C."""
    _stopped.set()
    for leader in list(_running):
        _end_session(leader)


def run(command, cwd, timeout, env=None, each_line=None):
    """Gives (status, output); the status is None when it took longer than `timeout` seconds and was ended.

    It runs in a session of its own, so that whatever it started ends with it.
    """
    if _stopped.is_set():
        return None, 'stopped'
    whole_env = dict(os.environ, **SANITIZERS, **(env or {}))
    child = subprocess.Popen(command, cwd=cwd, env=whole_env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    _running.add(child.pid)
    late = threading.Event()

    def end():
        late.set()
        _end_session(child.pid)

    timer = threading.Timer(timeout, end)
    timer.start()
    lines = []
    try:
        for raw in child.stdout:
            line = raw.decode('utf-8', 'replace')
            lines.append(line)
            if each_line:
                each_line(line)
        status = child.wait()
    finally:
        timer.cancel()
        _running.discard(child.pid)
        _end_session(child.pid)
    return (None if late.is_set() else status), ''.join(lines)


def _end_session(leader):
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass
