#include "client/session/outcome.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/i18n.h"

static const struct {
	const char *name;
	int exit_code;
} outcomes[] = {
	[OUTCOME_OK] = { "ok", EX_OK },
	[OUTCOME_LOCKED] = { "locked", EX_OK },
	[OUTCOME_STOPPED] = { "stopped", EX_TEMPFAIL },
	[OUTCOME_CONFIG] = { "configuration", EX_CONFIG },
	[OUTCOME_NO_HOST] = { "no-host", EX_NOHOST },
	[OUTCOME_CONNECT] = { "connection", EX_UNAVAILABLE },
	[OUTCOME_TLS] = { "tls", EX_PROTOCOL },
	[OUTCOME_PROTOCOL] = { "protocol", EX_PROTOCOL },
	[OUTCOME_DENIED] = { "denied", EX_NOPERM },
	[OUTCOME_BUSY] = { "busy", EX_TEMPFAIL },
	[OUTCOME_SERVER] = { "server", EX_UNAVAILABLE },
	[OUTCOME_DISK] = { "disk", EX_IOERR },
	[OUTCOME_REFUSED] = { "refused", EX_CANTCREAT },
	[OUTCOME_DESTINATION] = { "destination", EX_TEMPFAIL },
	[OUTCOME_LEFT] = { "some-left", EX_TEMPFAIL },
	[OUTCOME_SOME] = { "some-failed", EX_DATAERR },
	[OUTCOME_HELD] = { "held", EX_DATAERR },
	[OUTCOME_INTERNAL] = { "internal", EX_OSERR },
};

const char *
outcome_name(enum outcome o)
{
	return outcomes[o].name;
}

int
outcome_exit_code(enum outcome o)
{
	return outcomes[o].exit_code;
}

char *
outcome_brake_words(char out[OUTCOME_BRAKE_WORDS], const struct account *a)
{
	snprintf(out, OUTCOME_BRAKE_WORDS,
	    _("most of the messages that were collected before are gone from "
	      "%s, and many others are there instead, as if it were another "
	      "mailbox; the new ones are collected, but not deleted there "
	      "until the old ones are back, or you say that this is right: "
	      "malote collect --accept %s"),
	    a->server, a->name);
	return out;
}

void
outcome_untold_words(char *out, size_t size, unsigned n)
{
	snprintf(out, size,
	    ngettext("%u message is delivered once more, as nobody can tell "
		     "whether it has arrived: it may be there twice",
		"%u messages are delivered once more, as nobody can tell "
		"whether they have arrived: they may be there twice",
		n),
	    n);
}

/* packaging/malote.service names the same ones. */
bool
exit_code_passes(int code)
{
	return code == EX_OK || code == EX_NOHOST || code == EX_UNAVAILABLE ||
	       code == EX_TEMPFAIL;
}

enum outcome
outcome_of_destination(enum err e)
{
	switch (e) {
	case E_FULL:
	case E_IO: return OUTCOME_DISK;
	case E_NOMEM: return OUTCOME_INTERNAL;
	case E_CONFIG: return OUTCOME_CONFIG;
	default: return OUTCOME_DESTINATION;
	}
}

bool
outcome_stands(enum outcome o, const struct tally *t)
{
	return o != OUTCOME_OK && (o != OUTCOME_SOME || t->failed != 0);
}
