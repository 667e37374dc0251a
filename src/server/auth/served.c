#include "server/auth/served.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sasl/sasl.h"
#include "server/auth/auth_worker.h"
#include "server/auth/databases.h"
#include "server/auth/timestamps.h"
#include "server/users/scheme.h"

static bool
is_anonymous_there(const struct auth *a)
{
	struct slice name = { a->conf.anonymous, strlen(a->conf.anonymous) };
	char user[NAME_MAX_OCTETS + 1];

	return name.n != 0 &&
	       name_normalize(&a->rule, name, user, NULL) == E_OK &&
	       users_find(a->userfile.users, user) != NULL;
}

bool
served_has(const struct auth *a, const struct sasl_mechanism *m)
{
	const struct users *users = a->userfile.users;

	switch (m->asks) {
	case SASL_PASSWORD: return true;
	case SASL_LOOKUP:
		return users != NULL &&
		       (databases_can(a) & scheme_use_of(m)) != 0;
	case SASL_EXTERNAL: return a->client_ca != NULL;
	case SASL_TICKET: return a->realms[0] != '\0';
	case SASL_TOKEN: return a->conf.n_issuers != 0;
	case SASL_ANYBODY: return users != NULL && is_anonymous_there(a);
	default: return false;
	}
}

static void
list(const struct auth *a, char out[SERVED_MAX])
{
	const struct users *users = a->userfile.users;
	size_t n = 0;

	out[0] = '\0';
	if (a->conf.apop && users != NULL &&
	    (databases_can(a) & SCHEME_READABLE) != 0)
		n += (size_t)snprintf(out, SERVED_MAX, "APOP ");
	for (size_t i = 0; sasl_mechanisms[i] != NULL && n < SERVED_MAX; i++)
		if (served_has(a, sasl_mechanisms[i]))
			n += (size_t)snprintf(out + n, SERVED_MAX - n, "%s ",
			    sasl_mechanisms[i]->name);
}

/* LOGIN-DELAY of all users, as far as they are known; masters and strangers sign in
 * without any. */
static struct login_delay_range
delays_of(const struct auth *a)
{
	bool some_free =
	    a->conf.master_separator[0] != '\0' || a->conf.anonymous[0] != '\0';
	struct login_delay_range r = { some_free ? 0 : UINT32_MAX, 0 };
	const struct login_delay_range *seen = &a->terms.delays;
	const struct users *users = a->userfile.users;
	const struct user *u;
	size_t at = 0;

	while (users != NULL && (u = users_next(users, &at)) != NULL)
		login_delay_range_add(
		    &r, user_login_delay(u, a->conf.login_delay));
	if (databases_any(a))
		login_delay_range_add(&r, a->conf.login_delay);
	if (seen->least <= seen->most) {
		login_delay_range_add(&r, seen->least);
		login_delay_range_add(&r, seen->most);
	}
	r.least = r.least < r.most ? r.least : r.most;
	return r;
}

void
served_tell(const struct auth *a, struct auth_worker *w)
{
	/* APOP is for workers, and so is its half of a timestamp. */
	uint64_t half =
	    w->role == ROLE_WORKER ? timestamps_half(a->timestamps) : 0;

	if (a->served[0] != '\0')
		auth_worker_served(
		    w, a->served, half, a->announced, &a->served_delays);
}

static void
tell_all(const struct auth *a)
{
	struct auth_worker *w;

	LIST_FOREACH (w, &a->workers, entry)
		served_tell(a, w);
}

void
served_tell_all(struct auth *a)
{
	struct announced *told = &a->announced, *all = &a->retained.all;
	struct login_delay_range delays = delays_of(a);
	char now[SERVED_MAX];

	a->served_generation = a->userfile.generation;
	a->served_terms = a->terms.changes;
	list(a, now);
	retained_follow(a);
	if (strcmp(now, a->served) == 0 && told->least == all->least &&
	    told->differs == all->differs &&
	    delays.most == a->served_delays.most &&
	    delays.least == a->served_delays.least)
		return;
	*told = *all;
	memcpy(a->served, now, sizeof(now));
	a->served_delays = delays;
	tell_all(a);
}

void
served_follow(struct auth *a)
{
	if (a->served_generation != a->userfile.generation ||
	    a->served_terms != a->terms.changes)
		served_tell_all(a);
}

void
served_turn(struct auth *a)
{
	timestamps_turn(a->timestamps, clock_ms());
	ev_timer_again(a->loop, &a->turn); /* from now on */
	tell_all(a);
}
