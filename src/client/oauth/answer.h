/*
 * answer.h - what an authorisation server answers: JSON of RFC 6749 s5 and
 * RFC 8628 s3.2.
 *
 * Does not know who asked, nor what follows from it.  Nothing that it returns
 * holds a control character.
 */
#ifndef CLIENT_OAUTH_ANSWER_H
#define CLIENT_OAUTH_ANSWER_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	ANSWER_MAX = 64 * 1024,      /* octets of one */
	OAUTH_TOKEN_MAX = 16 * 1024, /* of a token in it */
};

/* What was granted.  Secrets, wiped by oauth_grant_clear(). */
struct oauth_grant {
	char *access;    /* the access token */
	char *refresh;   /* the refresh token; NULL: none */
	int64_t seconds; /* that the access token is good for; 0: not said */
};

/* What a person is told, who is to allow it in a browser anywhere. */
struct oauth_device {
	char *code; /* a secret, of ours */
	char *user_code, *uri;
	unsigned interval; /* seconds between two questions */
	unsigned seconds;  /* that the codes are good for */
};

/* Why not, where the server says so (RFC 6749 s5.2): a word, and its own words
 * for people, or nothing, to be shown between quotation marks. */
struct oauth_refusal {
	char code[48];
	char words[128];
};

/* E_OK: *g is set.  E_DENIED: *r is.  E_FORMAT: it is neither; E_NOMEM; with
 * words in eb. */
enum err oauth_answer_grant(struct oauth_grant *g, struct oauth_refusal *r,
    struct slice json, struct errbuf *eb) NODISCARD;
/* The same. */
enum err oauth_answer_device(struct oauth_device *d, struct oauth_refusal *r,
    struct slice json, struct errbuf *eb) NODISCARD;

void oauth_grant_clear(struct oauth_grant *g);
void oauth_device_clear(struct oauth_device *d);

#endif
