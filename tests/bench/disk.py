# disk: where the contenders keep their mail. It is one place for all of them.
#
# What a sync costs depends on the file system's journal. Debian installs ext4 with one, containers and small virtual
# machines often come without; so where the journal is missing and we are root, an image with a journalled ext4 is
# mounted for the time of the bench.

import os
import pathlib
import subprocess

from tools import WORK, BenchError, run, say

IMAGE = WORK / 'disk.img'
IMAGE_BYTES = 4 << 30
AT = WORK / 'run'


def _mount_of(path):
    best = ('', '', '')
    for line in pathlib.Path('/proc/mounts').read_text().splitlines():
        device, at, kind = line.split()[:3]
        if f'{path}/'.startswith(at.rstrip('/') + '/') and len(at) >= len(best[1]):
            best = (device, at, kind)
    return best


def describe(path):
    device, _, kind = _mount_of(path)
    task = pathlib.Path('/sys/fs/ext4') / pathlib.Path(device).name / 'journal_task'
    if kind != 'ext4' or not task.exists():
        return kind
    return 'ext4 without a journal' if task.read_text().strip() == '<none>' else 'ext4 with a journal'


def _write_image():
    """All of it is written once: a hole that is filled later would cost whoever comes upon it."""
    if IMAGE.exists() and IMAGE.stat().st_blocks * 512 >= IMAGE_BYTES:
        return
    say(f'writing {IMAGE} ({IMAGE_BYTES >> 30} GiB), once')
    block = bytes(1 << 20)
    with open(IMAGE, 'wb') as image:
        for _ in range(IMAGE_BYTES >> 20):
            image.write(block)
        os.fsync(image.fileno())


class Disk:
    """Used as `with Disk(kind) as description`; kind is 'auto', 'here' or 'journalled'."""

    def __init__(self, kind):
        self.kind = kind
        self.mounted = False

    def __enter__(self):
        AT.mkdir(parents=True, exist_ok=True)
        subprocess.run(['umount', '-q', AT], stderr=subprocess.DEVNULL, check=False)  # of a bench that was killed
        wanted = self.kind == 'journalled' or (self.kind == 'auto' and describe(AT) == 'ext4 without a journal')
        if wanted:
            self._mount()
        return describe(AT) + (f', an image on {describe(WORK)}' if self.mounted else '')

    def _mount(self):
        try:
            if os.getuid() != 0:
                raise BenchError('a journalled disk can be mounted by root only')
            _write_image()
            run(['mkfs.ext4', '-q', '-F', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0', IMAGE])
            run(['mount', '-o', 'loop', IMAGE, AT])
            self.mounted = True
        except BenchError as e:
            if self.kind != 'auto':
                raise
            say(f'no journalled disk: {e}')

    def __exit__(self, *_):
        if self.mounted:
            run(['umount', AT])
