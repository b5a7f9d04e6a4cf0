// oracle: names of types and states.
#include "mail/oracle/oracle.h"

const char *oracle_type_name(enum oracle_type type) {
    switch (type) {
    case ORACLE_A:
        return "A";
    case ORACLE_PTR:
        return "PTR";
    case ORACLE_MX:
        return "MX";
    case ORACLE_TXT:
        return "TXT";
    case ORACLE_AAAA:
        return "AAAA";
    default:
        return "?";
    }
}

const char *oracle_status_name(enum oracle_status status) {
    static const char *const names[] = {"OK", "NODATA", "NXDOMAIN", "FAILED", "TIMEOUT"};
    return names[status];
}
