/*
 * items.h - how far each listed message has come, and what is due.
 */
#ifndef CLIENT_SESSION_ITEMS_H
#define CLIENT_SESSION_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum progress {
	ITEM_IDLE,   /* nothing to do, or not yet */
	ITEM_TOP,    /* its header is asked for */
	ITEM_RETR,   /* asked for */
	ITEM_HELD,   /* message or header is complete; see fence.h */
	ITEM_WAITS,  /* in the batch, or being stored */
	ITEM_DELETE, /* DELE is to be sent */
	ITEM_DELE,   /* sent */
	ITEM_DONE,
};

struct item {
	enum progress progress;
	bool alone;     /* to be asked for with nothing else outstanding */
	bool pipelined; /* something else was outstanding */
	bool refused;   /* when it was asked for before */
	bool troubled;  /* that was counted for this session */
	bool last;      /* it has made trouble, or may be here: the others are
	                * asked for first */
	bool stub;      /* its header is collected, see stubs.h */
	bool is_fresh;  /* stored in this session */
	bool dele_ok;   /* DELE was answered with OK */
	const char *folder; /* by its envelope; NULL: the Maildir itself */
	uint64_t octets;    /* that came when it was asked for before */
	size_t message; /* the record's: of `fresh` if is_fresh, else of those
	                  * that the plan knows */
};

struct items {
	struct item *v; /* as the plan's; NULL: there is no plan yet */
	size_t next;    /* the first that the step has not looked at */
	/* Lists of items. */
	size_t *alone, n_alone, next_alone;    /* to be asked for again */
	size_t *delete, n_delete, next_delete; /* DELE is due */
	size_t *unsaved, n_unsaved;            /* due once that is on record */
	size_t n_saving; /* of these, so many are about to be */
};

/* For n messages. */
enum err items_init(struct items *t, size_t n) NODISCARD;
void items_clear(struct items *t);

/* It is to be asked for again, with nothing else outstanding. */
void items_ask_alone(struct items *t, size_t i);

/* DELE is due: the record says that the message may be gone. */
void items_delete(struct items *t, size_t i);
/* It is due as soon as the record says so. */
void items_delete_later(struct items *t, size_t i);
/* The record does, for those that there were when n_saving was set. */
void items_delete_saved(struct items *t);

#endif
