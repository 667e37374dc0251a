#include "client/command/test_sending.h"

#include <ev.h>
#include <stdio.h>

#include "client/report/report.h"

struct trying {
	const struct test_sending *t;
	struct submission_result *result;
};

static struct outbox_item *
on_next(void *arg)
{
	return NULL;
}

static void
on_done(void *arg, struct outbox_item *item)
{
}

static void
on_over(void *arg, const struct submission_result *r)
{
	struct trying *t = arg;

	*t->result = *r;
	ev_break(t->t->loop, EVBREAK_ALL);
}

static void
on_trace(void *arg, bool received, const char *line)
{
	struct trying *t = arg;

	t->t->trace(t->t->arg, received, line);
}

static void
try_once(struct trying *t, const struct account *a, bool anew)
{
	static const struct submission_hooks quiet = { on_next, on_done,
		on_over, NULL };
	static const struct submission_hooks loud = { on_next, on_done, on_over,
		on_trace };
	struct submission_conf conf = {
		.loop = t->t->loop,
		.dialer = t->t->dialer,
		.account = a,
		.state_dir = t->t->state_dir,
		.terminal = t->t->terminal,
		.anew = anew,
		.insist = true,
		.hooks = t->t->trace != NULL ? &loud : &quiet,
		.arg = t,
	};
	struct submission *s;
	struct errbuf eb;

	*t->result = (struct submission_result){ .outcome = OUTCOME_INTERNAL };
	if (submission_start(&s, &conf, &eb) == E_OK)
		ev_run(t->t->loop, 0);
	else
		snprintf(
		    t->result->words, sizeof(t->result->words), "%s", eb.text);
	submission_free(s);
}

/* A token may have expired; the next one is another. */
void
test_sending_run(const struct test_sending *t, const struct account *a,
    struct submission_result *result)
{
	struct trying trying = { t, result };

	try_once(&trying, a, false);
	if (result->refused_token && a->client != NULL)
		try_once(&trying, a, true);
}

json_t *
test_sending_json(const struct account *a, const struct submission_result *r)
{
	return json_pack("{s:s, s:i, s:o, s:i, s:s, s:s, s:s, s:s, s:o}",
	    "outcome", outcome_name(r->outcome), "exit_code",
	    outcome_exit_code(r->outcome), "server",
	    report_json_text(a->smtp.server), "port", (int)a->smtp.port,
	    "security", security_name(a->smtp.security), "tls",
	    r->tls[0] != '\0' ? r->tls : "none", "sign_in", r->sign_in, "cause",
	    cause_name(r->cause), "words", report_json_text(r->words));
}
