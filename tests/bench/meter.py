# meter: processes that were started here, all of their offspring, and what they cost.

import os
import pathlib
import signal
import subprocess
import time

TICKS = os.sysconf('SC_CLK_TCK')


def _cgroup_parent():
    """A directory in which a group for accounting can be made, or None."""
    for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
        _, controllers, path = line.split(':', 2)
        if 'cpuacct' in controllers.split(','):
            return pathlib.Path('/sys/fs/cgroup') / controllers / path.lstrip('/')
    own = [l for l in pathlib.Path('/proc/self/cgroup').read_text().splitlines() if l.startswith('0::')]
    return pathlib.Path('/sys/fs/cgroup') / own[0][3:].lstrip('/') if own else None


class Group:
    """A control group that only counts; where none can be made, `path` is None and /proc is read instead."""
    serial = 0

    def __init__(self):
        self.path = None
        parent = _cgroup_parent()
        Group.serial += 1
        try:
            path = parent / f'bench-{os.getpid()}-{Group.serial}'
            path.mkdir()
            if (path / 'cgroup.procs').exists() and self._read(path) is not None:
                self.path = path
            else:
                path.rmdir()
        except (OSError, TypeError):
            pass

    @staticmethod
    def _read(path):
        if (path / 'cpuacct.usage').exists():
            return int((path / 'cpuacct.usage').read_text()) / 1e9
        if (path / 'cpu.stat').exists():
            for line in (path / 'cpu.stat').read_text().splitlines():
                if line.startswith('usage_usec'):
                    return int(line.split()[1]) / 1e6
        return None

    def enter(self):
        """Runs in the child, before exec."""
        if self.path:
            with open(self.path / 'cgroup.procs', 'w') as f:
                f.write('0')

    def cpu(self):
        return self._read(self.path)

    def pids(self):
        return [int(p) for p in (self.path / 'cgroup.procs').read_text().split()]

    def close(self):
        for _ in range(50):
            try:
                return self.path.rmdir() if self.path else None
            except OSError:
                time.sleep(0.02)
        return None


class Stat:
    """A line of /proc/PID/stat; `born` tells a process from a later one with the same number."""

    def __init__(self, pid):
        fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        self.zombie, self.parent, self.born = fields[0] == 'Z', int(fields[1]), fields[19]
        self.cpu = sum(int(f) for f in fields[11:15]) / TICKS  # with that of children it has waited for


def _stat(pid):
    try:
        stat = Stat(pid)
    except OSError:
        return None
    return None if stat.zombie else stat


def _offspring(root):
    stats = {int(p): _stat(p) for p in os.listdir('/proc') if p.isdigit()}
    found, new = [], [root]
    while new:
        found += new
        new = [pid for pid, s in stats.items() if s and s.parent in new and pid not in found]
    return [pid for pid in found if stats.get(pid)]


def machine_busy():
    """CPU seconds that all cores together have worked so far, for whomever, or were taken from this machine."""
    user, nice, system, _, _, irq, softirq, steal = [int(v) for v in open('/proc/stat').readline().split()[1:9]]
    return (user + nice + system + irq + softirq + steal) / TICKS


class Tree:
    """A process and everything it starts."""

    def __init__(self, command, **how):
        self.group = Group()
        try:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, start_new_session=True,
                                            preexec_fn=self.group.enter, **how)
        except OSError:
            self.group.close()
            raise

    @property
    def accounting(self):
        return 'cgroup' if self.group.path else '/proc'

    def pids(self):
        return self.group.pids() if self.group.path else _offspring(self.process.pid)

    def alive(self):
        return self.process.poll() is None

    def cpu(self):
        if self.group.path:
            return self.group.cpu()
        return sum(s.cpu for s in map(_stat, self.pids()) if s)

    def pss(self):
        """Proportional set size of all processes in bytes: shared pages count once, divided among who has them."""
        total = 0
        for pid in self.pids():
            try:
                for line in pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
                    if line.startswith('Pss:'):
                        total += int(line.split()[1]) * 1024
            except OSError:
                pass
        return total

    def _seen(self):
        return {pid: s.born for pid in self.pids() if (s := _stat(pid))}

    def stop(self, grace=10):
        """Asks the first process to end; what is left of the tree after `grace` seconds is killed."""
        seen = self._seen()
        if self.alive():
            self.process.terminate()
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and (self.alive() or self.pids()):
            seen.update(self._seen())
            time.sleep(0.02)
        for pid, born in seen.items():
            stat = _stat(pid)
            if stat and stat.born == born:
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.group.close()
