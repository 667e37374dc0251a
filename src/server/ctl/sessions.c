/*
 * malotectl who and malotectl kick: sessions that are signed in, and their end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/str.h"
#include "server/ctl/call.h"
#include "server/ctl/show.h"
#include "server/ctl/who.h"

enum {
	SESSIONS_MAX = 1000 * 1000, /* that are taken from a server */
	SID_DIGITS = 12, /* a number of a session has more: it begins with the
			  * time */
};

struct row {
	struct control_session is;
	uint32_t elder; /* the process that began it, if another serves now */
};

struct told {
	struct call call; /* first */
	struct row *session;
	size_t n, room;
};

static enum err
take_sessions(void *arg, struct ipc_in *in)
{
	static struct control_sessions s;
	struct told *t = arg;

	memset(&s, 0, sizeof(s));
	ipc_get_fields(in, &control_sessions_fields, &s);
	if (ipc_get_end(in) != E_OK || t->n + s.n > SESSIONS_MAX)
		return E_FORMAT;
	for (unsigned i = 0; i < s.n; i++) {
		struct row *v =
		    array_room(t->session, t->n, &t->room, sizeof(*t->session));

		if (v == NULL)
			return E_NOMEM;
		t->session = v;
		v[t->n++] = (struct row){ s.session[i], t->call.elder };
	}
	return E_OK;
}

static const struct ipc_rule tells[] = {
	{ CONTROL_SESSIONS, 1, 0, CONTROL_SESSIONS_MAX, take_sessions },
	CALL_ELDER,
};

/* By user, then by when they began. */
static int
compare(const void *a, const void *b)
{
	const struct control_session *x = &((const struct row *)a)->is,
				     *y = &((const struct row *)b)->is;
	int by = strcmp(x->user, y->user);

	if (by != 0)
		return by;
	return x->since != y->since ? (x->since < y->since ? -1 : 1)
				    : (x->sid > y->sid) - (x->sid < y->sid);
}

/* ---- for programs ---- */

static json_t *
row(const struct row *r)
{
	const struct control_session *s = &r->is;
	char sid[32];

	snprintf(
	    sid, sizeof(sid), "%u.%llx", s->worker, (unsigned long long)s->sid);
	return json_pack(
	    "{s:s,s:o,s:o,s:I,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:o}",
	    "session", sid, "user", show_text(s->user), "address",
	    show_text(s->peer), "since", (json_int_t)s->since, "tls",
	    show_text(s->tls), "mechanism", show_text(s->method), "state",
	    show_text(s->state), "commands", (json_int_t)s->commands,
	    "messages", (json_int_t)s->messages, "retrieved",
	    (json_int_t)s->retrieved, "marked", (json_int_t)s->marked,
	    "octets_in", (json_int_t)s->in, "octets_out", (json_int_t)s->out,
	    "before", r->elder != 0 ? json_integer(r->elder) : json_null());
}

static enum err
print_json(const struct told *t, struct errbuf *eb)
{
	json_t *all = json_array();
	enum err e;

	for (size_t i = 0; i < t->n; i++)
		if (json_array_append_new(all, row(&t->session[i])) < 0) {
			json_decref(all);
			return err_set(eb, E_NOMEM, "out of memory");
		}
	e = show_json(all, eb);
	json_decref(all);
	return e;
}

/* ---- for people ---- */

struct word {
	char s[256];
};

static const char *
clean(struct word *w, const char *s)
{
	return show_clean(w->s, sizeof(w->s), s);
}

static void
print_one(const struct row *r)
{
	const struct control_session *s = &r->is;
	struct word user, peer, tls, method, state;
	char since[CLOCK_DATE], before[32] = "";

	if (r->elder != 0)
		snprintf(before, sizeof(before), " before: pid %u", r->elder);
	printf("%-24s %-16s %-16s %-8s %-14s %8u %12llu %-9s %u.%llx%s\n",
	    clean(&user, s->user), clean(&peer, s->peer),
	    clock_date(since, s->since), clean(&tls, s->tls),
	    clean(&method, s->method), s->commands, (unsigned long long)s->out,
	    clean(&state, s->state), s->worker, (unsigned long long)s->sid,
	    before);
}

static void
print(const struct told *t)
{
	if (t->n != 0)
		printf("%-24s %-16s %-16s %-8s %-14s %8s %12s %-9s %s\n",
		    "user", "address", "since", "tls", "mechanism", "commands",
		    "octets", "state", "session");
	for (size_t i = 0; i < t->n; i++)
		print_one(&t->session[i]);
	printf("%zu session%s\n", t->n, t->n == 1 ? "" : "s");
}

/* ---- the commands ---- */

/* "0.19a8f3c4d21b00005", as `who', the log and a trace have it. */
static bool
is_number(const char *name, struct control_which *w)
{
	size_t worker = strspn(name, "0123456789"), n;
	char *end;

	if (worker == 0 || worker > 4 || name[worker] != '.')
		return false;
	n = strspn(name + worker + 1, "0123456789abcdef");
	if (n <= SID_DIGITS || n > 16 || name[worker + 1 + n] != '\0')
		return false;
	w->worker = (uint16_t)strtoul(name, &end, 10);
	w->sid = strtoull(name + worker + 1, &end, 16);
	return true;
}

static enum err
which(const struct options *o, const char *name, struct control_which *w,
    struct errbuf *eb)
{
	if (name == NULL || is_number(name, w))
		return E_OK;
	return who_called(o, name, w->user, eb);
}

static enum err
ask(const struct options *o, enum control_type command, const char *name,
    struct told *t, struct errbuf *eb)
{
	struct control_which w = { .sid = 0 };
	enum err e = which(o, name, &w, eb);

	t->call.tells = tells;
	t->call.n_tells = sizeof(tells) / sizeof(tells[0]);
	if (e == E_OK)
		e = call_server(
		    o, &t->call, command, &control_which_fields, &w, eb);
	if (e == E_OK && t->call.done.words[0] != '\0')
		fprintf(stderr, "malotectl: %s\n", t->call.done.words);
	if (t->n != 0)
		qsort(t->session, t->n, sizeof(*t->session), compare);
	return e;
}

static enum err
say(const struct options *o, const struct told *t, struct errbuf *eb)
{
	if (o->json)
		return print_json(t, eb);
	print(t);
	return E_OK;
}

enum err
sessions_who(const struct options *o, const char *name, struct errbuf *eb)
{
	struct told t = { .n = 0 };
	enum err e = ask(o, CONTROL_WHO, name, &t, eb);

	if (e == E_OK)
		e = say(o, &t, eb);
	free(t.session);
	return e;
}

enum err
sessions_kick(const struct options *o, const char *name, struct errbuf *eb)
{
	struct told t = { .n = 0 };
	enum err e = ask(o, CONTROL_KICK, name, &t, eb);
	char shown[256];

	if (e == E_OK && t.n == 0)
		e = err_set(eb, E_NOENT, "there is no session of %s",
		    show_clean(shown, sizeof(shown), name));
	else if (e == E_OK)
		e = say(o, &t, eb);
	free(t.session);
	return e;
}
