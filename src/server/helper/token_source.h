/*
 * token_source.h - an issuer's keys, as they come and go.
 *
 * From a file they are read once, before the process is confined.  From an address
 * they are fetched and kept: until they are old, when they are fetched anew while
 * they go on being used; and at once when a token is signed by one that is not
 * among them, but not as often as anybody likes.  An issuer that cannot be asked is
 * left alone for a moment; what it has said is good for some time, also for a
 * process that comes in the place of this one.
 */
#ifndef SERVER_HELPER_TOKEN_SOURCE_H
#define SERVER_HELPER_TOKEN_SOURCE_H

#include <pthread.h>

#include "server/conf/net_conf.h"
#include "server/helper/token_keys.h"

struct token_key_set {
	struct token_keys *keys;
	char
	    *text; /* as they were published; NULL: it is too long, or a file */
	size_t n;
	unsigned users; /* under the source's lock */
	uint64_t serial;
};

struct token_source {
	const struct issuer_conf *conf;
	struct token_key_set *told; /* token_source_news(): what was borrowed */
	struct slice
	    authorities; /* of token_fetch.h; set by whoever has read them */

	/* What follows is under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;    /* somebody has fetched, or failed */
	struct token_key_set *set; /* NULL: there is none */
	uint64_t serial;
	/* clock_ms(): when they are old; when they are too old; before which they
	 * are not fetched again. */
	uint64_t old_at, ends_at, again_at;
	bool is_fetching;
	struct errbuf why; /* the last try failed; or "" */
};

/* E_CONFIG, E_NOMEM with words: of a file, and then there are no keys. */
enum err token_source_init(struct token_source *s, const struct issuer_conf *c,
    struct errbuf *eb) NODISCARD;

/* Those that may be used now, to be given back; NULL: none.  *is_old_r: they are to
 * be fetched anew. */
struct token_key_set *token_source_take(struct token_source *s, bool *is_old_r);
void token_source_give(struct token_source *s, struct token_key_set *set);

/* Fetches them, unless another thread has since `serial` (0: there were none), or is
 * doing so.  E_BUSY: they were fetched a moment ago; E_AGAIN with words: the issuer
 * cannot be asked; E_FORMAT: what it says are no keys. */
enum err token_source_fetch(
    struct token_source *s, uint64_t serial, struct errbuf *eb) NODISCARD;

/* Those of another process, which are used until some are fetched.  What cannot be
 * used is passed over. */
void token_source_kept(struct token_source *s, const struct token_kept *keys);

/* Has it fetched some since `*serial`, and can they be kept?  *keys_r: borrowed until
 * the next call, which is for one thread. */
bool token_source_news(
    struct token_source *s, uint64_t *serial, struct token_kept *keys_r);

#endif
