#include "pop3/client_capa.h"

#include <string.h>

#include "pop3/word.h"

enum { MECHANISM_MAX = 20 }; /* RFC 4422 s3.1 */

static const struct {
	const char *tag;
	size_t offset; /* of a bool */
} flags[] = {
	{ "TOP", offsetof(struct pop3_capa, top) },
	{ "UIDL", offsetof(struct pop3_capa, uidl) },
	{ "USER", offsetof(struct pop3_capa, user) },
	{ "STLS", offsetof(struct pop3_capa, stls) },
	{ "SASL", offsetof(struct pop3_capa, has_sasl) },
	{ "RESP-CODES", offsetof(struct pop3_capa, resp_codes) },
	{ "AUTH-RESP-CODE", offsetof(struct pop3_capa, auth_resp_code) },
	{ "PIPELINING", offsetof(struct pop3_capa, pipelining) },
	{ "UTF8", offsetof(struct pop3_capa, utf8) },
	{ "LANG", offsetof(struct pop3_capa, lang) },
};

bool
pop3_capa_has_sasl(const struct pop3_capa *capa, const char *mechanism)
{
	struct slice rest = { capa->sasl, strlen(capa->sasl) }, word;

	while ((word = pop3_word_take(&rest)).n != 0)
		if (slice_caseeq(word, mechanism))
			return true;
	return false;
}

/* In upper case with a NUL; false if it cannot be a mechanism's name. */
static bool
mechanism_copy(char out[MECHANISM_MAX + 1], struct slice word)
{
	if (word.n > MECHANISM_MAX)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - ('a' - 'A'));
		else if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     c == '-' || c == '_'))
			return false;
		out[i] = c;
	}
	out[word.n] = '\0';
	return true;
}

static bool
sasl_add(struct pop3_capa *capa, struct slice rest)
{
	size_t n = strlen(capa->sasl);
	struct slice word;

	while ((word = pop3_word_take(&rest)).n != 0) {
		char name[MECHANISM_MAX + 1];

		if (!mechanism_copy(name, word) ||
		    pop3_capa_has_sasl(capa, name))
			continue;
		if (n == 0)
			capa->sasl[n++] = ' ';
		if (n + word.n + 2 > sizeof(capa->sasl))
			return false;
		memcpy(capa->sasl + n, name, word.n);
		n += word.n;
		capa->sasl[n++] = ' ';
		capa->sasl[n] = '\0';
	}
	return true;
}

/* A number and perhaps USER (RFC 2449 s6.5, s6.7). */
static bool
number_take(struct slice rest, uint32_t *v_r, bool *user_r)
{
	if (!str_to_u32(pop3_word_take(&rest), v_r))
		return false;
	*user_r = slice_caseeq(pop3_word_take(&rest), "USER");
	return true;
}

static void
login_delay_add(struct pop3_capa *capa, struct slice rest)
{
	uint32_t v;
	bool user;

	if (!number_take(rest, &v, &user))
		return;
	capa->login_delay = true;
	capa->login_delay_user |= user;
	if (v > capa->login_delay_s)
		capa->login_delay_s = v;
}

static void
expire_add(struct pop3_capa *capa, struct slice rest)
{
	uint32_t v;
	bool user;

	if (!number_take(rest, &v, &user))
		return;
	if (!capa->expire || v < capa->expire_days)
		capa->expire_days = v;
	capa->expire = true;
	capa->expire_user |= user;
}

bool
pop3_capa_line(struct pop3_capa *capa, struct slice line)
{
	struct slice tag = pop3_word_take(&line);

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (slice_caseeq(tag, flags[i].tag))
			*(bool *)((char *)capa + flags[i].offset) = true;
	if (slice_caseeq(tag, "LOGIN-DELAY"))
		login_delay_add(capa, line);
	else if (slice_caseeq(tag, "EXPIRE"))
		expire_add(capa, line);
	else if (slice_caseeq(tag, "SASL"))
		return sasl_add(capa, line);
	return true;
}
