/*
 * malotectl user show, user test, auth failures: what the auth process of the
 * server that runs knows.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/ctl/ask.h"
#include "server/ctl/show.h"
#include "server/ctl/told.h"

/* Takes what was told. */
static enum err
show(const struct options *o, json_t *all, void (*print)(const json_t *all),
    struct errbuf *eb)
{
	enum err e = E_OK;

	if (o->json)
		e = show_json(all, eb);
	else
		print(all);
	json_decref(all);
	return e;
}

/* ---- user show ---- */

/* Where there are databases: what each of them said. */
static void
print_user(const json_t *all)
{
	char users[256], ms[32], answer[512];
	const json_t *row;
	size_t i;

	told_print(all);
	json_array_foreach(json_object_get(all, "asked"), i, row)
	{
		printf("%s%-20s %6s ms  %s\n",
		    i == 0 && json_object_size(all) > 1 ? "\n" : "",
		    told_word(users, sizeof(users), row, "users"),
		    told_word(ms, sizeof(ms), row, "milliseconds"),
		    told_word(answer, sizeof(answer), row, "answer"));
	}
}

enum err
user_show(const struct options *o, const char *user, struct errbuf *eb)
{
	struct control_about about;
	struct errbuf words;
	json_t *all = NULL;
	enum err e = call_about(&about, user, eb), e2 = E_OK;

	if (e != E_OK)
		return e;
	e = told_ask(o, CONTROL_USER_SHOW, &control_about_fields, &about,
	    "asked", &all, eb);
	/* Who has no user of that name, or does not answer, is worth to know. */
	if (e != E_OK && json_array_size(json_object_get(all, "asked")) == 0)
		json_decref(all);
	else if ((e2 = show(o, all, print_user, &words)) != E_OK)
		*eb = words;
	return e2 != E_OK ? e2 : e;
}

/* ---- user test ---- */

static void
print_possible(const json_t *all)
{
	char mechanism[64], why[256];
	const json_t *row;
	size_t i;

	told_print(all);
	putchar('\n');
	json_array_foreach(json_object_get(all, "mechanisms"), i, row)
	{
		bool can = json_is_true(json_object_get(row, "possible"));

		printf("%-18s %s%s\n",
		    told_word(mechanism, sizeof(mechanism), row, "mechanism"),
		    can ? "yes" : "no: ",
		    can ? "" : told_word(why, sizeof(why), row, "why_not"));
	}
}

enum err
user_test(const struct options *o, const char *user, struct errbuf *eb)
{
	struct control_credentials c = { .what = "" };
	char password[ASK_ROOM] = "";
	struct errbuf words;
	json_t *all = NULL;
	enum err e, e2 = E_OK;

	if (strlen(user) >= sizeof(c.what))
		return err_set(eb, E_FORMAT, "this name is too long");
	if ((e = ask_password_once(password, eb)) != E_OK)
		return e;
	snprintf(c.what, sizeof(c.what), "%s", user);
	memcpy(c.password, password, sizeof(c.password));
	e = told_ask(o, CONTROL_USER_TEST, &control_credentials_fields, &c,
	    "mechanisms", &all, eb);
	explicit_bzero(&c, sizeof(c));
	explicit_bzero(password, sizeof(password));
	/* A wrong password is an error, and there is something to know of it. */
	if (json_array_size(json_object_get(all, "mechanisms")) == 0)
		json_decref(all);
	else if ((e2 = show(o, all, print_possible, &words)) != E_OK)
		*eb = words;
	return e2 != E_OK ? e2 : e;
}

/* ---- auth failures ---- */

static void
print_failure(const json_t *row)
{
	char address[64], user[256], target[256], times[16], why[64];
	char when[CLOCK_DATE];
	json_int_t ms = json_integer_value(json_object_get(row, "delay_ms"));

	clock_date(when, json_integer_value(json_object_get(row, "last")));
	told_word(target, sizeof(target), row, "target");
	printf("%-16s %8s %6lld.%lld s  %-16s %-14s %s%s%s\n", when,
	    told_word(times, sizeof(times), row, "failures"),
	    (long long)(ms / 1000), (long long)(ms % 1000 / 100),
	    told_word(address, sizeof(address), row, "address"),
	    told_word(why, sizeof(why), row, "why"),
	    told_word(user, sizeof(user), row, "user"),
	    target[0] != '\0' ? " for " : "", target);
}

static void
print_failures(const json_t *all)
{
	const json_t *row;
	size_t i;

	printf("%-16s %8s %10s  %-16s %-14s %s\n", "last", "failures", "delay",
	    "address", "why", "user");
	json_array_foreach(json_object_get(all, "failures"), i, row)
	    print_failure(row);
}

enum err
auth_failures(const struct options *o, const char *none, struct errbuf *eb)
{
	json_t *all = NULL;
	enum err e = told_ask(
	    o, CONTROL_AUTH_FAILURES, NULL, NULL, "failures", &all, eb);

	if (e == E_OK)
		return show(o, all, print_failures, eb);
	json_decref(all);
	return e;
}
