#!/usr/bin/python3
# floors.py: keeps the floors and the written rules of the sources that a compiler doesn't: who may include whom, what
# meets the kernel, what every file begins with, how long things may get. Speaks TAP, a point for each rule; before that
# it shows on small trees broken on purpose that each rule can fail.
import os
import re
import sys
import tempfile

FLOORS = ['base', 'wire', 'mail', 'core', 'rt', 'svc', 'cmd']
KERNEL_FLOORS = ('rt', 'cmd')      # may include the kernel's headers
CONDITIONAL_FLOORS = ('base', 'rt')  # may hold #if
FUNCTION_LINES = 80
FILE_LINES = 500
COLUMNS = 160  # the formatter keeps 120; a table may have wider rows

FORBIDDEN = ('strcpy strncpy stpcpy strcat strncat sprintf vsprintf strtok strtok_r atoi atol atoll atof alloca gets '
             'setlocale toupper tolower isalpha isdigit isalnum isspace isprint rand srand random drand48').split()
KERNEL = re.compile(r'^(sys/(?!types\.h|cdefs\.h|param\.h).*|linux/.*|netinet/.*|net/.*|arpa/.*|asm/.*|unistd\.h|fcntl\.h|poll\.h|'
                    r'netdb\.h|time\.h|pthread\.h|threads\.h|dirent\.h|spawn\.h|sched\.h|locale\.h|pwd\.h|'
                    r'grp\.h|termios\.h|ucontext\.h|syslog\.h|dlfcn\.h)$')
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


class Source:
    def __init__(self, src, path):
        self.name = os.path.relpath(path, src)
        self.floor = self.name.split(os.sep)[0]
        self.is_test = re.search(r'_test(_\w+)?\.[ch]$', path) is not None
        with open(path, encoding='utf-8') as f:
            self.text = f.read()
        self.lines = self.text.split('\n')
        # Includes are read before strings go; code is what is left when comments and strings are gone.
        self.bare = strip(self.text, keep_strings=True)
        self.code = strip(self.text, keep_strings=False)
        self.own = [m.group(1) for m in INCLUDE.finditer(self.bare) if m.group(1)]
        self.foreign = [m.group(2) for m in INCLUDE.finditer(self.bare) if m.group(2)]


def strip(text, keep_strings):
    """The text without comments, and without what stands in quotes unless asked; lines stay where they are."""
    def blank(m):
        s = m.group(0)
        if s[0] in '"\'':
            return s if keep_strings else s[0] + s[0]
        return re.sub(r'[^\n]', ' ', s)
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.DOTALL)


def sources(src):
    found = []
    for folder, _, names in sorted(os.walk(src)):
        found += [Source(src, os.path.join(folder, n)) for n in sorted(names) if n.endswith(('.c', '.h'))]
    return found


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def rule_floors(all_sources):
    """a file includes only its own floor and lower ones"""
    for s in all_sources:
        if s.floor not in FLOORS:
            yield f'{s.name}: no such floor as {s.floor}'
            continue
        for include in s.own:
            floor = include.split('/')[0]
            if floor not in FLOORS:
                yield f'{s.name}: "{include}" names no floor; paths are rooted at src'
            elif FLOORS.index(floor) > FLOORS.index(s.floor):
                yield f'{s.name}: {s.floor} may not include "{include}" of the higher floor {floor}'


def rule_circles(all_sources):
    """headers include each other in no circle"""
    graph = {s.name: s.own for s in all_sources}
    state = {}

    def walk(name, path):
        state[name] = 'open'
        for other in graph.get(name, []):
            if state.get(other) == 'open':
                circle = path[path.index(other):] if other in path else [other]
                yield ' -> '.join(circle + [other])
            elif other not in state:
                yield from walk(other, path + [other])
        state[name] = 'done'

    for name in sorted(graph):
        if name not in state:
            yield from walk(name, [name])


def rule_headers(all_sources):
    """every header is guarded by #pragma once, and no include is missing"""
    names = {s.name for s in all_sources}
    for s in all_sources:
        if s.name.endswith('.h') and '#pragma once' not in s.text:
            yield f'{s.name}: no #pragma once'
        for include in s.own:
            if include not in names:
                yield f'{s.name}: "{include}" is not there'


def rule_line_one(all_sources):
    """line one says what the file is for"""
    for s in all_sources:
        stem = os.path.basename(s.name).rsplit('.', 1)[0]
        if not re.match(rf'// {re.escape(stem)}: \S', s.lines[0]):
            yield f'{s.name}:1: should begin with "// {stem}: " and say what the file is for'


def rule_forbidden(all_sources):
    """functions that are not used: they overflow, depend on the locale or hide an error"""
    call = re.compile(r'(?<![\w.>])(' + '|'.join(FORBIDDEN) + r')\s*\(')
    for s in all_sources:
        for m in call.finditer(s.code):
            yield f'{s.name}:{line_of(s.code, m.start())}: {m.group(1)}()'


def rule_conditional(all_sources):
    """#if lives in base and rt only"""
    for s in all_sources:
        if s.floor in CONDITIONAL_FLOORS or s.is_test:
            continue
        for m in re.finditer(r'^\s*#\s*(if|ifdef|ifndef|elif)\b', s.code, re.MULTILINE):
            yield f'{s.name}:{line_of(s.code, m.start(1))}: #{m.group(1)}'


def rule_kernel(all_sources):
    """only rt and cmd meet the kernel"""
    call = re.compile(r'(?<![\w.>])(kill|sigaction|signal|raise|nanosleep|usleep|system|fork|getenv)\s*\(')
    for s in all_sources:
        if s.floor in KERNEL_FLOORS or s.is_test:
            continue
        for include in s.foreign:
            if KERNEL.match(include):
                yield f'{s.name}: <{include}> belongs to rt'
        for m in call.finditer(s.code):
            yield f'{s.name}:{line_of(s.code, m.start())}: {m.group(1)}() belongs to rt'


def rule_typedef(all_sources):
    """no typedef of structs"""
    for s in all_sources:
        for m in re.finditer(r'^\s*typedef\s+(struct|union|enum)\b', s.code, re.MULTILINE):
            yield f'{s.name}:{line_of(s.code, m.start(1))}: typedef of a {m.group(1)}'


def functions(s):
    """(name, first line, last line) of each function that begins and ends in the first column."""
    lines, begin = s.code.split('\n'), None
    for n, line in enumerate(lines, 1):
        called = re.search(r'(\w+)\s*\(', line)
        if begin is None and re.match(r'[A-Za-z_]', line) and called and not line.rstrip().endswith(';'):
            begin = (called.group(1), n)
        if begin and line.startswith('}'):
            yield begin[0], begin[1], n
            begin = None
        elif begin and re.search(r';\s*$', line) and not any('{' in x for x in lines[begin[1] - 1:n]):
            begin = None  # a declaration over several lines


def rule_functions(all_sources):
    """no function is longer than 80 lines, but for tables of tests"""
    for s in all_sources:
        if s.is_test:
            continue
        for name, first, last in functions(s):
            if last - first + 1 > FUNCTION_LINES:
                yield f'{s.name}:{first}: {name} has {last - first + 1} lines'


def rule_fibers(all_sources):
    """a function that may wait says so: only FIBER_FN calls FIBER_FN"""
    mark = re.compile(r'\bFIBER_FN\b[^;{=(]*?(?:\(\s*\*\s*(\w+)\s*\)|(\w+))\s*\(')
    waiting = {m.group(1) or m.group(2): bool(m.group(1)) for s in all_sources for m in mark.finditer(s.code)}
    waiting = {name: member for name, member in waiting.items() if name not in ('void', 'bool', 'run')}
    if not waiting:
        return
    call = re.compile(r'(->|\.)?\s*\b(' + '|'.join(sorted(waiting)) + r')\s*\(')
    for s in all_sources:
        if s.is_test:
            continue
        lines = s.code.split('\n')
        for name, first, last in functions(s):
            if name in waiting or 'FIBER_FN' in ' '.join(lines[first - 1:first + 1]):
                continue
            for n in range(first, last + 1):
                for m in call.finditer(lines[n - 1] if n > first else lines[n - 1].split('{', 1)[-1]):
                    if bool(m.group(1)) == waiting[m.group(2)]:
                        yield f'{s.name}:{n}: {name} calls {m.group(2)}, which may wait, and is no FIBER_FN'


def rule_files(all_sources):
    """no file is longer than 500 lines"""
    for s in all_sources:
        if len(s.lines) > FILE_LINES + 1:
            yield f'{s.name}: {len(s.lines) - 1} lines'


def rule_columns(all_sources):
    """no line is wider than 160 columns, and none has tabs or blanks at its end"""
    for s in all_sources:
        for n, line in enumerate(s.lines, 1):
            if len(line) > COLUMNS or '\t' in line or line != line.rstrip():
                yield f'{s.name}:{n}: {"too wide" if len(line) > COLUMNS else "tab or blank at its end"}'


RULES = [rule_floors, rule_circles, rule_headers, rule_line_one, rule_forbidden, rule_conditional, rule_kernel,
         rule_typedef, rule_functions, rule_fibers, rule_files, rule_columns]

SOUND = {
    'base/a.h': '// a: the letter.\n#pragma once\n#include <stdint.h>\nint a_of(int x);\n',
    'base/a.c': '// a: the letter.\n#include "base/a.h"\n#ifdef __x86_64__\n#endif\n'
                'int a_of(int x) {\n    // strcpy(x)\n    return x;\n}\n',
    'rt/r.c': '// r: meets the kernel.\n#include "base/a.h"\n#include <unistd.h>\n#if 1\n#endif\n',
    'wire/w_test.c': '// w_test: tests may.\n#include <unistd.h>\n',
}
# rule: a file that breaks it, and nothing but it
BROKEN = {
    rule_floors: {'wire/b.h': '// b: looks up.\n#pragma once\n#include "rt/c.h"\n', 'rt/c.h': '// c: x.\n#pragma once\n'},
    rule_circles: {'base/b.h': '// b: b.\n#pragma once\n#include "base/c.h"\n',
                   'base/c.h': '// c: c.\n#pragma once\n#include "base/b.h"\n'},
    rule_headers: {'base/b.h': '// b: no guard.\n'},
    rule_line_one: {'base/b.c': '#include "base/a.h"\n'},
    rule_forbidden: {'base/b.c': '// b: copies.\nvoid b(char *p) {\n    strcpy(p, "x");\n}\n'},
    rule_conditional: {'svc/b/b.c': '// b: depends.\n#ifdef DEBUG\n#endif\n'},
    rule_kernel: {'svc/b/b.c': '// b: sleeps.\n#include <sys/socket.h>\n'},
    rule_typedef: {'base/b.c': '// b: hides.\ntypedef struct b b_t;\n'},
    rule_functions: {'base/b.c': '// b: goes on.\nint b(int x,\n      int y) {\n' + '    x++;\n' * 90 + '}\n'},
    rule_fibers: {'rt/b.h': '// b: waits.\n#pragma once\nFIBER_FN void b_wait(int x);\n',
                  'rt/c.c': '// c: calls.\nvoid c(int x) {\n    b_wait(x);\n}\n'},
    rule_files: {'base/b.c': '// b: goes on.\n' + '// and on\n' * 600},
    rule_columns: {'base/b.c': '// b: ' + 'wide ' * 40 + 'x\n'},
}


def findings(tree):
    """The rules that a tree (name to text) breaks."""
    with tempfile.TemporaryDirectory() as src:
        for name, text in tree.items():
            os.makedirs(os.path.dirname(os.path.join(src, name)), exist_ok=True)
            with open(os.path.join(src, name), 'w', encoding='utf-8') as f:
                f.write(text)
        all_sources = sources(src)
        return {rule for rule in RULES if list(rule(all_sources))}


def self_test():
    yield 'a sound tree breaks no rule', [r.__name__ for r in findings(SOUND)]
    for rule in RULES:
        found = findings(dict(SOUND, **BROKEN[rule]))
        yield f'seen when broken: {rule.__doc__}', [] if found == {rule} else [f'found {[r.__name__ for r in found]}']


def main():
    # Not yet kept everywhere, so only shown on request: floors.py --fibers
    asked = '--fibers' in sys.argv
    src = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'src')
    all_sources = sources(src)
    points = list(self_test())
    points += [(rule.__doc__, list(rule(all_sources))) for rule in RULES if rule is not rule_fibers or asked]
    points.append(('there are sources to look at', [] if len(all_sources) > 20 else [f'only {len(all_sources)} under {src}']))
    print(f'1..{len(points)}')
    for n, (name, wrong) in enumerate(points, 1):
        print(f'{"not ok" if wrong else "ok"} {n} - {name}')
        for line in wrong:
            print(f'#   {line}')
    return 1 if any(wrong for _, wrong in points) else 0


if __name__ == '__main__':
    sys.exit(main())
