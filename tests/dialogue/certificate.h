// certificate: a TLS server for dialogues, with a key and a self-signed certificate made on the spot.
#pragma once

#include "rt/tls.h"

// Never NULL; one at a time. For mx.example.net, 192.0.2.1 and 192.0.2.3; `trust` gets the PEM of who vouches for it.
struct tls_server *certificate_server(struct buf *trust);
void certificate_server_free(struct tls_server *s); // takes NULL
