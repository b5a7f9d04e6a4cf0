# screen: the aligned table, one line a suite, and on a terminal what is running just now.
import sys
import threading
import time

NAME = 22


class Screen:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.live = out.isatty()
        self.lock = threading.Lock()

    def head(self):
        self._line(f'{"suite":{NAME}} {"passed":>7} {"failed":>7} {"skipped":>8} {"seconds":>8}')

    def running(self, suite, what):
        if self.live:
            with self.lock:
                self.out.write(f'\r\033[K{suite:{NAME}} {what[:70]}')
                self.out.flush()

    def row(self, suite, tally, since):
        seconds = time.monotonic() - since
        row = f'{suite:{NAME}} {tally.passed:7} {tally.failed:7} {tally.skipped:8} {seconds:8.1f}'
        self._line(self._red(row) if tally.failed else row)
        for name, text in tally.shown:
            self._line(self._red(f'--- {suite}: {name}'))
            self._line(text.rstrip('\n'))
            self._line(self._red('---'))

    def note(self, suite, words, since):
        self._line(f'{suite:{NAME}} {words:>24} {time.monotonic() - since:8.1f}')

    def last(self, tally):
        self._line('')
        self._line(tally.sentence())

    def _red(self, text):
        return f'\033[31m{text}\033[0m' if self.live else text

    def _line(self, text):
        with self.lock:
            self.out.write(('\r\033[K' if self.live else '') + text + '\n')
            self.out.flush()
