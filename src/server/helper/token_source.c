#include "server/helper/token_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slurp.h"
#include "server/helper/token_fetch.h"

enum {
	PAUSE_MS = 10 * 1000, /* between two fetches because of a strange key */
	PAUSE_FAILED_MS = 5 * 1000,
	HTTP_OK = 200,
};

/* ---- a set and who uses it ---- */

static void
set_free(struct token_key_set *set)
{
	token_keys_free(set->keys);
	free(set->text);
	free(set);
}

/* Under the lock. */
static void
give(struct token_key_set *set)
{
	if (set != NULL && --set->users == 0)
		set_free(set);
}

/* The same; takes keys.  text: as they were published, if they may be kept. */
static enum err
replace(struct token_source *s, struct token_keys *keys, struct slice text)
{
	struct token_key_set *set = calloc(1, sizeof(*set));

	if (set == NULL) {
		token_keys_free(keys);
		return E_NOMEM;
	}
	set->keys = keys;
	set->users = 1;
	set->serial = ++s->serial;
	if (text.n != 0 && text.n <= ISSUER_KEYS_MAX &&
	    (set->text = malloc(text.n)) != NULL) {
		memcpy(set->text, text.p, text.n);
		set->n = text.n;
	}
	give(s->set);
	s->set = set;
	return E_OK;
}

struct token_key_set *
token_source_take(struct token_source *s, bool *is_old_r)
{
	struct token_key_set *set;
	uint64_t now = clock_ms();

	pthread_mutex_lock(&s->lock);
	if (now >= s->ends_at) {
		give(s->set);
		s->set = NULL;
	}
	if ((set = s->set) != NULL)
		set->users++;
	*is_old_r = now >= s->old_at && now >= s->again_at && !s->is_fetching;
	pthread_mutex_unlock(&s->lock);
	return set;
}

void
token_source_give(struct token_source *s, struct token_key_set *set)
{
	pthread_mutex_lock(&s->lock);
	give(set);
	pthread_mutex_unlock(&s->lock);
}

/* ---- a file ---- */

static enum err
read_file(struct token_source *s, struct errbuf *eb)
{
	const char *path = s->conf->keys;
	struct token_keys *keys;
	struct errbuf why;
	struct slurp in;
	enum err e = slurp(path, TOKEN_KEYS_OCTETS, &in, &why);

	if (e == E_OK) {
		e = token_keys_parse(
		    &keys, (struct slice){ in.text, in.n }, &why);
		free(in.text);
	}
	if (e != E_OK)
		return err_set(
		    eb, e == E_NOMEM ? e : E_CONFIG, "%s: %s", path, why.text);
	s->old_at = s->ends_at = UINT64_MAX;
	return replace(s, keys, (struct slice){ "", 0 });
}

enum err
token_source_init(
    struct token_source *s, const struct issuer_conf *c, struct errbuf *eb)
{
	pthread_condattr_t attr;

	*s = (struct token_source){ .conf = c };
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* clock_ms() */
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	return issuer_fetches_keys(c) || c->keys[0] == '\0' ? E_OK
							    : read_file(s, eb);
}

/* ---- an address ---- */

/* For how long they are fresh: as the issuer says, but not longer than the settings,
 * and not so short that all the time goes into asking. */
static uint64_t
fresh_ms(const struct issuer_conf *c, const struct token_fetch *t)
{
	uint64_t most = c->refresh * 1000ull, said = t->age * 1000ull;

	if (!t->has_age || said >= most)
		return most;
	return said > PAUSE_MS ? said : most < PAUSE_MS ? most : PAUSE_MS;
}

static struct slice
text_of(struct buf *body)
{
	return (
	    struct slice){ body->len != 0 ? buf_data(body) : "", body->len };
}

/* *body: what they are made of, to be freed in any case. */
static enum err
get_keys(const struct token_source *s, struct token_keys **keys_r,
    struct buf *body, uint64_t *fresh_r, struct errbuf *eb)
{
	const struct issuer_conf *c = s->conf;
	struct token_fetch t = { .url = c->keys,
		.authorities = s->authorities,
		.timeout = c->timeout };
	enum err e;

	buf_init(&t.body, TOKEN_KEYS_OCTETS, false);
	e = token_fetch(&t, eb);
	if (e == E_OK && t.status != HTTP_OK)
		e = err_set(
		    eb, E_AGAIN, "%s: it answers HTTP %ld", c->keys, t.status);
	if (e == E_OK)
		e = token_keys_parse(keys_r, text_of(&t.body), eb);
	*fresh_r = fresh_ms(c, &t);
	*body = t.body;
	return e;
}

/* Under the lock: what has come of it. */
static enum err
note(struct token_source *s, enum err e, struct token_keys *keys,
    struct slice text, uint64_t fresh, struct errbuf *eb)
{
	uint64_t now = clock_ms();

	if (e == E_OK)
		e = replace(s, keys, text);
	if (e == E_OK) {
		s->old_at = now + fresh;
		s->ends_at = now + s->conf->keep * 1000ull;
		s->again_at = now + (fresh < PAUSE_MS ? fresh : PAUSE_MS);
		s->why.text[0] = '\0';
	} else {
		s->again_at = now + PAUSE_FAILED_MS;
		s->why = *eb;
	}
	s->is_fetching = false;
	pthread_cond_broadcast(&s->changed);
	return e;
}

static void
wait_for_other(struct token_source *s)
{
	uint64_t until = clock_ms() + 2 * s->conf->timeout * 1000u;
	struct timespec at = { (time_t)(until / 1000),
		(long)(until % 1000) * 1000000 };

	while (s->is_fetching &&
	       pthread_cond_timedwait(&s->changed, &s->lock, &at) == 0)
		;
}

/* Under the lock.  True: this thread is to fetch; else *e_r is what comes of it. */
static bool
may_fetch(
    struct token_source *s, uint64_t serial, enum err *e_r, struct errbuf *eb)
{
	if (s->is_fetching)
		wait_for_other(s);
	*e_r = E_OK;
	if (s->set != NULL && s->set->serial != serial)
		return false;
	if (!s->is_fetching && clock_ms() >= s->again_at)
		return true;
	*e_r = s->why.text[0] != '\0' || s->is_fetching ? E_AGAIN : E_BUSY;
	err_set(eb, *e_r, "%s",
	    s->why.text[0] != '\0' ? s->why.text : "it does not answer");
	return false;
}

enum err
token_source_fetch(struct token_source *s, uint64_t serial, struct errbuf *eb)
{
	struct token_keys *keys = NULL;
	struct buf body;
	uint64_t fresh;
	enum err e;
	bool may;

	pthread_mutex_lock(&s->lock);
	may = may_fetch(s, serial, &e, eb);
	s->is_fetching = s->is_fetching || may;
	pthread_mutex_unlock(&s->lock);
	if (!may)
		return e;
	e = get_keys(s, &keys, &body, &fresh, eb);
	pthread_mutex_lock(&s->lock);
	e = note(s, e, keys, text_of(&body), fresh, eb);
	pthread_mutex_unlock(&s->lock);
	buf_free(&body);
	return e;
}

/* ---- one process after another ---- */

/* As if they had been fetched at most as long ago as the settings permit. */
static uint64_t
no_later(uint64_t at, uint64_t now, uint32_t seconds)
{
	uint64_t most = now + seconds * 1000ull;

	return at < most ? at : most;
}

void
token_source_kept(struct token_source *s, const struct token_kept *kept)
{
	uint64_t now = clock_ms();
	struct token_keys *keys;
	struct errbuf why;

	if (token_keys_parse(&keys, kept->text, &why) != E_OK)
		return;
	pthread_mutex_lock(&s->lock);
	if (s->set != NULL) { /* newer ones */
		token_keys_free(keys);
	} else if (replace(s, keys, kept->text) == E_OK) {
		s->old_at = no_later(kept->old_at, now, s->conf->refresh);
		s->ends_at = no_later(kept->ends_at, now, s->conf->keep);
	}
	pthread_mutex_unlock(&s->lock);
}

bool
token_source_news(
    struct token_source *s, uint64_t *serial, struct token_kept *keys_r)
{
	struct token_key_set *set;

	pthread_mutex_lock(&s->lock);
	give(s->told);
	s->told = set = s->set;
	if (set != NULL)
		set->users++;
	if (set == NULL || set->serial == *serial)
		set = NULL;
	else
		*serial = set->serial;
	if (set != NULL && set->text == NULL)
		set = NULL;
	if (set != NULL)
		*keys_r = (struct token_kept){ { set->text, set->n }, s->old_at,
			s->ends_at };
	pthread_mutex_unlock(&s->lock);
	return set != NULL;
}
