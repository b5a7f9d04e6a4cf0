# opendkim: verification by libopendkim, unpacked by tests/interop/setup and called from here.
import ctypes
import glob
import os

from site_of_test import ROOT

LIBRARY = os.path.join(ROOT, 'build', 'interop', 'opendkim', 'usr', 'lib', '*', 'libopendkim.so.11')
PASSED = 4  # DKIM_SIGFLAG_PASSED
OK, SET, METHOD, INFO, BY_FILE = 0, 1, 6, 7, 1  # DKIM_STAT_OK, DKIM_OP_SETOPT, DKIM_OPTS_QUERY*, DKIM_QUERY_FILE
ALGORITHMS = {0: 'rsa-sha1', 1: 'rsa-sha256', 2: 'ed25519-sha256'}


class OpenDkim:
    """records: a file with lines of a name, a blank and a TXT record."""

    @staticmethod
    def is_there():
        return bool(glob.glob(LIBRARY))

    def __init__(self, records):
        self.lib = ctypes.CDLL(glob.glob(LIBRARY)[0])
        for name in ('dkim_init', 'dkim_verify', 'dkim_sig_geterrorstr'):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.lib.dkim_sig_geterrorstr.restype = ctypes.c_char_p
        self.handle = ctypes.c_void_p(self.lib.dkim_init(None, None))
        method, path = ctypes.c_int(BY_FILE), str(records).encode()
        assert self.lib.dkim_options(self.handle, SET, METHOD, ctypes.byref(method), ctypes.c_size_t(4)) == OK
        assert self.lib.dkim_options(self.handle, SET, INFO, path, ctypes.c_size_t(len(path) + 1)) == OK

    def verify(self, message):
        """(algorithm, what is wrong or '') of each signature."""
        status = ctypes.c_int()
        dkim = ctypes.c_void_p(self.lib.dkim_verify(self.handle, b'test', None, ctypes.byref(status)))
        try:
            # What it says here about other people's signatures is of no interest.
            self.lib.dkim_chunk(dkim, message, ctypes.c_size_t(len(message)))
            self.lib.dkim_chunk(dkim, b'', ctypes.c_size_t(0))
            self.lib.dkim_eom(dkim, None)
            return self._signatures(dkim)
        finally:
            self.lib.dkim_free(dkim)

    def _signatures(self, dkim):
        found, n, said = ctypes.POINTER(ctypes.c_void_p)(), ctypes.c_int(), []
        if self.lib.dkim_getsiglist(dkim, ctypes.byref(found), ctypes.byref(n)) != OK:
            return said
        for i in range(n.value):
            one, algorithm = ctypes.c_void_p(found[i]), ctypes.c_int()
            self.lib.dkim_sig_process(dkim, one)
            self.lib.dkim_sig_getsignalg(one, ctypes.byref(algorithm))
            error, body = self.lib.dkim_sig_geterror(one), self.lib.dkim_sig_getbh(one)
            passed = error == 0 and body == 0 and self.lib.dkim_sig_getflags(one) & PASSED
            text = (self.lib.dkim_sig_geterrorstr(error) or b'?').decode()
            said.append((ALGORITHMS[algorithm.value], '' if passed else f'{text}, body {body}'))
        return said

    def close(self):
        self.lib.dkim_close(self.handle)
