#!/usr/bin/python3
# mutants.py: breaks the house on purpose, one promise at a time, and expects the simulator to notice. A simulator that
# lets a mutant live proves nothing.
#
#     tests/sim/mutants.py [--seeds 4000] [name ...]
import argparse
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(ROOT, 'build', 'mutants')
AT_ONCE = 200  # seeds

# name, promise that is broken, file, text that must be there once, what stands there instead
MUTANTS = [
    ('ack-before-sync', '250 is said only after the sync',
     'src/svc/queue/queue_log.c',
     'if (!write_parts(l, parts_n, e) || !disk_file_sync(l->current->file, e)) {',
     'if (!write_parts(l, parts_n, e)) {'),
    ('outcome-before-250', 'a delivery is recorded only after the remote 250',
     'src/svc/relay/relay_send.c',
     '    if (!relay_reply(s, s->timeouts->data_end, e)) {\n',
     '    s->reply.code = 250;\n    relay_mail_decide_by_reply(m, &s->reply, false);\n'
     '    if (!relay_reply(s, s->timeouts->data_end, e)) {\n'),
    ('failed-sync-believed', 'a sync that failed acknowledges nothing',
     'src/svc/queue/queue_log.c',
     'if (!write_parts(l, parts_n, e) || !disk_file_sync(l->current->file, e)) {',
     'if (!write_parts(l, parts_n, e) || (!disk_file_sync(l->current->file, e) && e->kind == ERR_CANCELLED)) {'),
    ('abandoned-attempt', 'a worker that dies gives its attempts back',
     'src/svc/queue/queue_attempt.c',
     '        queue_outcome_group(q, g, at_once);\n        queue_message_release(q, m);\n    }\n}',
     '        (void)at_once;\n    }\n}'),
    ('stale-tail', 'what a failed sync left behind never counts',
     'src/svc/queue/queue_replay.c',
     's->end = num_min(next->head.previous_end, s->size);',
     's->end = s->size;'),
    ('maildir-unsynced', 'a mailbox file is synced before the outcome',
     'src/svc/deliver/maildir.c',
     'if (!disk_file_sync(f->file, e))',
     'if (false)'),
]


def sh(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def copy_tree():
    """New times on all files: what an earlier run compiled, broken as it was, must not count as up to date."""
    shutil.rmtree(os.path.join(WORK, 'tree'), ignore_errors=True)
    for name in ('meson.build', 'meson_options.txt', 'VERSION', 'src', 'tests', 'doc', 'tools'):
        source, target = os.path.join(ROOT, name), os.path.join(WORK, 'tree', name)
        if os.path.isdir(source):
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'), copy_function=shutil.copy)
        elif os.path.exists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)


def build():
    tree, into = os.path.join(WORK, 'tree'), os.path.join(WORK, 'build')
    if not os.path.exists(os.path.join(into, 'build.ninja')):
        made = sh('meson', 'setup', into, tree, '-Doptimization=1', '-Ddebug=false')
        if made.returncode:
            return made
    return sh('ninja', '-C', into, 'tests/sim/sim')


def simulate(seeds):
    """Until something is noticed: a promise that few seeds put to the test takes many."""
    for first in range(1, seeds + 1, AT_ONCE):
        seen = sh(os.path.join(WORK, 'build', 'tests', 'sim', 'sim'), '--from', str(first), '--seeds', str(AT_ONCE), timeout=900)
        if seen.returncode:
            break
    return seen


def main():
    parser = argparse.ArgumentParser(description='Breaks the house on purpose and expects the simulator to notice.')
    parser.add_argument('--seeds', type=int, default=4000, help='at most, for each mutant')
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    chosen = [m for m in MUTANTS if not args.names or m[0] in args.names]
    copy_tree()
    made = build()
    if made.returncode:
        print(made.stdout, 'not ok - the unbroken house does not build', sep='\n')
        return 1
    whole = simulate(AT_ONCE)
    if whole.returncode:
        print(whole.stdout, 'not ok - the unbroken house does not live', sep='\n')
        return 1
    failed = 0
    for name, promise, path, old, new in chosen:
        full = os.path.join(WORK, 'tree', path)
        text = open(full).read()
        if text.count(old) != 1:
            print(f'not ok - {name}: its place in {path} is gone: mend the mutant')
            failed += 1
            continue
        open(full, 'w').write(text.replace(old, new))
        made = build()
        seen = simulate(args.seeds) if made.returncode == 0 else None
        open(full, 'w').write(text)
        if made.returncode:
            print(made.stdout, f'not ok - {name}: does not build', sep='\n')
            failed += 1
        elif seen.returncode == 0:
            print(f'not ok - {name}: nothing noticed in {args.seeds} seeds that it breaks "{promise}"')
            failed += 1
        else:
            first = next((line for line in seen.stdout.splitlines() if line.split(' ')[0] in
                          ('LOST', 'EARLY', 'TWICE', 'GHOST', 'STRAY', 'STUCK', 'FIBERS')), '?')
            print(f'ok - {name} caught ({promise}): {first}')
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
