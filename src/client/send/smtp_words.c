#include "client/send/smtp_words.h"

#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/send/smtp.h"

#define TOO_LARGE \
	N_("the message is too large for this server: leave something out, " \
	   "or " \
	   "send a link to it")
#define NOT_OURS \
	N_("this server sends from addresses of its own domain only: does " \
	   "the " \
	   "account in use have the address in From?")

/* By the status (RFC 3463; RFC 7372, 8616 and others), and the phases in which it means that; the first one that fits. */
static const struct {
	const char *status;
	unsigned phases; /* 0: any */
	const char *advice;
} by_status[] = {
	{ "5.1.1", 0,
	    N_("there is no such address: is it spelt as its owner writes "
	       "it?") },
	{ "5.1.2", 0, N_("there is no such domain: is it spelt right?") },
	{ "5.1.3", 0, N_("that is not written as an address is") },
	{ "5.1.6", 0,
	    N_("the address has moved: ask its owner for the new "
	       "one") },
	{ "5.1.8", 0, NOT_OURS },
	{ "5.1.10", 0, N_("the domain of that address takes no mail") },
	{ "5.2.1", 0, N_("that mailbox is closed") },
	{ "5.2.2", 0,
	    N_("that mailbox is full: reach its owner in another "
	       "way") },
	{ "5.2.3", 0, TOO_LARGE },
	{ "5.3.4", 0, TOO_LARGE },
	{ "5.4.5", 0,
	    N_("that was more than the provider lets you send in a day: wait "
	       "until tomorrow, then malote outbox retry ID") },
	{ "5.4.6", 0,
	    N_("the mail goes round in a circle there: tell who runs "
	       "that server") },
	{ "5.6.7", 0,
	    N_("that server does not take addresses or headers with letters "
	       "beyond ASCII: use an address without them") },
	{ "5.7.0", 1 << SMTP_MAIL | 1 << SMTP_RCPT,
	    N_("the server wants you to sign in first: does it do so at port "
	       "465 or 587? (smtp_port)") },
	{ "5.7.1", 1 << SMTP_MAIL, NOT_OURS },
	{ "5.7.1", 1 << SMTP_RCPT,
	    N_("the server does not send there for you: are smtp_server and "
	       "smtp_user those of this account?") },
	{ "5.7.1", 1 << SMTP_DATA | 1 << SMTP_BODY,
	    N_("the server does not like what the message holds, or its "
	       "sender: is From your address at this provider?") },
	{ "5.7.23", 0, NOT_OURS },
	{ "5.7.26", 0, NOT_OURS },
	{ "5.7.60", 0, NOT_OURS },
	{ "4.2.2", 0, N_("that mailbox is full") },
	{ "4.5.3", 0,
	    N_("it takes fewer recipients at a time; the others "
	       "follow by themselves") },
};

static const struct {
	unsigned code;
	const char *advice;
} by_code[] = {
	{ 552, TOO_LARGE },
	{ 553, N_("that is not written as an address is, or it is not one that "
		  "you may send from") },
};

static const char *
advice_of(const struct smtp *s)
{
	const struct smtp_reply *r = &s->reply;

	for (size_t i = 0; i < sizeof(by_status) / sizeof(by_status[0]); i++) {
		unsigned phases = by_status[i].phases;

		if (strcmp(r->status, by_status[i].status) == 0 &&
		    (phases == 0 || (phases & 1u << s->phase) != 0))
			return _(by_status[i].advice);
	}
	for (size_t i = 0; i < sizeof(by_code) / sizeof(by_code[0]); i++)
		if (r->code == by_code[i].code && r->status[0] == '\0')
			return _(by_code[i].advice);
	return "";
}

/* Without a code it is ours to say. */
char *
smtp_words(char out[SMTP_WORDS], const struct smtp *s)
{
	const struct smtp_reply *r = &s->reply;
	const char *advice = advice_of(s);

	if (r->code == 0)
		snprintf(out, SMTP_WORDS, "%s", r->text);
	else
		snprintf(out, SMTP_WORDS,
		    _("the server says \"%u%s%s %s\"%s%s"), r->code,
		    r->status[0] != '\0' ? " " : "", r->status, r->text,
		    advice[0] != '\0' ? "; " : "", advice);
	return out;
}

void
smtp_words_no_utf8(struct smtp *s)
{
	s->reply = (struct smtp_reply){ .code = 0 };
	snprintf(s->reply.text, sizeof(s->reply.text), "%s",
	    _("an address, or a name beside one in the header, has letters "
	      "beyond ASCII, and this server does not take them (it offers no "
	      "SMTPUTF8): write it without them"));
}

void
smtp_words_too_large(struct smtp *s)
{
	s->reply = (struct smtp_reply){ .code = 0 };
	snprintf(s->reply.text, sizeof(s->reply.text),
	    _("the message has %llu octets, and this server takes no more than "
	      "%llu: leave something out, or send a link to it"),
	    (unsigned long long)s->o->octets, (unsigned long long)s->size);
}
