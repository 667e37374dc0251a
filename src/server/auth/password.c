#include "server/auth/password.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/auth/databases.h"
#include "server/auth/found.h"
#include "server/auth/login_delay.h"
#include "server/auth/look.h"
#include "server/auth/refuse.h"
#include "server/auth/rehash.h"
#include "server/auth/served.h"
#include "server/auth/timestamps.h"
#include "server/auth/turn.h"
#include "server/auth/vcache.h"
#include "server/conf/spelling.h"

static void verify(struct signin *s);

/* s->password, against this hash. */
static void
judge(struct signin *s, const char *stored, enum err e)
{
	if (e == E_OK && s->known && signin_database(s) == NULL)
		rehash_offer(s->auth, s->user, stored, s->password);
	signin_judge(s, e);
}

static void
log_app_password(const struct signin *s, const char *label)
{
	char user[NAME_MAX_OCTETS * 4 + 1], shown[APP_LABEL_MAX * 4 + 1];

	log_line(LOG_EVENT, "ev=app-password sid=%u.%llx user=%s label=\"%s\"",
	    s->worker_index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), s->user, strlen(s->user)),
	    str_quote(shown, sizeof(shown), label, strlen(label)));
}

/* What makes a password right: see vcache.h. */
static struct vcache_key
key_of(const struct signin *s, const char *stored)
{
	const char *database = signin_database(s);

	return (struct vcache_key){
		.database = database != NULL ? database : "",
		.service = s->service,
		.user = s->user,
		.stored = stored,
		.row = s->row,
		.password = s->password,
	};
}

static void
remember(struct signin *s)
{
	struct vcache_key key = key_of(s, s->stored);

	vcache_add(s->auth->verified, &key, clock_ms());
}

static bool
is_remembered(const struct signin *s, const char *stored)
{
	struct vcache_key key = key_of(s, stored);

	return vcache_has(s->auth->verified, &key, clock_ms());
}

static void
on_hashed(struct hash_job *job)
{
	struct signin *s = (void *)((char *)job - offsetof(struct signin, job));

	if (job->result == E_FULL) {
		signin_refuse_crowded(s, "hash-queue");
		return;
	}
	if (s->is_cheap)
		job->result = E_DENIED;
	if (job->result == E_OK && s->known) {
		/* It may have waited for long: for the line as it is now. */
		remember(s);
		signin_look_again(s);
	} else if (s->generation != s->auth->userfile.generation) {
		verify(s); /* what failed may be an app password by now */
	} else {
		judge(s, s->stored, job->result);
	}
}

static void
hash(struct signin *s, const char *stored)
{
	if (s->known && !s->is_cheap && is_remembered(s, stored)) {
		judge(s, stored, E_OK);
		return;
	}
	free(s->stored);
	if ((s->stored = strdup(stored)) == NULL) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	s->job = (struct hash_job){
		.stored = s->stored,
		.password = s->password,
		.done = on_hashed,
	};
	signin_hash(s);
}

/* It is known whether it is right, at no cost.  If it is wrong and other users
 * have costly hashes, it takes as long as theirs: the time must not tell the two
 * kinds of users apart. */
static void
judge_cheap(struct signin *s, const char *stored, enum err e)
{
	const char *costly = databases_costly(s->auth);

	if (e == E_OK || e == E_NOMEM || costly == NULL) {
		judge(s, stored, e);
		return;
	}
	s->is_cheap = true;
	hash(s, costly);
}

/* Who knows it has been asked.  That is not remembered: an account may be locked
 * there at any time. */
static void
verify_there(struct signin *s)
{
	if (signin_is_right(s))
		signin_judge(s, E_OK);
	else
		judge_cheap(s, "", E_DENIED);
}

/* u: NULL if there is no such user. */
static void
verify_apop(struct signin *s, const struct user *u)
{
	struct auth *a = s->auth;
	enum err e = u == NULL
			 ? E_DENIED
			 : scheme_verify_apop(u->hash, s->timestamp, s->digest);

	/* Later, with the timestamp of another greeting, it can be right. */
	if (e == E_OK && !timestamps_use(a->timestamps, clock_ms(),
			     s->timestamp, s->digest)) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "timestamp");
		return;
	}
	signin_judge(s, e);
	if (timestamps_is_due(a->timestamps, clock_ms()))
		served_turn(a);
}

/* Is it an app password of this user's, and one that may be used?  A device's
 * does not open the mail of others.  If it may not
 * the log says why, and the client is told nothing else than of any wrong
 * password, nor sooner: it goes on as one. */
static bool
is_app_password(struct signin *s)
{
	struct slice typed = { s->password, strlen(s->password) };
	const struct app_table *apps = s->auth->userfile.apps;
	const struct app_password *p =
	    apps != NULL ? app_table_find(apps, s->user, typed) : NULL;
	const char *refuses;

	if (p == NULL || !s->known || s->target[0] != '\0')
		return false;
	refuses = app_password_refuses(
	    p, s->service, s->peer, clock_unix_ms() / 1000);
	if (refuses != NULL) {
		s->why = refuses;
		return false;
	}
	log_app_password(s, p->label);
	s->program = login_delay_who(s->auth->delays, s->user, p->label);
	return true;
}

/* Is it of the form of one, while nobody can tell whether it is one?  Then to
 * call it wrong would make a mail program forget it. */
static bool
is_app_password_unread(const struct signin *s)
{
	char secret[APP_SECRET];
	bool is = s->auth->userfile.apps_unread && s->password != NULL &&
		  app_secret_read(secret,
		      (struct slice){ s->password, strlen(s->password) });

	explicit_bzero(secret, sizeof(secret));
	return is;
}

/* What the password is compared with.  Where there is no user, or a hash of theirs
 * that makes no sense, it is another user's, that it takes as long and sounds
 * alike; NULL: nobody has one that takes long. */
static const char *
find_stored(struct signin *s, const struct user *u)
{
	bool is_odd = u != NULL && scheme_check(u->hash, NULL) == E_CONFIG;

	s->is_cheap = is_odd;
	if (is_odd)
		s->why = "hash";
	return u != NULL && !is_odd ? u->hash : databases_costly(s->auth);
}

/* Against the users that there are now. */
static void
verify(struct signin *s)
{
	const struct user *u = signin_find(s);
	const char *stored = find_stored(s, u);
	bool is_refused = signin_is_refused(s);

	s->is_failing = false;
	if (is_refused)
		turn_fails(s);
	if (s->password != NULL && is_app_password(s))
		signin_judge(s, E_OK);
	else if (is_app_password_unread(s))
		signin_refuse(s, SIGN_IN_TEMPORARY, "app-passwords");
	else if (is_refused && s->worker == NULL)
		signin_judge(s, E_DENIED); /* it counts all the same */
	else if (s->timestamp != NULL)
		verify_apop(s, u);
	else if (u != NULL && u->is_verified_there)
		verify_there(s);
	else if (stored == NULL)
		signin_judge(s, E_DENIED);
	else if (!scheme_is_costly(stored))
		judge_cheap(s, stored, scheme_verify(stored, s->password));
	else
		hash(s, stored);
}

void
signin_claim(struct signin *s, struct slice name, const struct slice *password)
{
	s->decide = verify;
	if (!signin_login(s, name))
		return;
	if (password != NULL) {
		/* Some databases take an empty one for any. */
		bool is_none = password->n == 0 && databases_any(s->auth);

		if (is_none || !text_is_secret(*password)) {
			signin_deny_unseen(s, "bad-password");
			return;
		}
		s->password = strndup(password->p, password->n);
		if (s->password == NULL) {
			signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
			return;
		}
	}
	signin_look(s);
}
