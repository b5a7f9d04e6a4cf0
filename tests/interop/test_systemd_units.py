# test_systemd_units: systemd itself reads the units of contrib/systemd and finds nothing wrong with them.
import os
import shutil
import subprocess

import pytest

from site_of_test import BINARY, ROOT

UNITS = os.path.join(ROOT, 'contrib', 'systemd')


@pytest.fixture
def units(tmp_path):
    """The units with the path of this build, since systemd looks whether the program is there."""
    if not shutil.which('systemd-analyze'):
        pytest.skip('skipped: no systemd-analyze')
    shutil.copytree(UNITS, tmp_path / 'units')
    service = tmp_path / 'units' / 'posthouse.service'
    service.write_text(service.read_text().replace('/usr/sbin/posthouse', BINARY).replace('Documentation=', '#'))
    socket = tmp_path / 'units' / 'posthouse.socket'
    socket.write_text(socket.read_text().replace('Documentation=', '#'))
    return tmp_path / 'units'


def analyze(*args):
    return subprocess.run(['systemd-analyze', *map(str, args)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize('drop_in', [False, True])
def test_units_are_sound(units, drop_in):
    if not drop_in:
        shutil.rmtree(units / 'posthouse.service.d')
    done = analyze('verify', '--recursive-errors=no', units / 'posthouse.service', units / 'posthouse.socket')
    ours = [line for line in (done.stdout + done.stderr).splitlines() if str(units) in line or line.startswith('posthouse')]
    assert ours == [] and done.returncode == 0, done.stderr


def test_little_is_exposed(units):
    done = analyze('security', '--offline=true', '--threshold=35', units / 'posthouse.service')
    assert done.returncode == 0, done.stdout[-3000:]

