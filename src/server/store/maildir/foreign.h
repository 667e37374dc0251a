/*
 * foreign.h - the lists in which other servers keep a Maildir's unique-ids:
 * dovecot-uidlist and courierpop3dsizelist.  They are read, never written,
 * and no lock is taken: their writers append or rename.
 */
#ifndef SERVER_STORE_MAILDIR_FOREIGN_H
#define SERVER_STORE_MAILDIR_FOREIGN_H

#include "server/store/maildir/map.h"
#include "server/store/maildir/uidl.h"
#include "server/store/store.h"

struct foreign_entry {
	uint32_t uid, validity;
	struct slice pop3, guid; /* of Dovecot; pop3.p NULL: no such field */
};

struct foreign {
	enum store_uidl kind; /* UIDL_DOVECOT or UIDL_COURIER */
	struct foreign_entry *v;
	uint32_t n;
	size_t room;
	struct map by_base;
	struct arena arena;
	uint32_t version, validity; /* of the header; version 0: none yet */
	uint32_t last_uid;
	uint32_t junk; /* lines that make no sense */
};

void foreign_init(struct foreign *f, enum store_uidl kind);
void foreign_free(struct foreign *f);

/* The name of its file. */
const char *foreign_name(enum store_uidl kind);

/* owner: whose it must be.  E_NOENT if there is no such list, E_FORMAT if its
 * first line is not one of a version that we know. */
enum err foreign_read(
    struct foreign *f, int root, uid_t owner, struct errbuf *eb) NODISCARD;

/* The unique-id that the other server gave to a message; false if none that
 * it is sure to have given and POP3 permits. */
bool foreign_uid(const struct foreign *f, struct slice base, const char *format,
    struct uid *u_r);

/* For foreign_read() and tests: one line of either list. */
enum err foreign_line(struct foreign *f, struct slice line) NODISCARD;

/* uidlist.c, courier.c: a header and a record; false: it makes no sense. */
struct foreign_record {
	struct slice file; /* name, without directory */
	struct foreign_entry entry;
};
bool uidlist_header(struct foreign *f, struct slice line);
bool uidlist_record(
    struct foreign *f, struct slice line, struct foreign_record *r_r);
bool courier_header(struct foreign *f, struct slice line);
bool courier_record(
    struct foreign *f, struct slice line, struct foreign_record *r_r);

#endif
