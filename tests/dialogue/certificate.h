// certificate: a TLS server for dialogues, with a key and a self-signed certificate made on the spot.
#pragma once

#include "rt/tls.h"

struct tls_server *certificate_server(void); // never NULL; one at a time
void certificate_server_free(struct tls_server *s); // takes NULL
