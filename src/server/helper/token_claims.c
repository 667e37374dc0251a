#include "server/helper/token_claims.h"

#include <math.h>
#include <string.h>

/* Keys verify it here; else the issuer answers for it. */
static bool
is_signed(const struct issuer_conf *c)
{
	return c->keys[0] != '\0';
}

/* ---- words ---- */

/* Is that among words with spaces between them?  Exactly so. */
static bool
has_word(const char *words, const char *word, size_t n)
{
	for (const char *p = words; *(p += strspn(p, " ")) != '\0';
	     p += strcspn(p, " "))
		if (strcspn(p, " ") == n && memcmp(p, word, n) == 0)
			return true;
	return false;
}

/* Of a claim that is one string, or a list of them. */
static const char *
string_at(const json_t *claim, size_t i)
{
	if (json_is_array(claim))
		return json_string_value(json_array_get(claim, i));
	return i == 0 ? json_string_value(claim) : NULL;
}

static size_t
strings_of(const json_t *claim)
{
	return json_is_array(claim) ? json_array_size(claim) : 1;
}

/* ---- one claim each ---- */

static bool
is_of_issuer(const struct issuer_conf *c, const json_t *claims)
{
	const json_t *iss = json_object_get(claims, "iss");
	const char *name = json_string_value(iss);

	if (iss == NULL || c->issuer[0] == '\0')
		return !is_signed(c);
	return name != NULL && strcmp(name, c->issuer) == 0;
}

static bool
is_for_us(const struct issuer_conf *c, const json_t *claims)
{
	const json_t *aud = json_object_get(claims, "aud");

	for (size_t i = 0; i < strings_of(aud); i++) {
		const char *one = string_at(aud, i);

		if (one != NULL && has_word(c->audience, one, strlen(one)))
			return true;
	}
	return c->audience[0] == '\0';
}

/* False: it is there, and no time. */
static bool
get_time(const json_t *claims, const char *name, double *time_r, bool *has_r)
{
	const json_t *claim = json_object_get(claims, name);

	*has_r = claim != NULL;
	*time_r = json_number_value(claim);
	return claim == NULL || (json_is_number(claim) && isfinite(*time_r));
}

/* Words that say what is wrong; NULL: nothing. */
static const char *
why_not_now(const struct issuer_conf *c, const json_t *claims, double now)
{
	double from, until;
	bool begins, ends;

	if (!get_time(claims, "exp", &until, &ends) ||
	    !get_time(claims, "nbf", &from, &begins))
		return "exp or nbf is no time";
	if (!ends && is_signed(c))
		return "it never expires";
	if (ends && now >= until + c->leeway)
		return "it has expired";
	if (begins && now < from - c->leeway)
		return "it is not valid yet";
	return NULL;
}

/* The claim scp is Microsoft's and others' for it. */
static bool
has_scope(const json_t *claims, const char *word, size_t n)
{
	static const char *const names[] = { "scope", "scp" };

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		const json_t *claim = json_object_get(claims, names[k]);

		for (size_t i = 0; i < strings_of(claim); i++) {
			const char *words = string_at(claim, i);

			if (words != NULL && has_word(words, word, n))
				return true;
		}
	}
	return false;
}

static bool
has_all_scopes(const struct issuer_conf *c, const json_t *claims)
{
	for (const char *p = c->scope; *(p += strspn(p, " ")) != '\0';
	     p += strcspn(p, " "))
		if (!has_scope(claims, p, strcspn(p, " ")))
			return false;
	return true;
}

/* As far as the issuer says.  Some write the word as a string. */
static bool
is_verified(const json_t *word)
{
	const char *text = json_string_value(word);

	return word == NULL || json_is_true(word) ||
	       (text != NULL && strcmp(text, "true") == 0);
}

/* An address that somebody only says is theirs is no name (OpenID Connect Core
 * s5.7). */
static bool
get_user(const struct issuer_conf *c, const json_t *claims,
    char user_r[NAME_MAX_OCTETS + 1])
{
	const json_t *claim = json_object_get(claims, c->user_claim);
	const char *user = json_string_value(claim);
	size_t n = json_string_length(claim);

	if (user == NULL || n == 0 || n > NAME_MAX_OCTETS)
		return false;
	if (strcmp(c->user_claim, "email") == 0 &&
	    !is_verified(json_object_get(claims, "email_verified")))
		return false;
	memcpy(user_r, user, n + 1);
	return true;
}

/* ---- all of them ---- */

static enum token_result
bad(struct errbuf *why, const char *words)
{
	err_set(why, E_DENIED, "%s", words);
	return TOKEN_BAD;
}

enum token_result
token_claims_judge(const struct issuer_conf *c, const json_t *claims,
    double now, char user_r[NAME_MAX_OCTETS + 1], struct errbuf *why)
{
	const char *not_now;

	if (!is_signed(c) && !json_is_true(json_object_get(claims, "active")))
		return bad(why, "the issuer says that it is not good");
	if (!is_of_issuer(c, claims))
		return bad(why, "it is of another issuer");
	if (!is_for_us(c, claims))
		return bad(why, "it is for another audience");
	if ((not_now = why_not_now(c, claims, now)) != NULL)
		return bad(why, not_now);
	if (!get_user(c, claims, user_r))
		return bad(why, "user_claim names no user in it");
	if (has_all_scopes(c, claims))
		return TOKEN_GOOD;
	err_set(why, E_DENIED, "its scope is less than is asked for");
	return TOKEN_NARROW;
}
