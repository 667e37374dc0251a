#include "client/session/facts.h"

#include <string.h>
#include <strings.h>

#define CAUSE_NAME(constant, name) [constant] = name,
static const char *const names[] = { CAUSES(CAUSE_NAME) };
#undef CAUSE_NAME

const char *
cause_name(enum cause c)
{
	return names[c];
}

enum cause
cause_of_dial(enum err e)
{
	switch (e) {
	case E_NOENT: return CAUSE_NO_SUCH_HOST;
	case E_CLOSED: return CAUSE_REFUSED;
	case E_AGAIN: return CAUSE_NO_ANSWER;
	default: return CAUSE_UNREACHABLE;
	}
}

enum cause
cause_of_tls(enum tls_fault fault)
{
	static const enum cause causes[] = {
		[TLS_FAULT_NONE] = CAUSE_NONE,
		[TLS_FAULT_OTHER] = CAUSE_TLS,
		[TLS_FAULT_NAME] = CAUSE_CERTIFICATE_NAME,
		[TLS_FAULT_EXPIRED] = CAUSE_CERTIFICATE_EXPIRED,
		[TLS_FAULT_NOT_YET] = CAUSE_CERTIFICATE_NOT_YET,
		[TLS_FAULT_ISSUER] = CAUSE_CERTIFICATE_ISSUER,
		[TLS_FAULT_INTERCEPTED] = CAUSE_INTERCEPTED,
		[TLS_FAULT_PIN] = CAUSE_CERTIFICATE_PIN,
		[TLS_FAULT_POP3] = CAUSE_WANTS_STARTTLS,
		[TLS_FAULT_NO_TLS] = CAUSE_OTHER_PROTOCOL,
	};

	return causes[fault];
}

/* ---- words of refusals ---- */

/* Parts of what known servers say, lower case; the first one that fits counts.
 * Gmail, Outlook.com and Exchange, Yahoo, AOL, GMX, Zoho, Mail.ru, Yandex, Fastmail,
 * Dovecot. */
static const struct {
	const char *part;
	enum cause cause;
} phrases[] = {
	{ "application-specific password", CAUSE_APP_PASSWORD },
	{ "app-specific password", CAUSE_APP_PASSWORD },
	{ "application password", CAUSE_APP_PASSWORD },
	{ "app password", CAUSE_APP_PASSWORD },
	{ "parol prilozheniya", CAUSE_APP_PASSWORD },
	{ "basic authentication is disabled", CAUSE_OAUTH },
	{ "basicauthblocked", CAUSE_OAUTH },
	{ "logondenied-basicauth", CAUSE_OAUTH },
	{ "modern authentication", CAUSE_OAUTH },
	{ "oauth", CAUSE_OAUTH },
	{ "web login required", CAUSE_BLOCKED },
	{ "log in via your web browser", CAUSE_BLOCKED },
	{ "enabled for pop", CAUSE_POP_OFF },
	{ "enable pop", CAUSE_POP_OFF },
	{ "pop is disabled", CAUSE_POP_OFF },
	{ "pop3 is disabled", CAUSE_POP_OFF },
	{ "pop disabled", CAUSE_POP_OFF },
	{ "pop3 disabled", CAUSE_POP_OFF },
	{ "pop access is", CAUSE_POP_OFF },
	{ "pop3 access is", CAUSE_POP_OFF },
	{ "pop3 access not", CAUSE_POP_OFF },
	{ "pop3/imap access", CAUSE_POP_OFF },
	{ "protocol disabled", CAUSE_POP_OFF },
	{ "pop3 service is not", CAUSE_POP_OFF },
	{ "too many", CAUSE_TOO_OFTEN },
	{ "too often", CAUSE_TOO_OFTEN },
	{ "rate limit", CAUSE_TOO_OFTEN },
	{ "account is locked", CAUSE_BLOCKED },
	{ "account locked", CAUSE_BLOCKED },
	{ "account has been", CAUSE_BLOCKED },
	{ "account is disabled", CAUSE_BLOCKED },
	{ "account disabled", CAUSE_BLOCKED },
	{ "suspended", CAUSE_BLOCKED },
	{ "suspicious", CAUSE_BLOCKED },
};

static bool
has_part(struct slice text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.n; i++)
		if (strncasecmp(text.p + i, part, n) == 0)
			return true;
	return false;
}

enum cause
cause_of_refusal(struct slice text, enum pop3_code code)
{
	if (code == POP3_CODE_IN_USE)
		return CAUSE_IN_USE;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (has_part(text, phrases[i].part))
			return phrases[i].cause;
	return code == POP3_CODE_LOGIN_DELAY ? CAUSE_TOO_OFTEN : CAUSE_NONE;
}
