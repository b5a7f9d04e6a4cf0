// fuzz_message_auth: the payloads about who a user is; the first byte chooses which.
#include "core/message/message_auth.h"
#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    BUF_AUTO struct buf again = {.max = 1 << 20};
    struct slice in = slice_of(data, size);
    switch (fuzz_choose(&in, 7)) {
        MESSAGE(0, auth_begin)
        MESSAGE(1, auth_continue)
        MESSAGE(2, auth_reply)
        MESSAGE(3, pam_check)
        MESSAGE(4, pam_reply)
        MESSAGE(5, fetch)
        MESSAGE(6, fetch_reply)
    }
    return 0;
}
