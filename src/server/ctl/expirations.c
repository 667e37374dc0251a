/*
 * malotectl expire: what was told in a maildrop about mail that goes by itself,
 * and letting go on what is held back.
 */
#include <stdio.h>

#include "base/clock.h"
#include "server/ctl/call.h"
#include "server/ctl/show.h"

struct shown {
	struct call call; /* first */
	bool told;
	struct control_expire expire;
};

static enum err
take_expire(void *arg, struct ipc_in *in)
{
	struct shown *s = arg;

	if (s->told)
		return E_FORMAT;
	s->told = true;
	ipc_get_fields(in, &control_expire_fields, &s->expire);
	return ipc_get_end(in);
}

static const struct ipc_rule tells[] = {
	{ CONTROL_EXPIRE, 1, 0, CONTROL_ANSWER_MAX, take_expire },
};

static const char *const held[] = {
	[EXPIRE_HELD_NOT] = "no",
	[EXPIRE_HELD_CLOCK] = "clock",
	[EXPIRE_HELD_SHARE] = "share",
};

/* user: as a shell takes it. */
static void
print_held(const struct control_expire *x, const char *user)
{
	switch (x->held) {
	case EXPIRE_HELD_CLOCK:
		printf(
		    "held back:  the clock was set, or nobody looked for "
		    "days.\n"
		    "            If it is right now: malotectl expire accept "
		    "%s\n"
		    "            All mail has its days from then on.\n",
		    user);
		break;
	case EXPIRE_HELD_SHARE:
		printf("held back:  %u of %u messages would go.\n"
		       "            If they may: malotectl expire accept %s\n",
		    x->due, x->of, user);
		break;
	default: puts("held back:  nothing"); break;
	}
}

static void
print(const struct control_expire *x)
{
	char word[STR_SHELL_WORD(NAME_MAX_OCTETS)], at[CLOCK_DATE];

	printf("told:       %s, that mail stays for %u days\n",
	    show_clean(word, sizeof(word), x->user), x->days);
	printf("since:      %s\n", clock_date(at, x->since));
	printf("looked at:  %s\n", clock_date(at, x->looked));
	if (x->next > x->looked)
		printf("next:       %s at the earliest\n",
		    clock_date(at, x->next));
	print_held(x, str_shell_word(word, sizeof(word), x->user));
}

static json_t *
as_json(const struct control_expire *x)
{
	return json_pack("{s:o,s:i,s:I,s:I,s:I,s:s,s:i,s:i}", "user",
	    show_text(x->user), "days", (int)x->days, "since",
	    (json_int_t)x->since, "looked", (json_int_t)x->looked, "next",
	    (json_int_t)x->next, "held", held[x->held], "due", (int)x->due,
	    "of", (int)x->of);
}

enum err
expire_show(const struct options *o, const char *user, struct errbuf *eb)
{
	struct shown s = { .call = { .tells = tells, .n_tells = 1 } };
	enum err e =
	    call_server_about(o, &s.call, CONTROL_EXPIRE_SHOW, user, eb);
	json_t *j;

	if (e != E_OK)
		return e;
	if (!s.told)
		return err_set(eb, E_IO, "maloted said nothing");
	if (!o->json) {
		print(&s.expire);
		return E_OK;
	}
	j = as_json(&s.expire);
	e = show_json(j, eb);
	json_decref(j);
	return e;
}

enum err
expire_accept(const struct options *o, const char *user, struct errbuf *eb)
{
	struct call call = { .n_tells = 0 };
	enum err e =
	    call_server_about(o, &call, CONTROL_EXPIRE_ACCEPT, user, eb);

	if (e == E_OK)
		puts("Accepted; the next look at the maildrop goes by it.");
	return e;
}
