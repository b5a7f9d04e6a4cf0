// master_tickets: the secret that keys processes derive the keys of session tickets from, so that they agree, and a new
// one goes on where the last one died. It is hashed forward as time goes: what is past can't be had back from us.
#include "svc/master/master_inside.h"

#include "rt/world.h"

enum { TURN_MS = 1 * MS_MINUTE };

static void begin_chain(struct master *m, int64_t epoch, int64_t life) {
    m->tickets.epoch = epoch;
    m->tickets_life = life;
    world_kernel_ops.random(NULL, m->tickets.secret, sizeof m->tickets.secret);
}

// Another life counts in other epochs, so it is another chain.
static bool turn(struct master *m) {
    int64_t life = m->site->config->tls_ticket_life;
    if (life == 0)
        return false;
    int64_t oldest = ticket_epoch(world_kernel_ops.wall(NULL), life) - TICKET_EPOCHS_BACK;
    if (life != m->tickets_life || oldest < m->tickets.epoch - TICKET_EPOCHS_BACK ||
        !ticket_chain_advance(&m->tickets, oldest))
        begin_chain(m, oldest, life);
    return true;
}

bool master_ticket_chain(struct master *m, struct buf *out) { return turn(m) && ticket_chain_pack(out, &m->tickets); }

void master_watch_tickets(void *arg) {
    while (fiber_sleep(TURN_MS))
        turn(arg);
}
