// facts: the table, and values for people.
#include "core/rules/facts.h"

const struct fact_info fact_infos[FACT_COUNT] = {
#define X(member, name, type, stage, doc) [FACT_##member] = {name, FACT_##type, CONFIG_STAGE_##stage, doc},
    FACTS(X)
#undef X
};

bool fact_value_add(struct buf *b, const struct fact_value *v) {
    switch (v->type) {
    case FACT_BOOL:
        return buf_add_str(b, v->yes ? "true" : "false");
    case FACT_NUMBER:
        return buf_addf(b, "%lld", (long long)v->number);
    case FACT_TEXT:
        return buf_add(b, v->text);
    case FACT_IP:
        return v->ip.family == NETADDR_NONE || netaddr_add_ip(b, &v->ip);
    }
    return false;
}
