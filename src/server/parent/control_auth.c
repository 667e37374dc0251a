#include "server/parent/control_auth.h"

#include <stdio.h>

#include "server/parent/child_tell.h"

/* What the parent itself knows of a user. */
static void
tell_database(struct control_client *k)
{
	struct control_fact f = { .kind = FACT_TEXT, .name = "database" };

	snprintf(f.text, sizeof(f.text), "%s", k->parent->conf->users);
	control_tell(k, CONTROL_FACT, &control_fact_fields, &f);
}

void
control_auth(struct control_client *k, enum ask_kind what, const char *user,
    const char *password)
{
	struct child *auth = control_ask(k);

	if (auth == NULL)
		return;
	k->facts = true;
	if (what == ASK_USER)
		tell_database(k);
	child_tell_ask(auth, k->token, what, user, password);
}

void
control_auth_fact(
    const struct parent *p, uint64_t token, const struct control_fact *fact)
{
	struct control_client *k = control_find(p, token);

	if (k != NULL && k->facts)
		control_tell(k, CONTROL_FACT, &control_fact_fields, fact);
}

void
control_auth_done(
    const struct parent *p, uint64_t token, const struct control_done *done)
{
	struct control_client *k = control_find(p, token);

	if (k != NULL && k->facts)
		control_done(k, done->outcome, done->words);
}
