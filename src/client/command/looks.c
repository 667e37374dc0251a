#include "client/command/looks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/oauth/renew.h"
#include "client/secret/secret.h"
#include "net/dial.h"

static void
on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	ev_signal_stop(loop, w); /* the next one ends it at once */
	secret_restore_terminal();
	oauth_renew_finish();
	_exit(128 + w->signum);
}

int
looks_begin(struct looks *k, struct call *call)
{
	struct errbuf eb;

	*k = (struct looks){
		.call = call,
		.loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV),
	};
	if (dialer_new(&k->dialer, k->loop, &eb) != E_OK)
		return failed_by(call->o, EX_OSERR, "%s", eb.text);
	if (option_is_given(call->o, OPT_JSON))
		k->json = json_array();
	ev_signal_init(&k->interrupt, on_signal, SIGINT);
	ev_signal_start(k->loop, &k->interrupt);
	ev_signal_init(&k->terminate, on_signal, SIGTERM);
	ev_signal_start(k->loop, &k->terminate);
	return -1;
}

int
looks_end(struct looks *k)
{
	json_t *all;

	ev_signal_stop(k->loop, &k->interrupt);
	ev_signal_stop(k->loop, &k->terminate);
	dialer_free(k->dialer);
	if (k->json == NULL)
		return k->code;
	all = json_pack("{s:i, s:i, s:[], s:o}", "malote", 1, "exit_code",
	    k->code, "errors", "accounts", k->json);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return k->code;
}

static void
trace(void *arg, bool received, const char *line)
{
	printf("%s %s\n", received ? "<" : ">", line);
}

static void
say_failure(void *arg, const char *words)
{
	fprintf(stderr, "malote: %s: %s\n", (const char *)arg, words);
}

struct look *
looks_at(struct looks *k, size_t index, enum hand hand,
    const struct chosen *chosen, size_t n_chosen)
{
	const struct options *o = k->call->o;
	const struct client_conf *conf = &k->call->set->conf;
	struct look_conf look = {
		.loop = k->loop,
		.dialer = k->dialer,
		.conf = conf,
		.index = index,
		.state_dir = o->state,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) &&
			    k->json == NULL,
		.hand = hand,
		.chosen = chosen,
		.n_chosen = n_chosen,
		.trace = option_is_given(o, OPT_VERBOSE) && k->json == NULL
			     ? trace
			     : NULL,
		.mistyped = say_failure,
		.arg = conf->v[index].name,
	};
	struct look *l = look_run(&look);

	if (l == NULL) {
		k->code = failed_by(o, EX_OSERR, "%s", _("out of memory"));
		return NULL;
	}
	if (k->code == EX_OK)
		k->code = outcome_exit_code(look_outcome(l));
	if (look_outcome(l) != OUTCOME_OK)
		say_failure(conf->v[index].name, look_words(l));
	return l;
}

json_t *
looks_json(const struct account *a, const struct look *l)
{
	return json_pack("{s:o, s:s, s:i, s:o}", "name",
	    report_json_text(a->name), "outcome", outcome_name(look_outcome(l)),
	    "exit_code", outcome_exit_code(look_outcome(l)), "error",
	    report_json_text(look_words(l)));
}

static bool
has_number(const uint32_t *v, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == number)
			return true;
	return false;
}

/* Each once, however often it was typed: *n_r.  The caller's; NULL: *code_r is the
 * exit code. */
static uint32_t *
numbers(const struct call *call, size_t *n_r, int *code_r)
{
	size_t typed = (size_t)call->n - 1;
	uint32_t *v = calloc(typed + 1, sizeof(*v)), number;

	if (v == NULL) {
		*code_r =
		    failed_by(call->o, EX_OSERR, "%s", _("out of memory"));
		return NULL;
	}
	*n_r = 0;
	for (size_t i = 0; i < typed; i++) {
		const char *word = call->argument[i + 1];
		struct slice digits = { word, strlen(word) };

		if (str_to_u32(digits, &number) && number != 0) {
			if (!has_number(v, *n_r, number))
				v[(*n_r)++] = number;
			continue;
		}
		free(v);
		*code_r =
		    mistyped(call->o, _("%s is no number of a message"), word);
		return NULL;
	}
	return v;
}

size_t
looks_index(const struct call *call)
{
	size_t i = 0;

	while (!call->set->chosen[i])
		i++;
	return i;
}

int
looks_known(const struct call *call, struct numbered **v_r, size_t *n_r)
{
	const struct client_conf *conf = &call->set->conf;
	size_t index = looks_index(call);
	struct errbuf eb;
	uint32_t *v;
	enum err e;
	int code;

	*v_r = NULL;
	if ((v = numbers(call, n_r, &code)) == NULL)
		return code;
	e = look_chosen(conf, index, call->o->state, v, *n_r, v_r, &eb);
	free(v);
	if (e == E_OK)
		return -1;
	return failed_by(call->o, e == E_NOENT ? EX_USAGE : EX_TEMPFAIL,
	    "%s: %s", conf->v[index].name, eb.text);
}

struct chosen *
looks_chosen(const struct numbered *v, size_t n)
{
	struct chosen *c = calloc(n + 1, sizeof(*c));

	for (size_t i = 0; c != NULL && i < n; i++)
		c[i] = (struct chosen){
			.number = v[i].number,
			.key = v[i].key,
			.size = v[i].size,
			.has_header = v[i].has_header,
			.header = v[i].header,
		};
	return c;
}
