#include "server/ctl/told.h"

#include <stdio.h>
#include <string.h>

#include "server/ctl/show.h"

enum { ROWS_MAX = 1024, FACTS_MAX = 64 /* of a row */ };

struct told {
	struct call call; /* first */
	json_t *all, *rows;
};

/* What the row's facts are put into: it is the last one, or begins the next. */
static json_t *
row_of(struct told *t, const struct control_fact *f)
{
	size_t n = json_array_size(t->rows);

	if (f->row == 0)
		return t->all;
	if (f->row > ROWS_MAX || f->row < n || f->row > n + 1)
		return NULL;
	if (f->row == n + 1)
		json_array_append_new(t->rows, json_object());
	return json_array_get(t->rows, f->row - 1u);
}

static json_t *
value_of(const struct control_fact *f)
{
	switch (f->kind) {
	case FACT_NUMBER: return json_integer(f->number);
	case FACT_FLAG: return json_boolean(f->number != 0);
	default: return show_text(f->text);
	}
}

static enum err
take_fact(void *arg, struct ipc_in *in)
{
	struct control_fact f = { .row = 0 };
	struct told *t = arg;
	char name[sizeof(f.name) * 4];
	json_t *row;

	ipc_get_fields(in, &control_fact_fields, &f);
	if (ipc_get_end(in) != E_OK || (row = row_of(t, &f)) == NULL ||
	    json_object_size(row) >= FACTS_MAX)
		return E_FORMAT;
	str_escape(name, sizeof(name), f.name, strlen(f.name));
	/* Nothing is told twice. */
	if (json_object_get(row, name) != NULL)
		return E_FORMAT;
	return json_object_set_new(row, name, value_of(&f)) == 0 ? E_OK
								 : E_NOMEM;
}

static const struct ipc_rule tells[] = {
	{ CONTROL_FACT, 1, 0, CONTROL_ANSWER_MAX, take_fact },
};

enum err
told_ask(const struct options *o, enum control_type command,
    const struct ipc_fields *fields, const void *from, const char *list,
    json_t **all_r, struct errbuf *eb)
{
	struct told t = { .call = { .tells = tells, .n_tells = 1 },
		.all = json_object(),
		.rows = json_array() };
	enum err e;

	*all_r = t.all;
	if (t.all == NULL || t.rows == NULL) {
		json_decref(t.rows);
		return err_set(eb, E_NOMEM, "out of memory");
	}
	e = call_server(o, &t.call, command, fields, from, eb);
	if (list != NULL)
		json_object_set(t.all, list, t.rows);
	json_decref(t.rows);
	return e;
}

const char *
told_word(char *out, size_t size, const json_t *row, const char *name)
{
	const json_t *v = json_object_get(row, name);

	if (json_is_integer(v))
		snprintf(out, size, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
	else if (json_is_string(v))
		show_clean(out, size, json_string_value(v));
	else
		snprintf(out, size, "-");
	return out;
}

void
told_print(const json_t *all)
{
	char word[MAIL_PATH_MAX], label[32];
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)all, name, v)
	{
		if (json_is_array(v))
			continue;
		snprintf(label, sizeof(label), "%s:", name);
		printf("%-10s %s\n", label,
		    told_word(word, sizeof(word), all, name));
	}
}
