/*
 * db.h - what the files of the state share: its database.
 */
#ifndef CLIENT_STATE_DB_H
#define CLIENT_STATE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/message/identity.h"

enum statement {
	STATE_BEGIN,
	STATE_COMMIT,
	STATE_ROLLBACK,
	ACCOUNT_MAKE,
	ACCOUNT_GET,
	ACCOUNT_NAMES,
	ACCOUNT_KEY,
	ACCOUNT_SETTLE,
	ACCOUNT_THERE,
	ACCOUNT_SET,
	ACCOUNT_KNOWN,
	ACCOUNT_FREE_NAME,
	ACCOUNT_RENAME,
	ACCOUNT_REMOVE,
	MESSAGE_LIST,
	MESSAGE_ADD,
	MESSAGE_SET,
	MESSAGE_FORGET,
	MESSAGE_CLEAR,
	INTENT_LIST,
	INTENT_ADD,
	INTENT_REMOVE,
	INTENT_CLEAR,
	TROUBLE_LIST,
	TROUBLE_ADD,
	TROUBLE_CLEAR,
	NUMBER_LIST,
	NUMBER_SET,
	NUMBER_ADD,
	NUMBER_STUB,
	NUMBER_FORGET,
	NUMBER_CLEAR,
	STATEMENTS,
};

extern const char *const state_statements[STATEMENTS];

struct state {
	char *dir, *file;
	int lock; /* shared by all who have the database open */
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
};

/* Opens the file, makes or migrates what is in it.  E_FORMAT: it is damaged. */
enum err state_db_open(struct state *s, struct errbuf *eb) NODISCARD;
void state_db_close(struct state *s);

/* Words for what SQLite says, and our result for it. */
enum err state_db_error(
    const struct state *s, int rc, struct errbuf *eb) NODISCARD;
enum err state_db_damaged(const struct state *s, struct errbuf *eb) NODISCARD;

enum err state_db_begin(struct state *s, struct errbuf *eb) NODISCARD;
/* Commits if e is E_OK, else takes back; what the transaction came to. */
enum err state_db_end(struct state *s, enum err e, struct errbuf *eb) NODISCARD;

/* Within a transaction: now there is a record of it. */
enum err state_account_known(
    struct state *s, int64_t account, struct errbuf *eb) NODISCARD;

/* ---- one statement; its parameters are added in their order ---- */

struct query {
	struct state *s;
	sqlite3_stmt *st;
	int n;  /* parameters, then columns, so far */
	int rc; /* the first that went wrong */
};

struct query query(struct state *s, enum statement which);
void query_add(struct query *q, int64_t v);
void query_add_text(struct query *q, const char *text); /* NULL is kept */
void query_add_digest(struct query *q, bool has, const struct digest *d);
/* Runs what has no rows. */
enum err query_run(struct query *q, struct errbuf *eb) NODISCARD;

/* Goes to the next row; false: there is none, or an error: query_end(). */
bool query_row(struct query *q);
int64_t query_get(struct query *q);
bool query_get_digest(struct query *q, struct digest *d_r); /* NULL: false */
void query_get_text(struct query *q, char *out, size_t size);
/* Words for people, as the locale of now can show them. */
void query_get_words(struct query *q, char *out, size_t size);
char *query_get_copy(struct query *q); /* NULL for NULL; the caller's */
enum err query_end(struct query *q, struct errbuf *eb) NODISCARD;

#endif
