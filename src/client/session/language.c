/* UTF8 and LANG (RFC 6856), where they are offered. */
#include "client/session/language.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <time.h>

#include "client/session/steps.h"

enum { TAG_MAX = 16, REMEMBER = 30 * 24 * 3600 /* seconds */ };

/* "pt-BR" of "pt_BR.UTF-8".  False: there is none, or what the server says in
 * UTF-8 could not be shown. */
static bool
tag_of_locale(char tag[TAG_MAX])
{
	const char *locale = setlocale(LC_MESSAGES, NULL);
	size_t n = locale != NULL ? strcspn(locale, ".@") : 0;

	if (n < 2 || n >= TAG_MAX || strncmp(locale, "POSIX", n) == 0 ||
	    strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		tag[i] = locale[i] == '_' ? '-' : locale[i];
	tag[n] = '\0';
	return true;
}

/* Without codes, words in another language than English would say nothing to
 * us. */
static bool
ask_language(struct visit *v)
{
	const struct pop3_capa *capa = &v->pop3.capa;
	char tag[TAG_MAX];

	return capa->lang && capa->resp_codes && capa->auth_resp_code &&
	       tag_of_locale(tag) &&
	       visit_sent(v, pop3_client_lang(&v->pop3, &v->line.out, tag));
}

static bool
ask_utf8(struct visit *v)
{
	return v->pop3.capa.utf8 && line_is_open(&v->line) &&
	       visit_sent(
		   v, pop3_client_send(&v->pop3, &v->line.out, POP3_CMD_UTF8));
}

void
language_enter(struct visit *v)
{
	/* Nothing of it is secret: without TLS, too. */
	bool ahead = v->pop3.capa.pipelining && !visit_is_distrusted(v);
	bool asked = false;

	if (!visit_does_without(v->record->account.no_utf8_until)) {
		asked = ask_language(v);
		if (!asked || ahead)
			asked |= ask_utf8(v);
	}
	if (!line_is_open(&v->line))
		return;
	if (asked && ahead)
		v->was_pipelined = true;
	if (!asked || ahead)
		visit_enter(v, STEP_SIGN_IN);
}

bool
language_answered(struct visit *v, const struct pop3_event *ev)
{
	if (ev->cmd == POP3_CMD_UTF8)
		v->record->account.no_utf8_until =
		    ev->type == POP3_EV_OK ? 0 : time(NULL) + REMEMBER;
	return ev->cmd == POP3_CMD_UTF8 || ev->cmd == POP3_CMD_LANG;
}

/* One at a time. */
void
language_take(struct visit *v, const struct pop3_event *ev)
{
	language_answered(v, ev);
	if (ev->cmd == POP3_CMD_LANG && ask_utf8(v))
		return;
	if (line_is_open(&v->line))
		visit_enter(v, STEP_SIGN_IN);
}

void
language_leave(struct visit *v, enum step next)
{
	if (v->broken[0] != '\0')
		visit_lost_at(v, &v->record->account.no_utf8_until, false);
	sign_in_leave(v, next);
}
