#include "server/auth/asked.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/auth/databases.h"
#include "server/auth/facts.h"
#include "server/auth/failures.h"
#include "server/auth/hashpool.h"
#include "server/auth/login_delay.h"
#include "server/auth/possible.h"
#include "server/auth/refuse.h"
#include "server/conf/retention_text.h"
#include "server/users/host_account.h"
#include "server/users/scheme.h"

struct question {
	struct facts facts;
	struct auth *auth;
	enum ask_kind what;
	char user[NAME_MAX_OCTETS + 1];
	char *password, *stored; /* of a try */
	struct userfile_wait users;
	struct lookup found;
	struct hash_job job;
};

static void
wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
end(struct question *q, enum control_outcome outcome, const char *words)
{
	facts_end(&q->facts, outcome, words);
	wipe(q->password);
	wipe(q->stored);
	lookup_clear(&q->found);
	free(q);
}

static void
end_without_user(struct question *q)
{
	struct errbuf eb;
	enum control_outcome outcome =
	    userfile_no_user(&q->auth->userfile, q->user, &eb);

	end(q, outcome, eb.text);
}

static void
end_without_answer(struct question *q)
{
	const struct lookup *l = &q->found;
	struct errbuf eb;

	err_set(&eb, E_AGAIN, "users \"%s\": %s",
	    q->auth->conf.known[l->by].name, l->why);
	end(q, CONTROL_LATER, eb.text);
}

/* ---- a user ---- */

static void
tell_host(const struct facts *f, const struct user *u)
{
	const struct auth *a = f->auth;
	struct host_account host;
	struct errbuf eb;
	const char *why;

	fact_text(f, "host", u->host);
	if (host_account_find(
		&host, &a->conf, a->userfile.users, u, &why, &eb) != E_OK)
		fact_text(f, "problem", eb.text);
	free(host.mail);
}

static void
tell_account(const struct facts *f, const struct user *u)
{
	const struct auth_conf *conf = &f->auth->conf;
	char days[RETENTION_TEXT];
	struct account at;
	struct errbuf eb;
	const char *why;
	bool good;

	if (u->host[0] != '\0') {
		tell_host(f, u);
		return;
	}
	good = account_find(&at, conf, u, &why, &eb) == E_OK;
	if (good) {
		fact_number(f, "uid", at.uid);
		fact_number(f, "gid", at.gid);
	}
	fact_text(f, "home", u->home);
	if (!good) {
		fact_text(f, "problem", eb.text);
		return;
	}
	fact_text(f, "mail", at.mail);
	fact_text(
	    f, "expire", retention_text(days, retained_of(f->auth, u, &at)));
	if (retained_is_shared(f->auth, u, &at))
		fact_text(f, "expire_why",
		    "several lines of the users file have this maildrop");
}

static void
tell_permits(const struct facts *f, const struct user *u)
{
	fact_text(f, "allow_nets", u->nets);
	fact_flag(f, "nologin", u->permits.no_login);
	fact_flag(f, "pop3_off", u->permits.no_pop3);
	fact_flag(f, "tls_only", u->permits.tls_only);
	fact_flag(f, "read_only", u->permits.read_only);
	fact_flag(f, "master", u->permits.master);
}

/* label: of the app password that a program has, or "" if it is the user's own. */
static void
tell_login_delay(const struct facts *f, const struct user *u, const char *label)
{
	const struct login_delays *d = f->auth->delays;
	uint32_t seconds = user_login_delay(u, f->auth->conf.login_delay);
	uint64_t left = login_delay_left(
	    d, login_delay_who(d, u->name, label), seconds, clock_ms());

	fact_number(f, "login_delay", seconds);
	fact_number(f, "login_delay_left", (uint32_t)((left + 999) / 1000));
}

/* Where the user is known, if that can be elsewhere than in the users file, and
 * how long it took to find that out. */
static void
tell_origin(const struct question *q)
{
	const struct lookup *l = &q->found;

	if (!databases_any(q->auth))
		return;
	fact_text(&q->facts, "users", q->auth->conf.known[l->by].name);
	fact_number(&q->facts, "milliseconds", (uint32_t)l->took);
}

/* Who was asked, in this order, what they said, and how long they took. */
static void
tell_asked(const struct question *q)
{
	const struct lookup *l = &q->found;
	const struct auth_conf *conf = &q->auth->conf;
	size_t n = l->is_known || l->failed ? l->by + 1 : conf->n_known;
	struct facts f = q->facts;

	for (size_t i = 0; databases_any(q->auth) && i < n; i++) {
		bool is_last = (l->is_known || l->failed) && i == l->by;

		f.row++;
		fact_text(&f, "users", conf->known[i].name);
		fact_number(&f, "milliseconds", l->took_by[i]);
		fact_text(&f, "answer",
		    !is_last      ? "nobody"
		    : l->is_known ? "the user"
				  : l->why);
	}
}

/* Each thing that the users file knows of a user is a line here. */
static void
tell_user(const struct question *q, const struct user *u)
{
	const struct facts *f = &q->facts;
	struct errbuf eb;

	fact_text(f, "user", u->name);
	tell_origin(q);
	if (!user_is_of_row(u))
		fact_number(f, "line", u->line);
	fact_text(f, "scheme", scheme_name(u->hash));
	fact_flag(f, "locked", user_is_locked(u));
	if (scheme_check(u->hash, &eb) == E_CONFIG)
		fact_text(f, "hash", eb.text);
	tell_permits(f, u);
	tell_login_delay(f, u, "");
	tell_account(f, u);
}

/* ---- a password ---- */

/* NULL: the password that is tried is none of the user's app passwords. */
static const struct app_password *
find_app_password(const struct question *q)
{
	const struct app_table *apps = q->auth->userfile.apps;

	return apps != NULL
		   ? app_table_find(apps, q->user,
			 (struct slice){ q->password, strlen(q->password) })
		   : NULL;
}

static void
end_without_hash(struct question *q, const struct user *u)
{
	struct errbuf why = { "" }, eb;
	enum err e = scheme_check(u->hash, &why);
	char line[32] = "";

	if (!user_is_of_row(u))
		snprintf(line, sizeof(line), "line %u: ", u->line);
	err_set(&eb, E_CONFIG, "the password cannot be verified: %s%s", line,
	    e == E_CONFIG ? why.text : "its hash makes no sense");
	end(q, CONTROL_CANNOT, eb.text);
}

static void
tell_try(struct question *q, const struct user *u, enum err e)
{
	const struct app_password *app = find_app_password(q);
	const char *why = "the password is wrong";

	if (app != NULL && !app_password_is_for(app, POP3)) {
		e = E_DENIED;
		why = "this app password is not for POP3";
	} else if (app != NULL &&
		   app_password_is_over(app, clock_unix_ms() / 1000)) {
		e = E_DENIED;
		why = "the last day of this app password is over";
	}
	fact_text(&q->facts, "user", u->name);
	tell_origin(q);
	fact_text(&q->facts, "password",
	    e == E_OK       ? "right"
	    : e == E_DENIED ? "wrong"
			    : "cannot be verified");
	if (app != NULL)
		fact_text(&q->facts, "app_password", app->label);
	if (e == E_OK)
		tell_login_delay(&q->facts, u, app != NULL ? app->label : "");
	tell_account(&q->facts, u);
	possible_tell(&q->facts, u, app != NULL);
	if (e == E_OK)
		end(q, CONTROL_GOOD, "");
	else if (e == E_DENIED)
		end(q, CONTROL_DENIED, why);
	else
		end_without_hash(q, u);
}

static void
on_hashed(struct hash_job *job)
{
	struct question *q =
	    (void *)((char *)job - offsetof(struct question, job));
	const struct user *u = lookup_user(&q->found);

	if (job->result == E_FULL || job->result == E_NOMEM)
		end(q, CONTROL_LATER, "too many passwords are being verified");
	else if (u == NULL)
		end_without_user(q);
	else
		tell_try(q, u, job->result);
}

static void
try(struct question *q, const struct user *u)
{
	if (u->is_verified_there) {
		tell_try(q, u, q->found.is_right ? E_OK : E_DENIED);
		return;
	}
	if ((q->stored = strdup(u->hash)) == NULL) {
		end(q, CONTROL_LATER, "out of memory");
		return;
	}
	q->job = (struct hash_job){
		.stored = q->stored,
		.password = q->password,
		.whose.known = true, /* the admin does not wait for a crowd */
		.done = on_hashed,
	};
	if (hashpool_add(q->auth->hashes, &q->job) != E_OK)
		end(q, CONTROL_LATER, "too many passwords are being verified");
}

/* ---- asking ---- */

static void
on_found(struct lookup *l)
{
	struct question *q =
	    (void *)((char *)l - offsetof(struct question, found));
	const struct user *u = lookup_user(l);

	retained_follow(q->auth);
	if (q->what == ASK_USER)
		tell_asked(q);
	if (l->failed) {
		end_without_answer(q);
	} else if (u == NULL) {
		end_without_user(q);
	} else if (q->what == ASK_TRY && find_app_password(q) != NULL) {
		tell_try(q, u, E_OK);
	} else if (q->what == ASK_TRY) {
		try(q, u);
	} else {
		tell_user(q, u);
		end(q, CONTROL_GOOD, "");
	}
}

static void
on_users(struct userfile_wait *wait, enum err e)
{
	struct question *q =
	    (void *)((char *)wait - offsetof(struct question, users));
	/* The admin does not wait for a crowd. */
	const struct proof proof = {
		.password = q->password, .peer = "", .whose.known = true
	};
	bool is_proof = q->what == ASK_TRY && find_app_password(q) == NULL;

	if (e != E_OK || q->auth->userfile.users == NULL)
		end(q, CONTROL_LATER, "the users file cannot be read");
	else
		databases_find(
		    q->auth, &q->found, q->user, is_proof ? &proof : NULL);
}

static void
ask(struct question *q, struct slice user)
{
	if (q->what == ASK_FAILURES) {
		failures_tell(q->auth->failures, &q->facts, clock_ms());
		end(q, CONTROL_GOOD, "");
	} else if (name_normalize(&q->auth->rule, user, q->user, NULL) !=
		   E_OK) {
		end(q, CONTROL_NO_USER, "");
	} else {
		q->users.done = on_users;
		q->found.done = on_found;
		userfile_check(&q->auth->userfile, &q->users);
	}
}

void
asked(struct auth *a, uint64_t token, enum ask_kind what, struct slice user,
    struct slice password)
{
	struct facts f = { a, token, 0 };
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL ||
	    (q->password = strndup(password.p, password.n)) == NULL) {
		free(q);
		facts_end(&f, CONTROL_LATER, "out of memory");
		return;
	}
	q->facts = f;
	q->auth = a;
	q->what = what;
	ask(q, user);
}
