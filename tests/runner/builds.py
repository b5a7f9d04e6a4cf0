# builds: the build directories of `make test`, and the tests that Meson knows in each.
import json
import os
import subprocess
from dataclasses import dataclass

from runner import program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@dataclass
class Build:
    name: str        # as shown
    directory: str   # below ROOT
    options: list
    compiler: str

    @property
    def path(self):
        return os.path.join(ROOT, self.directory)


_SANE = ['-Dtests=enabled', '-Db_sanitize=address,undefined', '-Dc_args=-fno-sanitize-recover=undefined']

GCC = Build('gcc', 'build/test-gcc', _SANE, 'gcc')
CLANG = Build('clang', 'build/test-clang', _SANE + ['-Db_lundef=false'], 'clang')
PLAIN = Build('plain', 'build', ['-Dtests=disabled'], 'gcc')


def make(build):
    """Configures and compiles; gives (succeeded, output)."""
    command = [os.path.join(ROOT, 'tools', 'build'), build.directory, *build.options]
    status, output = program.run(command, ROOT, 1200, {'CC': build.compiler})
    return status == 0, output


@dataclass
class Listed:
    name: str
    suite: str
    command: list
    env: dict
    timeout: float
    tap: bool


def listed(build):
    """The tests that the meson.build files register, in their order."""
    text = subprocess.run(['meson', 'introspect', '--tests', build.path], check=True, capture_output=True).stdout
    return [Listed(t['name'], t['suite'][0].split(':')[-1], t['cmd'], t['env'] or {}, t['timeout'] or 600,
                   t['protocol'] == 'tap') for t in json.loads(text)]
