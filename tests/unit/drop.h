/*
 * drop.h - a Maildir in a temporary directory, and what the store makes of it.
 * Failures end the test.
 */
#ifndef TESTS_DROP_H
#define TESTS_DROP_H

#include "server/ipc/index.h"
#include "server/store/maildir/open.h"

struct drop_fixture {
	char base[64];  /* the temporary directory */
	char path[128]; /* the Maildir in it */
	struct store_conf conf;
	struct hold_open o; /* of the last open */
	struct hold *drop;
};

struct drop_entry {
	uint64_t wire, stamp;
	char uid[INDEX_UID_MAX + 1];
	char name[INDEX_NAME_MAX + 1];
};

/* With an empty Maildir in it. */
void fixture_init(struct drop_fixture *f);
/* Closes the drop and removes everything. */
void fixture_clear(struct drop_fixture *f);

/* file: "new/1.a", below the Maildir. */
void fixture_put(struct drop_fixture *f, const char *file, const char *text);
/* Compressed, of n octets; false: this build has no zlib. */
bool fixture_put_gzip(
    struct drop_fixture *f, const char *file, const char *text, size_t n);
void fixture_remove(struct drop_fixture *f, const char *file);
void fixture_rename(struct drop_fixture *f, const char *from, const char *to);
bool fixture_has(struct drop_fixture *f, const char *file);
/* How many names are in a directory of the Maildir, "." and ".." apart. */
unsigned fixture_count(struct drop_fixture *f, const char *dir);

/* Lets the directories' times become old enough to be recorded. */
void fixture_settle(void);

/* quick: only what costs the same for any maildrop; E_AGAIN leaves it. */
enum err fixture_open(struct drop_fixture *f, bool quick);
void fixture_must_open(struct drop_fixture *f);
void fixture_close(struct drop_fixture *f);

/* Reads and checks the whole view; v has o.count entries, freed by the
 * caller. */
struct drop_entry *fixture_list(struct drop_fixture *f);
/* The only entry of that base name's unique-id; fails if there is none. */
void fixture_expect(struct drop_fixture *f, const char *const *uids);

struct hold_commit fixture_commit(
    struct drop_fixture *f, const uint32_t *remove, const uint32_t *seen);

/* Runs fn in a child that may not write what is not its own, after giving it
 * the Maildir (as root: another uid; else the same). */
void fixture_as_owner(
    struct drop_fixture *f, void (*fn)(struct drop_fixture *));

/* All n of them, whatever it takes. */
void fixture_fetch(struct drop_fixture *f, struct hold_message *m, size_t n);

/* Reads a whole small file of the Maildir. */
char *fixture_read(struct drop_fixture *f, const char *file);

#endif
