/*
 * jmap_answer.h - what a JMAP server answers (RFC 8620, 8621): JSON of its session,
 * of uploads and of one method call each, and errors.
 *
 * Does not know who asked.  Words hold no control character, and an id is one of
 * RFC 8620 s1.2, which can stand in a URL.
 */
#ifndef CLIENT_DELIVER_JMAP_ANSWER_H
#define CLIENT_DELIVER_JMAP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "client/deliver/api_ids.h"

enum { JMAP_ID = 256, JMAP_STATE = 1024, JMAP_URL = 2048 };

/* What follows from an error. */
enum jmap_meaning {
	JMAP_SLOWER,    /* too fast: nothing was done */
	JMAP_LATER,     /* not now: nothing was done */
	JMAP_DOUBT,     /* not now, and it may have been done */
	JMAP_FULL,      /* there is no room for this message now */
	JMAP_REFUSED,   /* this message */
	JMAP_GONE,      /* it is not known any more */
	JMAP_FORBIDDEN, /* a person has to look at it */
	JMAP_EXISTS,    /* it is there already: `id` */
};

struct jmap_error {
	enum jmap_meaning meaning;
	char type[64];
	char words[128]; /* its own, for people, to be shown between quotation
	                  * marks */
	char id[JMAP_ID];
};

/* Of a request that has failed as a whole, or of an upload: a status that is not
 * 200 or 201. */
void jmap_error_read(struct jmap_error *r, unsigned status, struct slice json);

/* Below: E_FORMAT: it is not what was asked for; E_NOMEM.  E_DENIED: the call was
 * refused, as *r says. */

struct jmap_session {
	char account[JMAP_ID]; /* for mail */
	/* Absolute; the last two are templates with "{...}". */
	char api[JMAP_URL], upload[JMAP_URL], download[JMAP_URL];
	uint64_t max_upload;  /* octets of a message */
	uint64_t max_objects; /* in one call that changes something; never 0 */
};

/* url: of the session itself.  E_NOENT: there is no mail that can be written. */
enum err jmap_session_read(
    struct jmap_session *s, const char *url, struct slice json) NODISCARD;

/* A template with its values; false: it is too long. */
bool jmap_url(char out[JMAP_URL], const char *template, const char *account,
    const char *blob);

enum err jmap_upload_read(char blob[JMAP_ID], struct slice json) NODISCARD;

/* Of Email/get. */
enum err jmap_state_read(
    char state[JMAP_STATE], struct jmap_error *r, struct slice json) NODISCARD;

/* Of Mailbox/get: the id of the one whose path, with "/", is that name; "INBOX" is
 * the one of that role.  E_NOENT: there is none. */
enum err jmap_mailbox_read(char id[JMAP_ID], const char *path,
    struct jmap_error *r, struct slice json) NODISCARD;
/* Of Mailbox/set: the id of "m", which was to be made. */
enum err jmap_made_read(
    char id[JMAP_ID], struct jmap_error *r, struct slice json) NODISCARD;

/* Of Email/import: what has become of the message "mNUMBER"; E_OK: it is there,
 * with that id. */
enum err jmap_import_read(char id[JMAP_ID], size_t number, struct jmap_error *r,
    struct slice json) NODISCARD;

/* Adds those that were created (Email/changes), and says how that goes on. */
enum err jmap_changes_read(struct api_ids *ids, char state[JMAP_STATE],
    bool *more_r, struct jmap_error *r, struct slice json) NODISCARD;
/* Adds those that were found (Email/query). */
enum err jmap_query_read(
    struct api_ids *ids, struct jmap_error *r, struct slice json) NODISCARD;

/* Of Email/get of one id.  E_NOENT: it has gone. */
struct jmap_email {
	char blob[JMAP_ID];
	uint64_t size;
	char message_id[JMAP_STATE]; /* without brackets; "" if there is none */
};
enum err jmap_email_read(
    struct jmap_email *m, struct jmap_error *r, struct slice json) NODISCARD;

#endif
