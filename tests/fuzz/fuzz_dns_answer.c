// fuzz_dns_answer: a response is read within its bytes, and what comes out can be written down.
#include "fuzz.h"

#include "wire/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_MX, DNS_TYPE_PTR, DNS_TYPE_TXT};
    struct slice in = slice_of(data, size);
    uint16_t type = types[fuzz_choose(&in, 5)];
    struct arena arena = {.max = 1 << 20};
    struct dns_answer a;
    if (dns_answer_parse(in, type, 100, &arena, &a)) {
        FUZZ_CHECK(a.n <= 100 && a.rcode < 16 && a.ttl <= INT32_MAX);
        for (size_t i = 0; i < a.n; i++) {
            FUZZ_CHECK((a.records[i].ip.family != NETADDR_NONE) == (type == DNS_TYPE_A || type == DNS_TYPE_AAAA));
            for (size_t j = 0; type != DNS_TYPE_TXT && j < a.records[i].text.n; j++)
                FUZZ_CHECK(a.records[i].text.p[j] > ' ' && a.records[i].text.p[j] < 0x7f);
        }
    }
    arena_done(&arena);
    return 0;
}
