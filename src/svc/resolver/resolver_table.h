// resolver_table: a backend that answers from a table, after chosen delays: for tests and the simulator.
#pragma once

#include "svc/resolver/resolver.h"

struct resolver_table;

struct resolver_table *resolver_table_new(struct loop *loop);

// What it does not know is NXDOMAIN; a name that it knows for another type is NODATA.
struct resolver_backend *resolver_table_backend(struct resolver_table *t);

// A line of the table; several for the same name and type are one answer.
//
//     example.net MX 10 mx.example.net      example.net MX 0 .      (null MX)
//     mx.example.net A 192.0.2.1            mx.example.net AAAA 2001:db8::1
//     dead.example MX FAILED SERVFAIL       forged.example MX BOGUS signature expired
//     example.net MX SECURE                 (the answer that other lines give was validated)
//     slow.example MX DELAY 3000            (milliseconds; an answer still follows from other lines)
//
// False when it can't be read.
bool resolver_table_add(struct resolver_table *t, struct slice line);
