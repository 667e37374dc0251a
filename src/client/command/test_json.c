#include "client/command/test_json.h"

#include "client/report/report.h"

static const char *
verdict_name(enum trial_verdict v)
{
	static const char *const names[] = {
		[TRIAL_PASSED] = "passed",
		[TRIAL_NOTED] = "noted",
		[TRIAL_FAILED] = "failed",
	};

	return names[v];
}

json_t *
test_json_step(const struct trial_report *r)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "step",
	    trial_step_name(r->step), "verdict", verdict_name(r->verdict),
	    "words", report_json_text(r->words), "advice",
	    report_json_text(r->advice), "said", report_json_text(r->said),
	    "cause", cause_name(r->cause));
}

static json_t *
addresses(const struct facts *f)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < f->n_addresses; i++)
		json_array_append_new(all, json_string(f->addresses[i]));
	return all;
}

static json_t *
tls(const struct tls_found *t)
{
	if (t->version[0] == '\0' && t->fingerprint[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:s}", "version",
	    t->version, "cipher", t->cipher, "names",
	    report_json_text(t->names), "subject", report_json_text(t->subject),
	    "issuer", report_json_text(t->issuer), "from", t->from, "until",
	    t->until, "fingerprint", t->fingerprint);
}

static json_t *
number(bool is_known, uint64_t n)
{
	return is_known ? json_integer((json_int_t)n) : json_null();
}

json_t *
test_json_account(const struct account *a, enum outcome o, json_t *steps,
    const struct facts *f)
{
	return json_pack("{s:o, s:s, s:i, s:o, s:i, s:s, s:o, s:o, s:o, s:s, "
			 "s:o, s:o, s:o}",
	    "name", report_json_text(a->name), "outcome", outcome_name(o),
	    "exit_code", outcome_exit_code(o), "server",
	    report_json_text(a->server), "port", (int)a->port, "security",
	    security_name(a->security), "steps", steps, "addresses",
	    addresses(f), "tls", tls(&f->tls), "sign_in", f->sign_in, "left",
	    number(f->counted, f->count), "left_octets",
	    number(f->counted, f->octets), "space",
	    number(f->space != 0, f->space));
}
