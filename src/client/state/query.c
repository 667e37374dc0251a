/*
 * Statements of SQLite: prepared once, their values put in and taken out, their
 * errors in words.  See db.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/state/db.h"

const char *const state_statements[STATEMENTS] = {
	[STATE_BEGIN] = "BEGIN IMMEDIATE",
	[STATE_COMMIT] = "COMMIT",
	[STATE_ROLLBACK] = "ROLLBACK",
	[ACCOUNT_MAKE] = "INSERT INTO account (name, maildrop)"
			 " VALUES (?, ?)",
	[ACCOUNT_GET] =
	    "SELECT id, known, braked, serial_until, no_capa_until, auth_rank,"
	    " not_before, tried_at, collected_at, exit_code, error, notice,"
	    " collected, collected_octets, deleted, freed_octets, left,"
	    " left_octets, sizes_lie, refused_at, refused_mark, refused_why,"
	    " language, no_top_until, no_recapa_until, no_list_until,"
	    " no_uidl_until, auth_below, auth_below_until, crowd, crowd_until,"
	    " cut_until, cut_commands, cut_octets, cut_met, no_utf8_until"
	    " FROM account "
	    "WHERE id = ?",
	/* Of several with one maildrop the one that was used last. */
	[ACCOUNT_NAMES] = "SELECT id, name, maildrop FROM account"
			  " ORDER BY tried_at DESC, id DESC",
	[ACCOUNT_THERE] = "SELECT count(*) FROM message"
			  " WHERE account = ? AND place = ?",
	[ACCOUNT_KEY] = "UPDATE account SET name = ?2, maildrop = ?3"
			" WHERE id = ?1",
	/* Not if another process has given the record away meanwhile. */
	[ACCOUNT_SETTLE] = "UPDATE account SET maildrop = ?3"
			   " WHERE id = ?1 AND name = ?2",
	[ACCOUNT_SET] =
	    "UPDATE account SET braked = ?2, serial_until = ?3,"
	    " no_capa_until = ?4,"
	    " auth_rank = ?5, not_before = ?6, tried_at = ?7,"
	    " collected_at = ?8, exit_code = ?9, error = ?10, notice = ?11,"
	    " collected = ?12, collected_octets = ?13, deleted = ?14,"
	    " freed_octets = ?15, left = ?16, left_octets = ?17,"
	    " sizes_lie = ?18, refused_at = ?19, refused_mark = ?20,"
	    " refused_why = ?21, language = ?22, no_top_until = ?23,"
	    " no_recapa_until = ?24, no_list_until = ?25, no_uidl_until = ?26,"
	    " auth_below = ?27, auth_below_until = ?28,"
	    " crowd = ?29, crowd_until = ?30,"
	    " cut_until = ?31, cut_commands = ?32, cut_octets = ?33,"
	    " cut_met = ?34, no_utf8_until = ?35"
	    " WHERE id = ?1",
	[ACCOUNT_KNOWN] = "UPDATE account SET known = 1"
			  " WHERE id = ? AND NOT known",
	/* No account can have the name that a record gets which gives its own
	 * away; its own account finds it by its maildrop. */
	[ACCOUNT_FREE_NAME] = "UPDATE account SET name = char(10) || id"
			      " WHERE id <> ?1 AND name = ?2",
	[ACCOUNT_RENAME] = "UPDATE account SET name = ?2 WHERE id = ?1",
	[ACCOUNT_REMOVE] = "DELETE FROM account WHERE id = ?",
	[MESSAGE_LIST] =
	    "SELECT id, uid, size, header, strong, place, stored_at, gone_at"
	    " FROM message WHERE account = ? ORDER BY id",
	[MESSAGE_ADD] = "INSERT INTO message (account, uid, size, header,"
			" strong, place, stored_at, gone_at)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	[MESSAGE_SET] = "UPDATE message SET uid = ?2, size = ?3, header = ?4,"
			" strong = ?5, place = ?6, stored_at = ?7,"
			" gone_at = ?8 WHERE account = ?1 AND id = ?9",
	[MESSAGE_FORGET] = "DELETE FROM message"
			   " WHERE account = ? AND place = ? AND gone_at < ?"
			   " AND id < (SELECT max(id) FROM message)",
	[MESSAGE_CLEAR] = "DELETE FROM message WHERE account = ?",
	[INTENT_LIST] =
	    "SELECT id, at, dest, uid, size, header, strong, to_delete, tmp,"
	    " file, octets, start, length, content, folder, number, epoch"
	    " FROM intent WHERE account = ? ORDER BY id",
	[INTENT_ADD] = "INSERT INTO intent (account, at, dest, uid, size,"
		       " header, strong, to_delete, tmp, file, octets, start,"
		       " length, content, folder, number, epoch)"
		       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
		       " ?, ?)",
	[INTENT_REMOVE] = "DELETE FROM intent WHERE account = ? AND id = ?",
	[INTENT_CLEAR] = "DELETE FROM intent WHERE account = ?",
	[TROUBLE_LIST] =
	    "SELECT uid, size, tries, breaks, first_at, last_at, why, msgno"
	    " FROM trouble WHERE account = ? ORDER BY id",
	[TROUBLE_ADD] = "INSERT INTO trouble (account, uid, size, tries,"
			" breaks, first_at, last_at, why, msgno)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[TROUBLE_CLEAR] = "DELETE FROM trouble WHERE account = ?",
	[NUMBER_LIST] = "SELECT number, key, size, header, seen_at, stub_at"
			" FROM number"
			" WHERE account = ? ORDER BY number",
	[NUMBER_SET] = "INSERT OR REPLACE INTO number"
		       " (account, number, key, size, header, seen_at,"
		       " stub_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
	[NUMBER_ADD] = "INSERT OR IGNORE INTO number"
		       " (account, number, key, size, seen_at)"
		       " VALUES (?, ?, ?, ?, ?)",
	[NUMBER_STUB] = "UPDATE number SET stub_at = ?3"
			" WHERE account = ?1 AND number = ?2",
	[NUMBER_CLEAR] = "DELETE FROM number WHERE account = ?",
	[NUMBER_FORGET] =
	    "DELETE FROM number WHERE account = ?1 AND seen_at < ?2"
	    " AND number < (SELECT max(number) FROM number"
	    " WHERE account = ?1)",
};

/* ---- results ---- */

enum err
state_db_damaged(const struct state *s, struct errbuf *eb)
{
	return err_set(eb, E_FORMAT, _("%s is damaged"), s->file);
}

enum err
state_db_error(const struct state *s, int rc, struct errbuf *eb)
{
	enum err e = E_IO;

	/* Words in the person's language, where there are any. */
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return E_OK;
	case SQLITE_NOMEM: return err_set(eb, E_NOMEM, _("out of memory"));
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return state_db_damaged(s, eb);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(eb, E_BUSY,
		    _("%s is in use by another program, for too long"),
		    s->file);
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return err_set(eb, E_DENIED,
		    _("%s may not be written: see to the owner and the mode of "
		      "it, and of %s-wal and %s-shm beside it"),
		    s->file, s->file, s->file);
	case SQLITE_FULL: errno = ENOSPC; return err_sys(eb, e, "%s", s->file);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if ((errno = sqlite3_system_errno(s->db)) != 0)
			return err_sys(eb, e, "%s", s->file);
	}
	return err_set(eb, e, "%s: %s", s->file, sqlite3_errmsg(s->db));
}

/* ---- one statement ---- */

struct query
query(struct state *s, enum statement which)
{
	struct query q = { .s = s, .st = s->st[which] };

	sqlite3_clear_bindings(q.st);
	return q;
}

static void
added(struct query *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void
query_add(struct query *q, int64_t v)
{
	added(q, sqlite3_bind_int64(q->st, ++q->n, v));
}

void
query_add_text(struct query *q, const char *text)
{
	added(q, sqlite3_bind_text(q->st, ++q->n, text, -1, SQLITE_TRANSIENT));
}

void
query_add_digest(struct query *q, bool has, const struct digest *d)
{
	++q->n;
	if (has)
		added(q, sqlite3_bind_blob(q->st, q->n, d->v, sizeof(d->v),
			     SQLITE_TRANSIENT));
}

bool
query_row(struct query *q)
{
	if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW)
		q->rc = sqlite3_step(q->st);
	q->n = 0;
	return q->rc == SQLITE_ROW;
}

enum err
query_end(struct query *q, struct errbuf *eb)
{
	enum err e = state_db_error(q->s, q->rc, eb);

	sqlite3_reset(q->st);
	return e;
}

enum err
query_run(struct query *q, struct errbuf *eb)
{
	while (query_row(q))
		continue;
	return query_end(q, eb);
}

int64_t
query_get(struct query *q)
{
	return sqlite3_column_int64(q->st, q->n++);
}

bool
query_get_digest(struct query *q, struct digest *d_r)
{
	int i = q->n++;
	const void *p = sqlite3_column_blob(q->st, i);

	if (sqlite3_column_type(q->st, i) == SQLITE_NULL)
		return false;
	if (p != NULL && sqlite3_column_bytes(q->st, i) == DIGEST_SIZE)
		memcpy(d_r->v, p, DIGEST_SIZE);
	else if (q->rc == SQLITE_ROW)
		q->rc = SQLITE_CORRUPT;
	return true;
}

void
query_get_text(struct query *q, char *out, size_t size)
{
	const unsigned char *p = sqlite3_column_text(q->st, q->n++);

	snprintf(out, size, "%s", p != NULL ? (const char *)p : "");
}

void
query_get_words(struct query *q, char *out, size_t size)
{
	const unsigned char *p = sqlite3_column_text(q->st, q->n++);

	str_quote_again(out, size, p != NULL ? (const char *)p : "");
}

char *
query_get_copy(struct query *q)
{
	const unsigned char *p = sqlite3_column_text(q->st, q->n++);
	char *copy = p != NULL ? strdup((const char *)p) : NULL;

	if (copy == NULL &&
	    (p != NULL || sqlite3_column_type(q->st, q->n - 1) != SQLITE_NULL))
		q->rc = SQLITE_NOMEM;
	return copy;
}

/* ---- a transaction ---- */

enum err
state_db_begin(struct state *s, struct errbuf *eb)
{
	struct query q = query(s, STATE_BEGIN);

	return query_run(&q, eb);
}

enum err
state_db_end(struct state *s, enum err e, struct errbuf *eb)
{
	struct query q = query(s, STATE_COMMIT);

	if (e == E_OK)
		e = query_run(&q, eb);
	if (e != E_OK && sqlite3_get_autocommit(s->db) == 0) {
		q = query(s, STATE_ROLLBACK);
		(void)!query_run(&q, NULL);
	}
	return e;
}
