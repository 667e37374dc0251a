/*
 * malotectl status: how the server is.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/ctl/call.h"
#include "server/ctl/show.h"

enum { ROWS_MAX = 4096 };

/* What was told is kept as the JSON that it may be printed as. */
struct told {
	struct call call; /* first */
	json_t *all;
};

/* ---- what is told ---- */

/* Puts a row into the list of that name.  E_FORMAT: there are too many. */
static enum err
add(struct told *t, const char *list, json_t *row)
{
	json_t *rows = json_object_get(t->all, list);

	if (json_array_size(rows) >= ROWS_MAX) {
		json_decref(row);
		return E_FORMAT;
	}
	return json_array_append_new(rows, row) == 0 ? E_OK : E_NOMEM;
}

static enum err
take_server(void *arg, struct ipc_in *in)
{
	struct told *t = arg;
	struct control_server s = { .version = "" };

	ipc_get_fields(in, &control_server_fields, &s);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	json_object_set_new(t->all, "version", show_text(s.version));
	json_object_set_new(t->all, "phase", show_text(s.phase));
	json_object_set_new(t->all, "pid", json_integer(s.pid));
	json_object_set_new(t->all, "uid", json_integer(s.uid));
	json_object_set_new(t->all, "since", json_integer(s.since));
	return E_OK;
}

static enum err
take_process(void *arg, struct ipc_in *in)
{
	struct control_process p = { .role = "" };

	ipc_get_fields(in, &control_process_fields, &p);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return add(arg, "processes",
	    json_pack("{s:o,s:i,s:o,s:o,s:o,s:o,s:o}", "role",
		show_text(p.role), "index", (int)p.index, "state",
		show_text(p.state), "pid",
		p.pid != 0 ? json_integer(p.pid) : json_null(), "uid",
		json_integer(p.uid), "since",
		p.pid != 0 ? json_integer(p.since) : json_null(), "sessions",
		p.answers ? json_integer(p.sessions) : json_null()));
}

static enum err
take_listener(void *arg, struct ipc_in *in)
{
	struct control_listener l = { .name = "" };

	ipc_get_fields(in, &control_listener_fields, &l);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return add(arg, "listeners",
	    json_pack("{s:o,s:o,s:o,s:b}", "name", show_text(l.name), "at",
		show_text(l.at), "tls", show_text(l.tls), "plaintext_login",
		(int)l.plaintext_login));
}

/* "a.example b.example" */
static json_t *
words(const char *text)
{
	json_t *all = json_array();

	for (const char *p = text; *(p += strspn(p, " ")) != '\0';) {
		char word[256] = "";
		size_t n = strcspn(p, " ");

		memcpy(word, p, n < sizeof(word) ? n : sizeof(word) - 1);
		json_array_append_new(all, show_text(word));
		p += n;
	}
	return all;
}

static json_t *
time_or_null(uint32_t t)
{
	return t != 0 ? json_integer(t) : json_null();
}

static enum err
take_certificate(void *arg, struct ipc_in *in)
{
	struct control_certificate c = { .name = "" };

	ipc_get_fields(in, &control_certificate_fields, &c);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return add(arg, "certificates",
	    json_pack("{s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:o}", "name",
		show_text(c.name), "file", show_text(c.file), "names",
		words(c.names), "key", show_text(c.key), "expires",
		time_or_null(c.expires), "expires_soon", (int)c.soon,
		"ocsp_until", time_or_null(c.ocsp_until), "problem",
		c.problem[0] != '\0' ? show_text(c.problem) : json_null()));
}

static enum err
take_root(void *arg, struct ipc_in *in)
{
	struct control_root r = { .served = false };

	ipc_get_fields(in, &control_root_fields, &r);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return add(arg, "mail_roots",
	    json_pack("{s:o,s:b}", "path", show_text(r.path), "served",
		(int)r.served));
}

static json_t *
number_of(uint64_t n)
{
	return json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX);
}

static enum err
take_count(void *arg, struct ipc_in *in)
{
	struct control_count c = { .total = 0 };
	struct told *t = arg;
	json_t *counts = json_object_get(t->all, "counts");
	char name[sizeof(c.name) * 4];

	ipc_get_fields(in, &control_count_fields, &c);
	if (ipc_get_end(in) != E_OK || json_object_size(counts) >= ROWS_MAX)
		return E_FORMAT;
	str_escape(name, sizeof(name), c.name, strlen(c.name));
	json_object_set_new(counts, name,
	    c.is_now ? number_of(c.total)
		     : json_pack("{s:o,s:o,s:I}", "total", number_of(c.total),
			   "lately", number_of(c.lately), "seconds",
			   (json_int_t)c.seconds));
	return E_OK;
}

static enum err
take_note(void *arg, struct ipc_in *in)
{
	struct control_note n = { .words = "" };

	ipc_get_fields(in, &control_note_fields, &n);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return add(arg, "unconfined", show_text(n.words));
}

static enum err
take_drain(void *arg, struct ipc_in *in)
{
	struct control_drain d = { .version = "" };

	ipc_get_fields(in, &control_drain_fields, &d);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return add(arg, "draining",
	    json_pack("{s:o,s:o,s:o,s:o}", "version", show_text(d.version),
		"pid", json_integer(d.pid), "since", json_integer(d.since),
		"sessions", json_integer(d.sessions)));
}

static const struct ipc_rule tells[] = {
	{ CONTROL_SERVER, 1, 0, CONTROL_ANSWER_MAX, take_server },
	{ CONTROL_PROCESS, 1, 0, CONTROL_ANSWER_MAX, take_process },
	{ CONTROL_LISTENER, 1, 0, CONTROL_ANSWER_MAX, take_listener },
	{ CONTROL_CERTIFICATE, 1, 0, CONTROL_ANSWER_MAX, take_certificate },
	{ CONTROL_ROOT, 1, 0, CONTROL_ANSWER_MAX, take_root },
	{ CONTROL_NOTE, 1, 0, CONTROL_ANSWER_MAX, take_note },
	{ CONTROL_DRAIN, 1, 0, CONTROL_ANSWER_MAX, take_drain },
	{ CONTROL_COUNT, 1, 0, CONTROL_ANSWER_MAX, take_count },
};

/* ---- for people ---- */

struct word {
	char s[256];
};

static const char *
text(struct word *w, const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return show_clean(w->s, sizeof(w->s), s != NULL ? s : "");
}

static const char *
number(struct word *w, const json_t *row, const char *key, const char *none)
{
	const json_t *v = json_object_get(row, key);

	if (json_is_integer(v))
		snprintf(w->s, sizeof(w->s), "%lld",
		    (long long)json_integer_value(v));
	else
		snprintf(w->s, sizeof(w->s), "%s", none);
	return w->s;
}

static const char *
date_of(struct word *w, const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	char when[CLOCK_DATE] = "-";

	if (json_is_integer(v))
		clock_date(when, json_integer_value(v));
	snprintf(w->s, sizeof(w->s), "%s", when);
	return w->s;
}

static const char *
date(struct word *w, const json_t *row)
{
	return date_of(w, row, "since");
}

/* "store.3" */
static const char *
name(struct word *w, const json_t *row)
{
	struct word role, index;

	text(&role, row, "role");
	number(&index, row, "index", "?");
	snprintf(w->s, sizeof(w->s), "%.200s.%.20s", role.s, index.s);
	return w->s;
}

static void
print_processes(const json_t *all)
{
	struct word process, pid, uid, since, sessions, state;
	const json_t *row;
	size_t i;

	printf("\n%-10s %-9s %8s %8s  %-16s %9s\n", "process", "state", "pid",
	    "uid", "since", "sessions");
	json_array_foreach(json_object_get(all, "processes"), i, row)
	    printf("%-10s %-9s %8s %8s  %-16s %9s\n", name(&process, row),
		text(&state, row, "state"), number(&pid, row, "pid", "-"),
		number(&uid, row, "uid", "?"), date(&since, row),
		number(&sessions, row, "sessions", "?"));
}

/* "1234 in all, 12 a minute"; one that says what there is now is a number. */
static void
print_counts(const json_t *all)
{
	struct word total, shown;
	const char *name;
	json_t *v;

	putchar('\n');
	json_object_foreach(json_object_get(all, "counts"), name, v)
	{
		const json_int_t s =
		    json_integer_value(json_object_get(v, "seconds"));
		const json_int_t lately =
		    json_integer_value(json_object_get(v, "lately"));

		show_clean(shown.s, sizeof(shown.s), name);
		if (json_is_integer(v))
			printf("%-20s %12lld now\n", shown.s,
			    (long long)json_integer_value(v));
		else
			printf("%-20s %12s in all, %.1f a minute lately\n",
			    shown.s, number(&total, v, "total", "?"),
			    s > 0 ? (double)lately * 60 / (double)s : 0.);
	}
}

static void
print_listeners(const json_t *all)
{
	struct word name, at, tls;
	const json_t *row;
	size_t i;

	putchar('\n');
	json_array_foreach(json_object_get(all, "listeners"), i, row)
	    printf("listener %s at %s, tls %s%s\n", text(&name, row, "name"),
		text(&at, row, "at"), text(&tls, row, "tls"),
		json_is_true(json_object_get(row, "plaintext_login"))
		    ? ", passwords in clear"
		    : "");
}

static void
print_certificate(const json_t *row)
{
	const json_t *names = json_object_get(row, "names"), *name;
	struct word file, key, expires, w;
	size_t i;

	printf("certificate %s (%s) until %s%s", text(&file, row, "file"),
	    text(&key, row, "key"), date_of(&expires, row, "expires"),
	    json_is_true(json_object_get(row, "expires_soon")) ? ": RENEW IT"
							       : "");
	if (json_is_integer(json_object_get(row, "ocsp_until")))
		printf(", OCSP until %s", date_of(&w, row, "ocsp_until"));
	printf("\n  for");
	json_array_foreach(names, i, name) printf(
	    " %s", show_clean(w.s, sizeof(w.s), json_string_value(name)));
	putchar('\n');
	if (json_is_string(json_object_get(row, "problem")))
		printf("  NOT RENEWED: %s\n", text(&w, row, "problem"));
}

static void
print_certificates(const json_t *all)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(all, "certificates"), i, row)
	    print_certificate(row);
}

static void
print_rest(const json_t *all)
{
	struct word w;
	const json_t *row;
	const char *s;
	size_t i;

	json_array_foreach(json_object_get(all, "mail_roots"), i, row)
	    printf("mail root %s: %s\n", text(&w, row, "path"),
		json_is_true(json_object_get(row, "served"))
		    ? "served"
		    : "NOT SERVED, it is not mounted; see "
		      "malotectl(8), root accept");
	json_array_foreach(json_object_get(all, "unconfined"), i,
	    row) if ((s = json_string_value(row)) != NULL)
	    printf("not confined: %s\n", show_clean(w.s, sizeof(w.s), s));
}

static void
print_drains(const json_t *all)
{
	struct word version, pid, since, sessions;
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(all, "draining"), i, row)
	    printf("before: maloted %s, pid %s, since %s, ends with its "
		   "sessions: %s\n",
		text(&version, row, "version"), number(&pid, row, "pid", "?"),
		date(&since, row), number(&sessions, row, "sessions", "?"));
}

static void
print(const json_t *all)
{
	struct word version, pid, phase, since;

	printf("maloted %s, pid %s, %s, since %s\n",
	    text(&version, all, "version"), number(&pid, all, "pid", "?"),
	    text(&phase, all, "phase"), date(&since, all));
	print_drains(all);
	print_processes(all);
	print_counts(all);
	print_listeners(all);
	print_certificates(all);
	print_rest(all);
}

enum err
status(const struct options *o, const char *none, struct errbuf *eb)
{
	struct told t = { .call = { .tells = tells,
			      .n_tells = sizeof(tells) / sizeof(tells[0]) } };
	struct errbuf words;
	enum err e, e2;

	t.all = json_pack("{s:b,s:[],s:{},s:[],s:[],s:[],s:[],s:[]}", "running",
	    1, "processes", "counts", "listeners", "certificates", "mail_roots",
	    "unconfined", "draining");
	if (t.all == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	e = call_server(o, &t.call, CONTROL_STATUS, NULL, NULL, eb);
	if (e == E_CLOSED)
		json_object_set_new(t.all, "running", json_false());
	if (o->json && (e == E_OK || e == E_CLOSED)) {
		if ((e2 = show_json(t.all, &words)) != E_OK && e == E_OK) {
			*eb = words;
			e = e2;
		}
	} else if (e == E_OK) {
		print(t.all);
	}
	json_decref(t.all);
	return e;
}
