#!/usr/bin/env python3
# run: measures Posthouse beside Debian's Postfix and the bare limit, interleaved, on the same disk, all durable.

import argparse
import json
import os
import pathlib
import platform
import signal
import struct
import subprocess
import sys
import time

import gate
import plot
import report
from contenders import HOLD, RELAY, SENDER, USER, Job, Limit, Postfix, Posthouse
from disk import AT, Disk
from meter import Tree, machine_busy
from tools import BIN, ROOT, WORK, BenchError, build_programs, build_release, find_binary, free_port, say

DISTURBED = 0.15  # part of the machine that others may use before a run's speed is worth little
STALL = 20  # seconds without a message after which a relay is taken for stuck


# A session with submission, from one of 100 networks: wrong passwords of one don't keep others waiting, so it matters.
AS_USER = ['--tls', '--auth', f'{USER[0]}:{USER[1]}', '--from', SENDER, '--sources', '100']


class Workload:
    def __init__(self, name, title, goal, work, connections, size, blast=(), usual=True, sign=False, warm=2000,
                 gate=None):
        self.name, self.title, self.goal, self.work = name, title, goal, work
        self.connections, self.size, self.blast, self.usual = connections, size, list(blast), usual
        self.sign, self.warm = sign, warm
        self.gate = gate  # None, 'mail' or 'crowd': from a stranger, with all that a stranger is asked
        self.submission = '--auth' in self.blast
        self.tls = '--starttls' in self.blast or self.submission

    def job(self, sink_port):
        return Job(self.work, sink_port, self.tls, self.submission, self.sign)


WORKLOADS = [
    Workload('accept-1k', 'accept to queue, 50 connections, 1 KiB', 'accept', HOLD, 50, 1024),
    Workload('accept-10k', 'accept to queue, 50 connections, 10 KiB', 'accept', HOLD, 50, 10240),
    Workload('single-10k', 'accept to queue, one connection, 10 KiB', None, HOLD, 1, 10240),
    Workload('relay-10k', 'relay through to the sink, 50 connections, 10 KiB', 'relay', RELAY, 50, 10240),
    Workload('idle', 'idle sessions after EHLO', 'idle', HOLD, 0, 0),
    Workload('submit-tls', 'submission: for each message a connection, a full handshake, AUTH PLAIN; 50 at once, 4 KiB',
             None, HOLD, 50, 4096, AS_USER + ['--per-connection', '1'], warm=300),
    Workload('submit-resume', 'the same, with resumed TLS sessions', None, HOLD, 50, 4096,
             AS_USER + ['--per-connection', '1', '--resume'], warm=300),
    Workload('sign-rsa', 'submission over 50 kept connections, each message signed with RSA-2048, 4 KiB', 'sign', HOLD, 50,
             4096, AS_USER, sign=True),
    Workload('idle-tls', 'idle sessions with submission after AUTH', 'idle-tls', HOLD, 0, 0, AS_USER),
    Workload('gate', 'a stranger\'s mail with SPF, DKIM (RSA-2048), DMARC and two block lists; a connection for each message, 50 at '
             'once, 10 KiB', 'gate', HOLD, 50, gate.SIZE, ['--per-connection', '1', '--sources', '1'], warm=200, gate='mail'),
    Workload('crowd', 'a good client (4 connections, 10 KiB) beside 20,000 idle and 5,000 slow-loris sessions of strangers', 'crowd',
             HOLD, 4, gate.SIZE, ['--per-connection', '1', '--sources', '1'], warm=200, gate='crowd'),
    Workload('pipelined-1k', 'accept to queue, 50 pipelining connections, 1 KiB', None, HOLD, 50, 1024,
             ['--pipelining'], usual=False),
    Workload('pipelined-10k', 'accept to queue, 50 pipelining connections, 10 KiB', None, HOLD, 50, 10240,
             ['--pipelining'], usual=False),
    Workload('new-4k', 'accept to queue, a connection for each message, 50 at once, 4 KiB', None, HOLD, 50, 4096,
             ['--per-connection', '1'], usual=False),
    Workload('relay-new-4k', 'relay, a connection for each message taken, 50 at once, 4 KiB', None, RELAY, 50, 4096,
             ['--per-connection', '1'], usual=False),
    Workload('tls-new-4k', 'accept over STARTTLS, a full handshake for each message, 50 at once, 4 KiB', None, HOLD, 50,
             4096, ['--starttls', '--per-connection', '1'], usual=False),
]


class Sink:
    """The next hop; its counts are read from a file that it shares."""
    FORM = '=QQQQq'

    def __init__(self, directory):
        self.port = free_port()
        self.file = directory / 'sink.counts'
        self.tree = Tree([BIN / 'sink', '--port', self.port, '--count-file', self.file], stdout=subprocess.DEVNULL)

    def counts(self):
        """(messages, monotonic seconds of the last one)"""
        try:
            values = struct.unpack(self.FORM, self.file.read_bytes())
        except (OSError, struct.error):
            return 0, 0.0
        return values[0], values[4] / 1e9

    def wait_for(self, messages):
        seen, since = -1, time.monotonic()
        while self.counts()[0] < messages:
            if self.counts()[0] != seen:
                seen, since = self.counts()[0], time.monotonic()
            if time.monotonic() - since > STALL:
                raise BenchError(f'only {seen} of {messages} messages reached the sink')
            time.sleep(0.005)
        return self.counts()

    def stop(self):
        self.tree.stop()


def blast(contender, workload, how):
    command = [BIN / 'blast', '--port', contender.port, '--connections', workload.connections, '--size', workload.size,
               '--json', *workload.blast, *how]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise BenchError(f'blast: {done.stderr}') from None
    if done.returncode != 0 or result['failed']:
        raise BenchError(f'{contender.name}: {result["failed"]} failed, {result["done"]} done; {done.stderr.strip()}\n'
                         f'{contender.output()}')
    if '--resume' in workload.blast and result['resumed'] < 0.9 * (result['handshakes'] - workload.connections):
        raise BenchError(f'{contender.name}: only {result["resumed"]} of {result["handshakes"]} sessions were resumed')
    return result


def warm_up(contender, workload, sink, messages, more=()):
    result = blast(contender, workload, ['--messages', messages, *more])
    if sink:
        sink.wait_for(result['done'])


def measure_mail(contender, workload, sink, how, more=()):
    how = [*how, *more]
    warm_up(contender, workload, sink, workload.warm, more)
    os.sync()  # what earlier runs left to be written is not this one's
    time.sleep(0.3)
    before, cpu, sink_cpu = sink.counts()[0] if sink else 0, contender.tree.cpu(), sink.tree.cpu() if sink else 0
    start, busy = time.monotonic(), machine_busy()
    result = blast(contender, workload, how)
    seconds = result['seconds']
    if sink:
        arrived, last = sink.wait_for(before + result['done'])
        seconds = last - result['start_ns'] / 1e9
        if arrived != before + result['done']:
            raise BenchError(f'{contender.name}: {arrived - before} messages arrived of {result["done"]} sent')
    time.sleep(0.3)  # what it does behind the client's back is its cost as well
    cpu = contender.tree.cpu() - cpu
    ours = cpu + result['cpu'] + (sink.tree.cpu() - sink_cpu if sink else 0)
    others = (machine_busy() - busy - ours) / (os.cpu_count() * (time.monotonic() - start))
    return {'rate': result['done'] / seconds, 'cpu': cpu / result['done'] * 1000, 'p50': result['p50_us'] / 1000,
            'p99': result['p99_us'] / 1000, 'messages': result['done'], 'generator_cpu': result['cpu'],
            'others': max(others, 0)}


def settled_pss(tree):
    last = tree.pss()
    for _ in range(20):
        time.sleep(0.2)
        now = tree.pss()
        if abs(now - last) < 65536:
            return now
        last = now
    return last


def measure_crowd(contender, crowd, how=()):
    few = Workload('', '', None, HOLD, 20, 1024, how)
    blast(contender, few, ['--messages', 200])
    time.sleep(0.5)
    before = settled_pss(contender.tree)
    command = [BIN / 'blast', '--port', contender.port, '--connections', crowd, '--crowd', 120, '--sources', 100,
               '--json', *how]
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True) as holding:
        try:
            result = json.loads(holding.stdout.readline())
            if result['done'] != crowd:
                raise BenchError(f'{contender.name}: only {result["done"]} of {crowd} sessions opened\n'
                                 f'{contender.output()}')
            after = settled_pss(contender.tree)
        finally:
            holding.terminate()
    return {'kb': (after - before) / 1024 / crowd, 'sessions': crowd}


def hold_crowd(contender, number, how):
    """Many sessions that do nothing, or next to nothing, for two minutes at most."""
    holding = subprocess.Popen([str(c) for c in [BIN / 'blast', '--port', contender.port, '--connections', number, '--crowd', 120,
                                                 '--sources', 200, '--json', *how]], stdout=subprocess.PIPE, text=True)
    result = json.loads(holding.stdout.readline() or '{"done": 0}')
    if result['done'] != number:
        holding.terminate()
        raise BenchError(f'{contender.name}: only {result["done"]} of {number} sessions opened\n{contender.output()}')
    return holding


def measure_good_client(contender, workload, options, message):
    """What a good client waits, quiet and then in a crowd of strangers."""
    how = ['--seconds', options.seconds, '--messages', 10 ** 9, '--content', message]
    warm_up(contender, workload, None, workload.warm, ['--content', message])
    quiet, crowds = blast(contender, workload, how), []
    try:
        for _ in range(2):  # a process each has no more files than the machine allows one
            crowds.append(hold_crowd(contender, options.idle_crowd // 2, []))
        crowds.append(hold_crowd(contender, options.loris, ['--drip', 5]))
        before, cpu = time.monotonic(), contender.tree.cpu()
        busy = blast(contender, workload, how)
        load = (contender.tree.cpu() - cpu) / (time.monotonic() - before)
    finally:
        for crowd in crowds:
            crowd.terminate()
            crowd.wait()
    return {'rate': busy['rate'], 'p50': busy['p50_us'] / 1000, 'p99': busy['p99_us'] / 1000, 'quiet_p99': quiet['p99_us'] / 1000,
            'quiet_rate': quiet['rate'], 'cores': load, 'messages': busy['done']}


def measure_gate(contender, workload, options):
    dns, message = gate.Dns(), gate.signed_message()
    try:
        contender.prepare(workload.job(9)._replace(work=workload.gate if workload.gate == 'crowd' else HOLD))
        contender.start()
        gate.check(contender, message)
        if workload.gate == 'crowd':
            return measure_good_client(contender, workload, options, message)
        return measure_mail(contender, workload, None, ['--seconds', options.seconds, '--messages', 10 ** 9], ['--content', message])
    finally:
        contender.stop()
        dns.stop()
        os.sync()


def measure(contender, workload, options):
    if workload.gate:
        return measure_gate(contender, workload, options)
    sink = Sink(WORK) if workload.work == RELAY else None
    try:
        contender.prepare(workload.job(sink.port if sink else 9))
        contender.start()
        if workload.connections == 0:
            return measure_crowd(contender, min(contender.crowd, options.crowd), workload.blast)
        return measure_mail(contender, workload, sink, ['--seconds', options.seconds, '--messages', 10 ** 9])
    finally:
        contender.stop()
        if sink:
            sink.stop()
        os.sync()


def one_sample(make, workload, number, options):
    contender = gate.KINDS[make]() if workload.gate else make()
    measures = measure(contender, workload, options)
    shown = ', '.join(f'{k} {v:,.3f}' for k, v in measures.items() if k in ('rate', 'cpu', 'p99', 'quiet_p99', 'kb', 'others'))
    say(f'{workload.name:14} {number}/{options.runs}  {contender.name:10} {shown}')
    return {'workload': workload.name, 'contender': contender.name, 'run': number, 'measures': measures}


def takes_part(make, workload):
    """The bare limit has no gate, and Postfix no process for each of 25,000 sessions."""
    return not workload.gate or (make in gate.KINDS if workload.gate == 'mail' else make is Posthouse)


def take_samples(makers, workloads, options):
    """ABCABC...: whatever drifts on the machine meets all contenders alike."""
    samples, failures = [], []
    for workload in workloads:
        for number in range(1, options.runs + 1):
            for make in makers:
                if (workload.tls and not make.speaks_tls) or not takes_part(make, workload):
                    continue
                try:
                    samples.append(one_sample(make, workload, number, options))
                except BenchError as e:
                    failures.append(f'{workload.name}: {e}')
                    say(f'FAILED {failures[-1]}')
    return samples, failures


def given_binary(options):
    path = pathlib.Path(options.binary).resolve() if options.binary else None
    if path and not os.access(path, os.X_OK):
        raise BenchError(f'there is no program {path}')
    return path


def contenders(options):
    makers, notes = [], []
    for name in options.contenders.split(','):
        if name == 'posthouse':
            try:
                Posthouse.binary = given_binary(options) or build_release()
                makers.append(Posthouse)
            except BenchError as e:
                notes.append(f'posthouse is left out: {e}')
        elif name in ('postfix', 'limit'):
            kind = {'postfix': Postfix, 'limit': Limit}[name]
            why = kind().why_not()
            if why:
                notes.append(f'{name} is left out: {why}')
            else:
                makers.append(kind)
        else:
            raise BenchError(f'a contender was expected (posthouse, postfix, limit), found "{name}"')
    return makers, notes


def chosen_workloads(only):
    if not only:
        return [w for w in WORKLOADS if w.usual]
    known = {w.name: w for w in WORKLOADS}
    unknown = [name for name in only.split(',') if name not in known]
    if unknown:
        raise BenchError(f'workloads are {", ".join(known)}; there is no "{unknown[0]}"')
    return [known[name] for name in only.split(',')]


def machine():
    model = [l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')]
    return f'{os.cpu_count()} cores ({model[0] if model else platform.machine()}), Linux {platform.release()}'


def disturbance(samples):
    hit = [s['measures']['others'] for s in samples if s['measures'].get('others', 0) > DISTURBED]
    if not hit:
        return []
    return [f'DISTURBED: in {len(hit)} runs others used up to {max(hit):.0%} of the machine; CPU a message still tells '
            'something, speed and latency do not']


def publish(samples, failures, notes, disk, options):
    titles, goals = {w.name: w.title for w in WORKLOADS}, {w.name: w.goal for w in WORKLOADS}
    summary = report.summarise(samples)
    verdicts = {w: report.checks(goals[w], of) for w, of in summary.items()}
    about = f'{machine()}; {disk}; medians of {options.runs} interleaved runs of {options.seconds:g} s (least..most)'
    print(about)
    for w, of in summary.items():
        print('\n' + report.table(titles[w], of, verdicts[w]))
    notes = notes + disturbance(samples)
    for line in notes + failures:
        print(f'\n{line}')
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / 'bench.svg').write_text(plot.svg(summary, titles, about))
    values = {w: {c: {m: s.value() for m, s in ms.items()} for c, ms in of.items()} for w, of in summary.items()}
    data = {'about': about, 'date': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'disk': disk,
            'runs': options.runs, 'seconds': options.seconds, 'summary': values, 'verdicts': verdicts,
            'samples': samples, 'failures': failures, 'notes': notes}
    path = pathlib.Path(options.json) if options.json else WORK / 'bench.json'
    path.write_text(json.dumps(data, indent=1) + '\n')
    print(f'\nwritten: {WORK / "bench.svg"}, {path}')
    return verdicts


def bench(options):
    workloads = chosen_workloads(options.only)
    build_programs()
    makers, notes = contenders(options)
    with Disk(options.disk) as disk:
        samples, failures = take_samples(makers, workloads, options)
    if not samples:
        raise BenchError('\n'.join(['nothing was measured'] + notes + failures))
    verdicts = publish(samples, failures, notes, disk, options)
    missed = any(not v['met'] for found in verdicts.values() for v in found)
    return 1 if failures or (options.enforce and missed) else 0


def smoke_steps():
    """(name, function) for each thing that a bench needs from Posthouse, with tiny counts."""
    accept = Workload('', '', 'accept', HOLD, 5, 10240, warm=10)
    relay = Workload('', '', 'relay', RELAY, 5, 10240, warm=10)
    submit = Workload('', '', None, HOLD, 5, 10240, AS_USER + ['--per-connection', '10', '--resume'], sign=True, warm=10)

    def mail(workload):
        contender, sink = Posthouse(), Sink(WORK) if workload.work == RELAY else None
        try:
            contender.prepare(workload.job(sink.port if sink else 9))
            contender.start()
            measures = measure_mail(contender, workload, sink, ['--messages', 100, '--give-up', 20])
            if measures['messages'] != 100 or measures['rate'] <= 0:
                raise BenchError(f'100 messages were expected, found {measures}')
        finally:
            contender.stop()
            if sink:
                sink.stop()

    def crowd():
        contender = Posthouse()
        try:
            contender.prepare(Workload('', '', None, HOLD, 0, 0).job(9))
            contender.start()
            measure_crowd(contender, 50)
        finally:
            contender.stop()

    return [('bench: accept to queue', lambda: mail(accept)), ('bench: relay to the sink', lambda: mail(relay)),
            ('bench: submission, signed', lambda: mail(submit)), ('bench: idle sessions', crowd)]


def smoke(options):
    """TAP, for the test runner: does benching work at all? Figures are of no interest here."""
    build_programs()
    Posthouse.binary = given_binary(options) or find_binary(ROOT / 'build')
    WORK.mkdir(parents=True, exist_ok=True)
    steps, failed = smoke_steps(), 0
    print(f'1..{len(steps)}')
    for number, (name, step) in enumerate(steps, 1):
        try:
            step()
            print(f'ok {number} - {name}', flush=True)
        except BenchError as e:
            failed += 1
            print(f'not ok {number} - {name}\n' + '\n'.join(f'# {line}' for line in str(e).splitlines()), flush=True)
    return 1 if failed else 0


def parse(arguments):
    p = argparse.ArgumentParser(description='Measures Posthouse beside Postfix and the bare limit; loopback only.')
    p.add_argument('-n', '--runs', type=int, default=5, help='of each contender at each workload (5)')
    p.add_argument('--seconds', type=float, default=4, help='of one run (4)')
    p.add_argument('--only', help='workloads: ' + ', '.join(w.name for w in WORKLOADS))
    p.add_argument('--contenders', default='posthouse,postfix,limit')
    p.add_argument('--crowd', type=int, default=2000, help='idle sessions (2000; Postfix gets 200, a process each)')
    p.add_argument('--idle-crowd', type=int, default=20000, help='idle sessions beside the good client (20000)')
    p.add_argument('--loris', type=int, default=5000, help='and sessions that send a byte in 5 s (5000)')
    p.add_argument('--disk', choices=['auto', 'here', 'journalled'], default='auto')
    p.add_argument('--binary', default=os.environ.get('POSTHOUSE'), help='measure this posthouse; default: build one')
    p.add_argument('--json', metavar='FILE', help='where the samples go (build/bench/bench.json)')
    p.add_argument('--enforce', action='store_true', help='exit 1 when a target is missed')
    p.add_argument('--smoke', action='store_true', help='ten seconds that show whether benching works')
    return p.parse_args(arguments)


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse(sys.argv[1:])
    try:
        return smoke(options) if options.smoke else bench(options)
    except BenchError as e:
        say(f'bench: {e}')
        return 1
    except KeyboardInterrupt:
        say('bench: interrupted; everything it started is ended')
        return 130


if __name__ == '__main__':
    sys.exit(main())
