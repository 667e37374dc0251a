/*
 * deliver.h - a place to deliver to, and batches of messages.
 */
#ifndef TESTS_DELIVER_H
#define TESTS_DELIVER_H

#include "client/deliver/delivery.h"

enum { DELIVER_MAX = 16 };

struct place {
	char base[64]; /* a folder of its own */
	char path[128], spool[128];
	struct dest dest;
	struct delivery_env env;
	struct delivery *d;
	struct errbuf eb;
};

/* Nothing is opened.  `name` is a file or folder in base. */
void place_init(struct place *p, enum dest_kind kind, const char *name);
void place_open(struct place *p); /* or opened anew */
void place_clear(struct place *p);

void place_put(struct place *p, const char *file, const char *text);
/* malloc'ed; NULL: there is no such file. */
char *place_read(struct place *p, const char *file, size_t *n_r);
bool place_has(struct place *p, const char *file);
unsigned place_count(struct place *p, const char *folder);
/* The only file in the folder. */
char *place_only(struct place *p, const char *folder, char out[512]);

/* A parcel with this content, ended; identity as the reader has it. */
struct parcel *place_parcel(
    struct place *p, const char *text, size_t n, const char *uid);
/* The whole batch; each must have `result`. */
void place_deliver(struct place *p, const char *const *text, enum err result);

/* As a user that permissions count for, in a child. */
void as_nobody(struct place *p, void (*fn)(struct place *p));

#endif
