# opendmarc.py: libopendmarc of Debian by ctypes, as an evaluator of RFC 7489 that is handed the record.
import ctypes
import glob
import os

PASS, FAIL, MAIL_FROM = 1, 2, 1
WORDS = {14: 'none', 15: 'pass', 16: 'fail reject', 17: 'fail quarantine', 18: 'fail none'}


def load(root):
    """`root`: where tests/interop/setup unpacks. None where it isn't there."""
    found = glob.glob(os.path.join(root, 'filters', 'libopendmarc2', 'usr', 'lib', '*', 'libopendmarc.so.2'))
    spf = glob.glob(os.path.join(root, 'filters', 'libspf2-2', 'usr', 'lib', '**', 'libspf2.so.2'), recursive=True)
    if not found or not spf:
        return None
    try:
        ctypes.CDLL(spf[0], mode=ctypes.RTLD_GLOBAL)
        return ctypes.CDLL(found[0])
    except OSError:
        return None


class Opendmarc:
    def __init__(self, library):
        self.lib = library
        for name in ('connect_init', 'connect_shutdown', 'connect_rset'):
            getattr(library, f'opendmarc_policy_{name}').restype = ctypes.c_void_p
        # OPENDMARC_LIB_T, all zero: no list of public suffixes. With one, 1.4.2 takes "com" for the organisation of
        # "example.com", and aligns it with all of .com.
        self.settings = ctypes.create_string_buffer(16384)
        assert library.opendmarc_policy_library_init(self.settings) == 0

    def check(self, author, record, at, organisation, spf, dkim):
        """`at`: where the record was found. Gives "none", "pass" or "fail" and what is asked for."""
        lib = self.lib
        policy = ctypes.c_void_p(lib.opendmarc_policy_connect_init(b'192.0.2.1', 4))
        try:
            lib.opendmarc_policy_store_from_domain(policy, author.encode())
            if spf:
                lib.opendmarc_policy_store_spf(policy, spf.encode(), PASS, MAIL_FROM, b'')
            for domain in dkim:
                lib.opendmarc_policy_store_dkim(policy, domain.encode(), b's', PASS, b'')
            if record is None or lib.opendmarc_policy_store_dmarc(
                    policy, record.encode(), author.encode(), None if at == author else organisation.encode()):
                return 'none'
            return WORDS.get(lib.opendmarc_get_policy_to_enforce(policy), 'other')
        finally:
            lib.opendmarc_policy_connect_shutdown(policy)
