/* malote list: what is on the server. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/command/commands.h"
#include "client/command/looks.h"
#include "client/message/size.h"
#include "client/report/columns.h"

enum {
	TEXT = 1024,
	NUMBER = 5, /* columns of each */
	DATE = 16,
	SIZE = 7,
	FROM = 24,
	WIDTH = 80, /* of a screen that does not say how wide it is */
};

/* ---- in words ---- */

static void
date_text(char out[TEXT], int64_t date)
{
	time_t t = (time_t)date;
	struct tm tm;

	out[0] = '\0';
	if (date != 0 && localtime_r(&t, &tm) != NULL)
		strftime(out, TEXT, "%Y-%m-%d %H:%M", &tm);
}

static const char *
here_text(const struct hand_item *h)
{
	if (h->message >= 0)
		return _("here");
	return h->action == PLAN_IDENTIFY ? "?" : _("new");
}

static int
here_width(void)
{
	int here = columns_of(_("here")), new = columns_of(_("new"));

	return here > new ? here : new;
}

static void
print_cut(const char *text, int width)
{
	char safe[TEXT], cut[TEXT];

	columns_safe(safe, sizeof(safe), text != NULL ? text : "");
	columns_print(columns_cut(cut, sizeof(cut), safe, width), width);
}

/* The subject has what is left of the line; all of it where nobody looks at a
 * screen. */
static void
print_item(const struct look *l, size_t i, int width)
{
	const struct hand_item *h = &look_items(l)->v[i];
	char number[16] = "-", size[REPORT_SIZE], text[TEXT];
	int here = here_width();
	int left = width - NUMBER - DATE - here - SIZE - FROM - 5;

	if (look_number(l, i) != 0)
		snprintf(number, sizeof(number), "%u", look_number(l, i));
	date_text(text, h->summary.date);
	printf("%*s %-*s ", NUMBER, number, DATE, text);
	columns_print(here_text(h), here);
	printf(" %*s ", SIZE, report_size(size, h->listed.size));
	print_cut(h->summary.from, FROM);
	putchar(' ');
	columns_safe(text, sizeof(text),
	    h->summary.subject != NULL ? h->summary.subject : "");
	if (width == 0)
		puts(text);
	else {
		char cut[TEXT];

		puts(columns_cut(cut, sizeof(cut), text, left > 8 ? left : 8));
	}
}

static void
print_list(const struct account *a, const struct look *l)
{
	const struct hand_items *all = look_items(l);

	if (all->n == 0)
		printf(_("%s: no messages on %s\n"), a->name, a->server);
	else
		printf(ngettext("%s: %zu message on %s\n",
			   "%s: %zu messages on %s\n", all->n),
		    a->name, all->n, a->server);
	for (size_t i = 0; i < all->n; i++)
		print_item(l, i, columns_there());
}

/* ---- as JSON ---- */

static json_t *
text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? report_json_text(text)
					       : json_null();
}

static json_t *
json_item(const struct look *l, size_t i)
{
	const struct hand_item *h = &look_items(l)->v[i];
	uint32_t number = look_number(l, i);

	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:I, s:o}", "number",
	    number != 0 ? json_integer(number) : json_null(), "msgno",
	    (json_int_t)h->listed.msgno, "date", (json_int_t)h->summary.date,
	    "from", text_or_null(h->summary.from), "subject",
	    text_or_null(h->summary.subject), "size",
	    (json_int_t)h->listed.size, "here",
	    h->message < 0 && h->action == PLAN_IDENTIFY
		? json_null()
		: json_boolean(h->message >= 0));
}

static json_t *
json_list(const struct account *a, const struct look *l)
{
	json_t *account = looks_json(a, l), *messages = json_array();

	for (size_t i = 0; i < look_items(l)->n; i++)
		json_array_append_new(messages, json_item(l, i));
	json_object_set_new(account, "messages", messages);
	return account;
}

int
cmd_list(struct call *call)
{
	const struct client_conf *conf = &call->set->conf;
	struct looks k;
	int code = looks_begin(&k, call);

	if (code != -1)
		return code;
	for (size_t i = 0; i < conf->n; i++) {
		struct look *l;

		if (!call->set->chosen[i] ||
		    (l = looks_at(&k, i, HAND_SHOW, NULL, 0)) == NULL)
			continue;
		if (k.json != NULL)
			json_array_append_new(
			    k.json, json_list(&conf->v[i], l));
		else if (look_outcome(l) == OUTCOME_OK)
			print_list(&conf->v[i], l);
		look_free(l);
	}
	return looks_end(&k);
}
