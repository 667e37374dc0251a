/*
 * malotectl maildrop: which messages there are, what one is, and whether all is
 * well.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/ctl/show.h"
#include "server/ctl/told.h"
#include "server/ctl/who.h"

/* ---- list ---- */

struct listed {
	struct call call; /* first */
	bool json;
	uint32_t last;
	json_t *all;
};

/* "<id>" as it stands there, or nothing. */
static void
print_one(const struct control_message *m)
{
	char when[CLOCK_DATE] = "-", uid[128], id[512];

	if (m->date != 0)
		clock_date(when, m->date);
	printf("%6u %12llu  %-16s %-32s %s\n", m->number,
	    (unsigned long long)m->octets, when,
	    show_clean(uid, sizeof(uid), m->uid),
	    show_clean(id, sizeof(id), m->id));
}

static json_t *
row(const struct control_message *m)
{
	return json_pack("{s:I,s:o,s:I,s:o,s:o}", "number",
	    (json_int_t)m->number, "unique_id", show_text(m->uid), "octets",
	    (json_int_t)m->octets, "date",
	    m->date != 0 ? json_integer(m->date) : json_null(), "message_id",
	    show_text(m->id));
}

/* Numbers go up, so there is an end to them. */
static enum err
take_messages(void *arg, struct ipc_in *in)
{
	static struct control_messages m;
	struct listed *l = arg;

	memset(&m, 0, sizeof(m));
	ipc_get_fields(in, &control_messages_fields, &m);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	for (unsigned i = 0; i < m.n; i++) {
		if (m.message[i].number <= l->last)
			return E_FORMAT;
		l->last = m.message[i].number;
		if (!l->json)
			print_one(&m.message[i]);
		else if (json_array_append_new(l->all, row(&m.message[i])) < 0)
			return E_NOMEM;
	}
	return E_OK;
}

static const struct ipc_rule tells[] = {
	{ CONTROL_MESSAGES, 1, 0, CONTROL_MESSAGES_MAX, take_messages },
};

enum err
maildrop_list(const struct options *o, const char *name, struct errbuf *eb)
{
	struct listed l = { .call = { .tells = tells, .n_tells = 1 },
		.json = o->json,
		.all = json_array() };
	struct control_number n = { .number = 0 };
	enum err e = who_called(o, name, n.user, eb);

	if (e == E_OK)
		e = call_server(o, &l.call, CONTROL_MAILDROP_LIST,
		    &control_number_fields, &n, eb);
	if (e == E_OK && o->json)
		e = show_json(l.all, eb);
	json_decref(l.all);
	return e;
}

/* ---- show ---- */

static enum err
number_of(const char *text, uint32_t *n_r, struct errbuf *eb)
{
	uint64_t n;

	if (!str_to_u64((struct slice){ text, strlen(text) }, &n) || n == 0 ||
	    n > UINT32_MAX)
		return err_set(eb, E_FORMAT,
		    "which message is said by its number, from 1 on");
	*n_r = (uint32_t)n;
	return E_OK;
}

static enum err
ask(const struct options *o, enum control_type command, const char *name,
    const char *number, json_t **all_r, struct errbuf *eb)
{
	struct control_number n = { .number = 0 };
	enum err e = who_called(o, name, n.user, eb);

	*all_r = NULL;
	if (e == E_OK && number != NULL)
		e = number_of(number, &n.number, eb);
	return e != E_OK ? e
			 : told_ask(o, command, &control_number_fields, &n,
			       number == NULL ? "problems" : NULL, all_r, eb);
}

enum err
maildrop_show(const struct options *o, const char *name, struct errbuf *eb)
{
	json_t *all;
	enum err e = ask(o, CONTROL_MAILDROP_SHOW, name, o->second, &all, eb);

	if (e == E_OK && o->json)
		e = show_json(all, eb);
	else if (e == E_OK)
		told_print(all);
	json_decref(all);
	return e;
}

/* ---- check ---- */

static void
print_problems(const json_t *all)
{
	char what[600], problem[600];
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(all, "problems"), i, v)
	    printf("%s: %s\n", told_word(what, sizeof(what), v, "what"),
		told_word(problem, sizeof(problem), v, "problem"));
}

enum err
maildrop_check(const struct options *o, const char *name, struct errbuf *eb)
{
	json_t *all;
	enum err e = ask(o, CONTROL_MAILDROP_CHECK, name, NULL, &all, eb);

	if (e == E_OK && o->json) {
		e = show_json(all, eb);
	} else if (e == E_OK) {
		told_print(all);
		print_problems(all);
	}
	json_decref(all);
	return e;
}
