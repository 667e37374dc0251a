#include "server/parent/control_inquiry.h"

#include "server/parent/child_tell.h"

static const char *const no_answer =
    "a process that was asked has ended; the log says why";

void
control_inquire(
    struct control_client *k, const char *user, enum inquiry_kind what)
{
	struct child *auth = control_ask(k);

	k->what = what;
	if (auth != NULL)
		child_tell_where(auth, k->token, user);
}

void
control_inquiry_where(struct parent *p, uint64_t token,
    enum control_outcome outcome, uint16_t store, const char *words)
{
	struct control_client *k = control_find(p, token);

	if (k == NULL || k->store != NULL || k->facts)
		return; /* it has not waited for it */
	if (outcome != CONTROL_GOOD) {
		control_done(k, outcome, words);
		return;
	}
	k->store = child_find(p, ROLE_STORE, store);
	if (k->store == NULL || k->store->chan == NULL || k->store->leaving)
		control_done(k, CONTROL_LATER, no_answer);
	else
		child_tell_inquiry(
		    k->store, token, k->what, words, k->mail.number);
}

struct control_client *
control_asker_of(const struct child *store, uint64_t token)
{
	struct control_client *k = control_find(store->parent, token);

	return k != NULL && k->store == store ? k : NULL;
}

void
control_uidl_is(const struct child *store, uint64_t token,
    const struct control_uidl *uidl, const struct control_done *done)
{
	struct control_client *k = control_asker_of(store, token);

	if (k == NULL)
		return;
	if (done->outcome == CONTROL_GOOD && k->what == INQUIRY_UIDL)
		control_tell(k, CONTROL_UIDL, &control_uidl_fields, uidl);
	control_done(k, done->outcome, done->words);
}

void
control_expiry_is(const struct child *store, uint64_t token,
    const struct control_expire *expire, const struct control_done *done)
{
	struct control_client *k = control_asker_of(store, token);

	if (k == NULL)
		return;
	if (done->outcome == CONTROL_GOOD && k->what == INQUIRY_EXPIRY)
		control_tell(k, CONTROL_EXPIRE, &control_expire_fields, expire);
	control_done(k, done->outcome, done->words);
}

void
control_inquiry_gone(const struct child *c)
{
	struct control_client *k;

	TAILQ_FOREACH (k, &c->parent->clients, link) {
		if (k->token == 0 || k->sessions.wanted ||
		    (k->store != c &&
			(c->role != ROLE_AUTH || k->store != NULL)))
			continue;
		control_done(k, CONTROL_LATER, no_answer);
		k->store = NULL;
	}
}
