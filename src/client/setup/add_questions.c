#include "client/setup/add_questions.h"

#include <ctype.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "client/conf/value.h"
#include "client/setup/keep.h"
#include "client/setup/talk.h"
#include "client/setup/trial_place.h"

enum { ROOM = 512 };

/* ---- what stays on the server ---- */

/* A word that merely begins like "no" may mean the opposite: "never delete". */
static bool
is_no(const char *answer)
{
	static const char *const words[] = { "n", "no", "nao", "n\u00e3o",
		"N\u00c3O" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(answer, words[i]) == 0)
			return true;
	return false;
}

/* "30" and "30 days" mean "30d"; yes and no in the person's language. */
static void
plain_keep(char out[32], const char *answer)
{
	size_t digits = strspn(answer, "0123456789");
	const char *unit = answer + digits + strspn(answer + digits, " ");

	if (digits == 0 && (strchr("yY", answer[0]) != NULL ||
			       strchr(_("yY"), answer[0]) != NULL))
		snprintf(out, 32, "yes");
	else if (is_no(answer))
		snprintf(out, 32, "no");
	else if (digits != 0 && digits < 8 &&
		 (*unit == '\0' || tolower((unsigned char)*unit) == 'd'))
		snprintf(out, 32, "%.*sd", (int)digits, answer);
	else
		snprintf(out, 32, "%s", answer);
}

static bool
ask_keep(struct adding *a)
{
	char *keep = a->draft.keep, answer[32];
	struct errbuf eb;
	int64_t value;

	talk_print("\n%s\n%s\n%s\n%s\n",
	    _("What happens to messages on the server once they are here?"),
	    _("  yes   they stay there"), _("  no    they are deleted there"),
	    _("  30d   they are deleted there after 30 days"));
	for (;;) {
		snprintf(answer, sizeof(answer), "yes");
		if (!talk_ask(answer, sizeof(answer),
			_("Keep them there (Enter: yes): ")))
			return adding_leave(a);
		plain_keep(keep, answer);
		if (value_keep(NULL, "keep", &value, keep, &eb) == E_OK)
			return true;
		talk_say("", "%s",
		    _("Write yes, no, or a number of days, as in 30d."));
	}
}

bool
adding_keep(struct adding *a)
{
	const char *given = a->r->keep;

	if (given == NULL && a->r->terminal)
		return ask_keep(a);
	snprintf(a->draft.keep, sizeof(a->draft.keep), "%s",
	    given != NULL ? given : "yes");
	return true;
}

/* ---- where the mail goes ---- */

/* A path alone means a Maildir, or the mbox that is there; one that does not
 * begin with / or ~ is the person's, below the home. */
static void
plain_deliver(char out[DRAFT_TEXT], const char *answer)
{
#define ROW(KIND, name, form) #name ":",
	static const char *const kinds[] = { DEST_KINDS(ROW) };
#undef ROW
	const char *home = getenv("HOME");
	char path[DRAFT_TEXT];
	struct stat st;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncasecmp(answer, kinds[i], strlen(kinds[i])) == 0) {
			snprintf(out, DRAFT_TEXT, "%s", answer);
			return;
		}
	answer += strncmp(answer, "~/", 2) == 0 ? 2 : 0;
	if (answer[0] == '/')
		snprintf(path, sizeof(path), "%s", answer);
	else
		snprintf(path, sizeof(path), "%s/%s", home != NULL ? home : "",
		    answer);
	snprintf(out, DRAFT_TEXT, "%s%s%s",
	    stat(path, &st) == 0 && S_ISREG(st.st_mode) ? "mbox:" : "maildir:",
	    answer[0] == '/' ? "" : "~/", answer);
}

struct placing {
	bool over;
	enum err e;
	char words[ROOM];
};

static void
on_place(void *arg, enum err e, const char *words)
{
	struct placing *p = arg;

	p->over = true;
	p->e = e;
	snprintf(p->words, sizeof(p->words), "%s", words);
}

/* Would it take mail?  False: words say why not. */
static bool
try_place(struct adding *a, char words[ROOM])
{
	struct placing p = { .over = false };
	struct client_conf conf;
	const struct account *new;
	struct trial_place *trial;
	struct errbuf eb;

	if (!adding_account(a, &conf, &new, &eb)) {
		snprintf(words, ROOM, "%s", eb.text);
		return false;
	}
	trial = trial_place_start(
	    a->loop, new, a->r->state_dir, true, on_place, &p);
	while (trial != NULL && !p.over)
		ev_run(a->loop, EVRUN_ONCE);
	trial_place_free(trial);
	client_conf_free(&conf);
	snprintf(words, ROOM, "%s", p.words);
	return trial != NULL && p.e == E_OK;
}

static bool
ask_deliver(struct adding *a)
{
	char usual[DRAFT_TEXT], answer[DRAFT_TEXT], question[DRAFT_TEXT + 64];
	char words[ROOM];

	talk_print("\n");
	talk_say("", "%s",
	    _("Where shall the mail go? A folder becomes a Maildir, which "
	      "most mail programs can open; mbox:FILE, command:PROGRAM and "
	      "lmtp:PLACE are possible, too (man malote.conf)."));
	snprintf(usual, sizeof(usual), "~/Mail/%s", a->draft.name);
	snprintf(question, sizeof(question), _("Folder (Enter: %s): "), usual);
	for (;;) {
		snprintf(answer, sizeof(answer), "%s", usual);
		if (!talk_ask(answer, sizeof(answer), question))
			return adding_leave(a);
		plain_deliver(a->draft.deliver, answer);
		if (try_place(a, words))
			return true;
		talk_say("", "%s", words);
	}
}

bool
adding_deliver(struct adding *a)
{
	char *deliver = a->draft.deliver, words[ROOM];

	if (a->r->deliver == NULL && a->r->terminal)
		return ask_deliver(a);
	if (a->r->deliver != NULL)
		snprintf(deliver, DRAFT_TEXT, "%s", a->r->deliver);
	else
		snprintf(
		    deliver, DRAFT_TEXT, "maildir:~/Mail/%s", a->draft.name);
	return try_place(a, words) || adding_fail(a, EX_CANTCREAT, "%s", words);
}

/* ---- where the password is kept ---- */

static bool
keep_in(struct adding *a, enum keep_place p, struct errbuf *eb)
{
	struct client_conf conf;
	const struct account *new;
	enum err e;

	if (p == KEEP_NOWHERE)
		snprintf(a->result->password, sizeof(a->result->password), "%s",
		    a->draft.value);
	if (!adding_account(a, &conf, &new, eb))
		return false;
	e = keep_password(p, &a->draft, &conf, new, eb);
	client_conf_free(&conf);
	return e == E_OK;
}

static bool
ask_place(struct adding *a)
{
	enum keep_place v[KEEP_PLACES];
	char answer[16], question[64];
	struct errbuf eb;
	unsigned n = 0, which;

	talk_print("\n%s\n", _("Where shall the password be kept?"));
	for (int p = 0; p < KEEP_PLACES; p++)
		if (keep_is_here((enum keep_place)p)) {
			v[n++] = (enum keep_place)p;
			talk_print(
			    "  %u  %s\n", n, keep_title((enum keep_place)p));
		}
	snprintf(question, sizeof(question), _("1 to %u (Enter: 1): "), n);
	for (;;) {
		snprintf(answer, sizeof(answer), "1");
		if (!talk_ask(answer, sizeof(answer), question))
			return adding_leave(a);
		which = answer[1] == '\0' ? (unsigned)(answer[0] - '0') : 0;
		if (which < 1 || which > n)
			continue;
		if (keep_in(a, v[which - 1], &eb))
			return true;
		talk_say("", "%s", eb.text);
	}
}

/* KEEP_PLACES: there is no such word. */
static enum keep_place
place_of(const char *word)
{
	int p = 0;

	while (
	    p < KEEP_PLACES && strcmp(word, keep_word((enum keep_place)p)) != 0)
		p++;
	return (enum keep_place)p;
}

bool
adding_place(struct adding *a)
{
	const char *given = a->r->keep_password;
	struct errbuf eb;

	if (a->draft.secret != DRAFT_PASSWORD)
		return true;
	if (given == NULL)
		return ask_place(a);
	return keep_in(a, place_of(given), &eb) ||
	       adding_fail(a, EX_CONFIG, "%s", eb.text);
}

/* ---- those that the command line answers ---- */

/* NULL: each has room in the draft. */
static const char *
too_long(const struct add_request *r)
{
	const struct draft *d;
	const struct {
		const char *text;
		size_t room;
	} v[] = {
		{ r->keep, sizeof(d->keep) },
		{ r->deliver, sizeof(d->deliver) },
		{ r->fingerprint, sizeof(d->fingerprint) },
		{ r->ca_file, sizeof(d->ca_file) },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (v[i].text != NULL && strlen(v[i].text) >= v[i].room)
			return v[i].text;
	return NULL;
}

bool
adding_answers(struct adding *a)
{
	const struct add_request *r = a->r;
	const char *long_one = too_long(r);
	struct errbuf eb;
	int64_t value;

	if (long_one != NULL)
		return adding_fail(
		    a, EX_USAGE, _("that is too long: %.60s..."), long_one);

	if (r->keep != NULL &&
	    value_keep(NULL, "--keep", &value, r->keep, &eb) != E_OK)
		return adding_fail(a, EX_USAGE, "%s", eb.text);
	if (r->keep_password != NULL &&
	    place_of(r->keep_password) == KEEP_PLACES)
		return adding_fail(a, EX_USAGE, "%s",
		    _("--keep-password is one of keyring, pass, file and "
		      "ask"));
	return true;
}
