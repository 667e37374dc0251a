/*
 * gmail_answer.h - what Gmail's API answers: JSON of its resources, and errors.
 *
 * Does not know who asked.  Nothing that it returns holds a control character, and
 * an id is what can stand in a URL.
 */
#ifndef CLIENT_DELIVER_GMAIL_ANSWER_H
#define CLIENT_DELIVER_GMAIL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "client/deliver/api_ids.h"

enum { GMAIL_ID = 64, GMAIL_PAGE = 512, GMAIL_MESSAGE_ID = 1024 };

/* What follows from a status that is not 200. */
enum gmail_meaning {
	GMAIL_SLOWER,   /* too fast: nothing was done */
	GMAIL_LATER,    /* not now: nothing was done */
	GMAIL_DOUBT,    /* not now, and it may have been done */
	GMAIL_REFUSED,  /* what was sent */
	GMAIL_GONE,     /* there is no such thing */
	GMAIL_FORBIDDEN /* a person has to look at it */
};

struct gmail_error {
	enum gmail_meaning meaning;
	unsigned status;
	char reason[48];
	char words[128]; /* its own, for people, to be shown between quotation
	                  * marks */
};

void gmail_error_read(
    struct gmail_error *r, unsigned status, struct slice json);

/* E_FORMAT: it is not what was asked for; E_NOMEM. */

/* Of a message, or a label. */
enum err gmail_id_read(char id[GMAIL_ID], struct slice json) NODISCARD;
/* Of the profile; never 0. */
enum err gmail_profile_read(uint64_t *history_r, struct slice json) NODISCARD;
/* The id of the label of that name; E_NOENT: there is none. */
enum err gmail_label_read(
    char id[GMAIL_ID], const char *name, struct slice json) NODISCARD;

/* Adds the messages of a page, each once; page: the next one's, "" if there is
 * none.  What is added on an error is not said. */
enum err gmail_list_read(struct api_ids *ids, char page[GMAIL_PAGE],
    struct slice json) NODISCARD; /* of a search */
enum err gmail_history_read(struct api_ids *ids, char page[GMAIL_PAGE],
    struct slice json) NODISCARD; /* what was added */

/* Of a message of format METADATA: its Message-ID; "" if there is none. */
enum err gmail_message_id_read(
    char id[GMAIL_MESSAGE_ID], struct slice json) NODISCARD;
/* Of one of format RAW: its octets, to be freed. */
enum err gmail_raw_read(
    char **octets_r, size_t *n_r, struct slice json) NODISCARD;

#endif
