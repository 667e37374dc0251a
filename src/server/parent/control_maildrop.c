#include "server/parent/control_maildrop.h"

#include <stdio.h>

#include "server/parent/child_tell.h"
#include "server/parent/control_inquiry.h"

static const double ROOM = 0.01; /* seconds until it is looked for again */

enum { SAID_MAX = 1024 }; /* messages in answer to one question */

/* Auth says once more where the mail is: it may have been moved. */
static void
ask(struct control_client *k)
{
	k->store = NULL;
	k->mail.next = k->mail.said = 0;
	control_inquire(k, k->mail.user, k->what);
}

static void
on_room(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct control_client *k = t->data;

	if (ipc_is_full(k->chan))
		return;
	ev_timer_stop(loop, t);
	ask(k);
}

void
control_maildrop(struct control_client *k, const char *user,
    enum inquiry_kind what, uint32_t number)
{
	k->what = what;
	k->mail.number = number != 0 ? number : 1;
	snprintf(k->mail.user, sizeof(k->mail.user), "%s", user);
	ev_timer_init(&k->mail.room, on_room, ROOM, ROOM);
	k->mail.room.data = k;
	ask(k);
}

enum err
control_maildrop_messages(
    struct child *store, uint64_t token, const struct control_messages *m)
{
	struct control_client *k = control_asker_of(store, token);

	if (k == NULL)
		return E_OK;
	if (k->what != INQUIRY_LIST || k->mail.said++ == SAID_MAX ||
	    (m->next != 0 && m->next <= k->mail.number))
		return E_FORMAT;
	k->mail.next = m->next;
	if (m->n != 0)
		control_tell(k, CONTROL_MESSAGES, &control_messages_fields, m);
	return E_OK;
}

enum err
control_maildrop_fact(
    struct child *store, uint64_t token, const struct control_fact *fact)
{
	struct control_client *k = control_asker_of(store, token);

	if (k == NULL)
		return E_OK;
	if ((k->what != INQUIRY_MESSAGE && k->what != INQUIRY_CHECK) ||
	    k->mail.said++ == SAID_MAX)
		return E_FORMAT;
	control_tell(k, CONTROL_FACT, &control_fact_fields, fact);
	return E_OK;
}

void
control_maildrop_done(
    struct child *store, uint64_t token, const struct control_done *done)
{
	struct control_client *k = control_asker_of(store, token);

	if (k == NULL || !inquiry_is_of_mail(k->what))
		return;
	if (done->outcome != CONTROL_GOOD || k->mail.next == 0) {
		control_done(k, done->outcome, done->words);
		return;
	}
	k->mail.number = k->mail.next;
	k->token = 0;
	if (ipc_is_full(k->chan))
		ev_timer_again(k->parent->loop, &k->mail.room);
	else
		ask(k);
}
