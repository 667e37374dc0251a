#include "server/auth/databases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/users/scheme.h"

/* Of a password that nobody knows: what a name is checked against as long as no
 * hash that takes long was seen. */
static const char of_nobody[] =
    "{SHA512-CRYPT}"
    "$6$6ed060a6c3413092$ewFkufDI8nQ51MBkIvVzC7ElYYHJCVq8UvzRt6k2ewBczQ.QzECNk/"
    "gE46wbDIx9BeBJL7/ZC88ol0kPLoDQb.";

static bool
is_file(const struct known_users *k)
{
	return user_drivers[k->driver].asker == DRIVER_IS_FILE;
}

bool
databases_any(const struct auth *a)
{
	return a->conf.n_known > 1 ||
	       (a->conf.n_known == 1 && !is_file(&a->conf.known[0]));
}

bool
databases_any_verifies(const struct auth *a)
{
	for (size_t i = 0; i < a->conf.n_known; i++)
		if (auth_db_verifies(&a->conf.known[i]))
			return true;
	return false;
}

bool
databases_file_is_first(const struct auth *a)
{
	return a->conf.n_known == 0 || is_file(&a->conf.known[0]);
}

/* Has the users file a line of that name, be it one that gives no user? */
static bool
file_has(const struct auth *a, const char *name)
{
	const struct users *users = a->userfile.users;
	unsigned line;

	return users_find(users, name) != NULL ||
	       users_refused(users, name, &line) != NULL;
}

/* ---- one after the other ---- */

static void go_on(struct lookup *l);

static void
on_paused(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct lookup *l = t->data;

	l->done(l);
}

static void
pause_for(struct lookup *l, uint32_t ms)
{
	struct ev_loop *loop = l->auth->loop;

	ev_now_update(loop);
	ev_timer_init(&l->pause, on_paused, ms / 1e3, 0.);
	l->pause.data = l;
	ev_timer_start(loop, &l->pause);
}

static void
finish(struct lookup *l)
{
	if (!l->is_idle)
		l->took = clock_ms() - l->began;
	if (l->is_idle && l->owed != 0)
		pause_for(l, l->owed);
	else
		l->done(l);
}

static void
log_failed(const struct lookup *l)
{
	const struct known_users *k = &l->auth->conf.known[l->next];
	char shown[NAME_MAX_OCTETS * 4 + 1], words[512];

	log_line(LOG_FAULT,
	    "ev=lookup-failed users=\"%s\" user=%s error=\"%s\"", k->name,
	    str_escape(shown, sizeof(shown), l->name, strlen(l->name)),
	    str_quote(words, sizeof(words), l->why, strlen(l->why)));
}

/* Of a crowd its sign-ins are counted in the log. */
static void
fail(struct lookup *l, const char *why)
{
	if (l->is_idle) {
		l->next++;
		go_on(l);
		return;
	}
	l->failed = true;
	l->by = l->next;
	snprintf(l->why, sizeof(l->why), "%s", why);
	if (!l->is_crowd)
		log_failed(l);
	finish(l);
}

/* Users are known elsewhere since, and in another order. */
static void
forsake(struct lookup *l)
{
	if (!l->is_idle) {
		l->failed = true;
		snprintf(l->why, sizeof(l->why), "the settings have changed");
	}
	finish(l);
}

/* For names that nobody has. */
static void
note_hash(struct auth *a, const char *hash)
{
	if (scheme_check(hash, NULL) != E_OK)
		return;
	hashes_seen_note(&a->db_seen, hash);
	if (a->db_costly == NULL && scheme_is_costly(hash))
		a->db_costly = strdup(hash);
}

/* For what is announced before it is known who signs in. */
static void
note_terms(struct terms_seen *t, const struct user *u)
{
	const struct terms_seen before = *t;

	if (u->retention != RETENTION_UNSET && !u->permits.read_only &&
	    retention_is_less(u->retention, t->retention))
		t->retention = u->retention;
	if (u->login_delay != LOGIN_DELAY_UNSET)
		login_delay_range_add(&t->delays, u->login_delay);
	if (memcmp(&before, t, sizeof(before)) != 0)
		t->changes++;
}

/* There is nothing to compare a password with, and nothing but who verifies it may
 * say that it is right. */
static enum err
take_verified(struct lookup *l, const struct db_answer *said, struct errbuf *eb)
{
	if (l->user->hash[0] != '\0')
		return err_set(eb, E_CONFIG,
		    "column password means nothing where the database verifies "
		    "it: leave it out");
	l->user->is_verified_there = true;
	l->is_right =
	    l->wait.question.password != NULL && said->result == LOOKUP_FOUND;
	return E_OK;
}

/* Which block says so, as the settings are now.  False: none does any more. */
static bool
find_block(struct lookup *l, const struct known_users *k)
{
	const struct auth_conf *conf = &l->auth->conf;

	for (unsigned i = 0; i < conf->n_known; i++)
		if (strcmp(conf->known[i].name, k->name) == 0) {
			l->user->by = i;
			return true;
		}
	return false;
}

static void
take_row(struct lookup *l, const struct db_answer *said)
{
	const struct known_users *k = auth_db_asked(&l->wait);
	struct errbuf eb;
	enum err e;

	e = row_user(&l->user, l->name, said->column, said->n, k->scheme,
	    &l->auth->rule, &eb);
	if (e == E_OK && auth_db_verifies(k))
		e = take_verified(l, said, &eb);
	if (e == E_OK && !find_block(l, k))
		e = err_set(&eb, E_CONFIG, "the settings have changed");
	if (e != E_OK) {
		user_free(l->user);
		l->user = NULL;
		fail(l, eb.text);
		return;
	}
	note_hash(l->auth, l->user->hash);
	note_terms(&l->auth->terms, l->user);
	l->is_known = true;
	memcpy(l->database, k->name, sizeof(l->database));
	l->by = l->next++;
	finish(l);
}

/* What is missing to the time that a refusal takes there. */
static void
owe(struct lookup *l, uint32_t took)
{
	const struct known_users *k = &l->auth->conf.known[l->next];
	uint32_t usual = auth_db_refusal(l->auth, k);

	if (usual > took)
		l->owed += usual - took;
}

static void
on_answer(struct db_wait *w, const struct db_answer *said)
{
	struct lookup *l = (void *)((char *)w - offsetof(struct lookup, wait));

	l->took_by[l->next] = (uint32_t)(clock_ms() - l->asked);
	if (w->question.password != NULL) {
		l->was_told = true;
		if (said->result != LOOKUP_FOUND)
			owe(l, said->took);
	}
	if (said->result == LOOKUP_FAILED) {
		l->is_late = said->is_load;
		fail(l, said->why);
	} else if (said->result != LOOKUP_NOBODY && !l->is_idle) {
		take_row(l, said);
	} else {
		l->next++;
		go_on(l);
	}
}

static void
ask(struct lookup *l, const struct known_users *k, const char *password)
{
	enum err e;

	l->asked = clock_ms();
	l->wait.done = on_answer;
	l->wait.question.name = l->name;
	l->wait.question.password = password;
	e = auth_db_ask(l->auth, k, &l->wait);
	l->is_crowd = e == E_FULL;
	if (e != E_OK)
		fail(l, e == E_CLOSED ? "its process is not there"
				      : "too many wait for it");
}

static void
go_on(struct lookup *l)
{
	struct auth *a = l->auth;

	if (l->known != a->known_changes) {
		forsake(l);
		return;
	}
	for (; l->next < a->conf.n_known; l->next++) {
		const struct known_users *k = &a->conf.known[l->next];

		if (auth_db_verifies(k) && l->is_idle) {
			owe(l, 0);
			continue;
		}
		if (!is_file(k)) {
			ask(l, k, auth_db_verifies(k) ? l->password : NULL);
			return;
		}
		if (file_has(a, l->name) && !l->is_idle) {
			l->is_known = l->is_in_file = true;
			l->by = l->next++;
			break;
		}
	}
	finish(l);
}

void
databases_find(struct auth *a, struct lookup *l, const char *name,
    const struct proof *proof)
{
	user_free(l->user);
	*l = (struct lookup){
		.done = l->done,
		.owner = l->owner,
		.auth = a,
		.began = clock_ms(),
		.generation = a->userfile.generation,
		.known = a->known_changes,
		.places = a->place_changes,
	};
	snprintf(l->name, sizeof(l->name), "%s", name);
	if (proof != NULL) {
		l->password = proof->password;
		l->wait.question.peer = proof->peer;
		l->wait.whose = proof->whose;
	}
	go_on(l);
}

bool
databases_cancel(struct lookup *l)
{
	if (l->password == NULL || !auth_db_cancel(&l->wait))
		return false;
	l->failed = true;
	return true;
}

void
databases_rest(struct lookup *l)
{
	l->is_idle = true;
	go_on(l);
}

const struct user *
lookup_user(const struct lookup *l)
{
	const struct auth *a = l->auth;

	if (l->user != NULL)
		return l->user;
	return l->is_in_file ? users_find(a->userfile.users, l->name) : NULL;
}

const char *
lookup_database(const struct lookup *l)
{
	return l->user != NULL ? l->database : NULL;
}

void
lookup_clear(struct lookup *l)
{
	user_free(l->user);
	l->user = NULL;
}

/* ---- all users together ---- */

const char *
databases_costly(const struct auth *a)
{
	/* Most people are in a database, where there is one. */
	const char *costly = a->db_costly;

	if (costly == NULL)
		costly = users_costly(a->userfile.users);
	return costly == NULL && databases_any(a) ? of_nobody : costly;
}

unsigned
databases_can(const struct auth *a)
{
	unsigned uses = users_uses(a->userfile.users);

	for (size_t i = 0; i < a->conf.n_known; i++) {
		const struct known_users *k = &a->conf.known[i];
		unsigned can = user_drivers[k->driver].can;

		if (is_file(k))
			continue;
		if (can & DRIVER_GIVES_KEYS)
			uses |= SCHEME_SCRAM_SHA_1 | SCHEME_SCRAM_SHA_256;
		if (can & DRIVER_GIVES_PLAIN)
			uses |= SCHEME_READABLE | SCHEME_CRAM_MD5;
	}
	return uses;
}

unsigned
databases_uses(const struct auth *a)
{
	return users_uses(a->userfile.users) | a->db_seen.uses;
}

uint32_t
databases_iterations(const struct auth *a, const struct sasl_mechanism *m)
{
	uint32_t n = users_iterations(a->userfile.users, m);

	return n != SASL_ITERATIONS_MIN
		   ? n
		   : hashes_seen_iterations(&a->db_seen, m);
}
