// deliver: the process that puts mail into mailboxes here. Work comes from the queue with the Maildir's pattern; each
// recipient gets a file of its own, with Return-Path, Delivered-To and X-Original-To in front.
#pragma once

#include "core/config/config.h"
#include "rt/link.h"
#include "rt/world.h"

struct deliver_service;

// w->disk is the directory in which the patterns' paths begin: "/" in a process.
struct deliver_service *deliver_new(struct world *w, const struct config *c);

// ROLE_QUEUE or ROLE_CONTROL.
void deliver_attach(struct deliver_service *s, struct link *link, enum role peer);

void deliver_stop(struct deliver_service *s);
struct fiber_group *deliver_fibers(struct deliver_service *s);
void deliver_free(struct deliver_service *s); // takes NULL; its fibers have ended
