/*
 * scan.h - the messages that one scan has found: what the steps of mending the
 * index share.
 */
#ifndef SERVER_STORE_MAILDIR_SCAN_H
#define SERVER_STORE_MAILDIR_SCAN_H

#include <string.h>

#include "server/store/maildir/maildir.h"
#include "server/store/maildir/uidlfile.h"

struct scan_message {
	const char *name; /* letter and file name, NUL */
	const char *uid;  /* NULL: none yet */
	uint64_t wire, stamp;
	uint64_t ino;  /* of one file among several of its base name; else 0 */
	uint64_t time; /* of delivery, by its name */
	uint32_t base; /* of names.base, whose user is its last message */
	uint32_t next; /* the message of that base name before this; MAP_NONE */
	uint16_t name_len, base_len;
	uint16_t seen; /* index_day() */
	uint8_t uid_len;
	bool here; /* a file of the last reading is it */
};

struct scan {
	struct maildir *m;
	const struct maildir_dirs *d;
	struct errbuf *eb;

	struct scan_message *v;
	uint32_t n;
	size_t room;
	uint32_t known;    /* of v: these were in the index */
	struct map by_uid; /* those that are not the own base name */
	struct arena arena;
	struct names names;
	struct uidlfile uidl;

	/* The index that is there: its whole blocks. */
	uint64_t index_end;
	struct index_trailer trailer;
	uint16_t today;
	bool expires; /* there is a malote-expire */
	bool mend;    /* appending to it is not enough */
	bool unsure;  /* not all that is there was seen: look again next time */
	unsigned odd; /* files that are no messages */
	unsigned doubles; /* new ones: several files of one base name */
};

static inline struct slice
scan_base(const struct scan_message *v)
{
	return (struct slice){ v->name + 1, v->base_len };
}

/* Is that its base name? */
static inline bool
scan_is_own(const struct scan_message *v, struct slice uid)
{
	return uid.n == v->base_len && memcmp(uid.p, v->name + 1, uid.n) == 0;
}

void scan_init(struct scan *s, struct maildir *m, const struct maildir_dirs *d,
    struct errbuf *eb);
void scan_clear(struct scan *s);

/* A message without anything but its name (letter and file name, with a NUL
 * behind, borrowed until the end of the scan). */
enum err scan_add(struct scan *s, struct slice name, uint32_t base,
    struct scan_message **v_r) NODISCARD;
/* The octets are copied where that is needed. */
enum err scan_set_uid(
    struct scan *s, struct scan_message *v, struct slice uid) NODISCARD;

/* Forgets all but the first n. */
void scan_forget(struct scan *s, uint32_t n);

#endif
