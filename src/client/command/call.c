#include "client/command/call.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "conf/text.h"

struct complaints {
	bool warns;
	json_t *errors;
};

static void
complain(void *arg, bool is_error, const char *words)
{
	struct complaints *c = arg;

	if (is_error || c->warns)
		say_error(words);
	if (is_error)
		json_array_append_new(c->errors, report_json_text(words));
}

static int
no_account(
    const struct options *o, const struct client_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n; i++)
		if (conf_distance(name, conf->v[i].name) <= 2)
			return failed_by(o, EX_USAGE,
			    _("there is no account %s in %s; did you mean %s?"),
			    name, conf->file, conf->v[i].name);
	return failed_by(
	    o, EX_USAGE, _("there is no account %s in %s"), name, conf->file);
}

/* Which accounts are meant.  -1: go on; else the exit code. */
static int
choose(const struct call *c, const struct client_conf *conf, bool *chosen)
{
	int n = c->n < c->command->accounts ? c->n : c->command->accounts;
	const struct account *a;

	for (size_t i = 0; i < conf->n; i++)
		chosen[i] = n == 0;
	for (int i = 0; i < n; i++) {
		if ((a = client_conf_find(conf, c->argument[i])) == NULL)
			return no_account(c->o, conf, c->argument[i]);
		chosen[a - conf->v] = true;
	}
	return -1;
}

/* Is there a terminal on which lines can be drawn anew? */
static bool
can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static enum report_kind
kind_of_report(const struct call *c)
{
	const struct options *o = c->o;

	if (option_is_given(o, OPT_JSON))
		return REPORT_JSON;
	if ((c->command->needs & IS_DAEMON) != 0 ||
	    option_is_given(o, OPT_CHANGES))
		return REPORT_CHANGES;
	if (option_is_given(o, OPT_QUIET))
		return REPORT_QUIET;
	return can_draw() && !option_is_given(o, OPT_VERBOSE) ? REPORT_BARS
							      : REPORT_LINES;
}

static int
fill_set(struct collect_set *set, const struct call *c)
{
	const struct options *o = c->o;
	struct complaints said = {
		(c->command->needs & IS_WARNED) != 0 &&
		    !option_is_given(o, OPT_QUIET),
		json_array(),
	};

	if (client_conf_load(&set->conf, o->conf, complain, &said) != E_OK)
		return failed(o, EX_CONFIG, said.errors);
	json_decref(said.errors);
	set->chosen = calloc(set->conf.n + 1, sizeof(*set->chosen));
	set->report = report_new(kind_of_report(c), &set->conf);
	if (set->chosen == NULL || set->report == NULL)
		return failed_by(o, EX_OSERR, "%s", _("out of memory"));
	return choose(c, &set->conf, set->chosen);
}

int
call_load(const struct call *c, struct collect_set **set_r)
{
	struct collect_set *set = calloc(1, sizeof(*set));
	int code;

	*set_r = set;
	if (set == NULL)
		return failed_by(c->o, EX_OSERR, "%s", _("out of memory"));
	if ((code = fill_set(set, c)) == -1)
		return -1;
	collect_set_free(set);
	*set_r = NULL;
	return code;
}
