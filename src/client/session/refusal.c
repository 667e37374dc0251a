#include "client/session/refusal.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/core.h"

/* Its NUL too: "ab" and "c" are not "a" and "bc". */
static void
mark_text(crypto_hash_sha256_state *h, const char *text)
{
	if (text == NULL)
		text = "";
	crypto_hash_sha256_update(
	    h, (const unsigned char *)text, strlen(text) + 1);
}

/* Its path, and when it was written: another certificate may lie where the
 * refused one was. */
static void
mark_file(crypto_hash_sha256_state *h, const char *path)
{
	struct stat st;
	char when[64] = "";

	if (path != NULL && stat(path, &st) == 0)
		snprintf(when, sizeof(when), "%lld %ld",
		    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	mark_text(h, path);
	mark_text(h, when);
}

/* What is about to be offered; `at` makes each refusal's mark another. */
static unsigned
mark_of(const struct visit *v, const char *secret, int64_t at)
{
	const struct account *a = v->conf.account;
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state h;
	char words[64];

	snprintf(words, sizeof(words), "%lld %u %d", (long long)at, a->port,
	    (int)a->security);
	crypto_hash_sha256_init(&h);
	mark_text(&h, words);
	mark_text(&h, a->server);
	mark_text(&h, a->user);
	mark_text(&h, a->auth);
	mark_file(&h, a->client_certificate);
	mark_text(&h, secret);
	crypto_hash_sha256_final(&h, digest);
	sodium_memzero(&h, sizeof(h));
	return (unsigned)digest[0] << 8 | digest[1];
}

/* The same words at each run, so that the first one says all of it. */
static void
say_refusal(struct visit *v)
{
	const char *why = v->record->account.refused_why;

	v->result.outcome = OUTCOME_DENIED;
	snprintf(v->result.words, sizeof(v->result.words),
	    _("%.560s; it is not tried again until the password or the account "
	      "changes, or you run malote on a terminal, or elsewhere: malote "
	      "collect --accept %s"),
	    why[0] != '\0' ? why : _("sign-in refused"), v->conf.account->name);
}

void
visit_note_refusal(struct visit *v, const char *secret)
{
	struct state_account *a = &v->record->account;

	a->refused_at = time(NULL);
	a->refused_mark = mark_of(v, secret, a->refused_at);
	snprintf(a->refused_why, sizeof(a->refused_why), "%s", v->result.words);
	if (!v->conf.insist)
		say_refusal(v);
}

bool
visit_is_refused(struct visit *v, const char *secret)
{
	const struct state_account *a = &v->record->account;

	if (v->conf.insist || a->refused_at == 0 ||
	    a->refused_mark != mark_of(v, secret, a->refused_at))
		return false;
	say_refusal(v);
	return true;
}
