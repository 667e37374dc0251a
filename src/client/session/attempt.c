#include "client/session/attempt.h"

#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client/session/steps.h"

/* ---- behind the sign-in ---- */

/* Nothing is sent that would have to be kept secret. */
static void
no_secret_enter(struct visit *v)
{
	visit_enter(v, STEP_DIAL);
}

static void
stat_enter(struct visit *v)
{
	visit_sent(v, pop3_client_send(&v->pop3, &v->line.out, POP3_CMD_STAT));
}

static void
stat_take(struct visit *v, const struct pop3_event *ev)
{
	struct facts *f = v->facts;

	if (ev->cmd != POP3_CMD_STAT)
		return; /* UTF8 or LANG, asked ahead */
	if (ev->type == POP3_EV_ERR) {
		visit_refused(
		    v, ev, _("the server does not open the maildrop"));
		visit_finish(v);
		return;
	}
	f->counted = !ev->odd;
	f->count = ev->count;
	f->octets = ev->octets;
	visit_enter(v, f->count != 0 ? STEP_UIDL : STEP_QUIT);
}

static void
ask_first(struct visit *v, enum pop3_cmd cmd)
{
	visit_sent(v, pop3_client_message(&v->pop3, &v->line.out, cmd, 1));
}

static void
first_uid_enter(struct visit *v)
{
	ask_first(v, POP3_CMD_UIDL_ONE);
}

static void
first_uid_take(struct visit *v, const struct pop3_event *ev)
{
	v->facts->has_uidl = ev->type == POP3_EV_OK && !ev->odd;
	visit_enter(v, STEP_TOP);
}

static void
first_top_enter(struct visit *v)
{
	ask_first(v, POP3_CMD_TOP);
}

static void
first_top_take(struct visit *v, const struct pop3_event *ev)
{
	if (ev->type != POP3_EV_END && ev->type != POP3_EV_ERR)
		return;
	v->facts->has_top = ev->type == POP3_EV_END;
	visit_enter(v, STEP_QUIT);
}

static void
unsaved_enter(struct visit *v)
{
	visit_enter(v, STEP_OVER);
}

/* ---- life ---- */

bool
attempt_new(struct visit *v, const struct step_row *steps)
{
	struct step_row *rows = malloc(STEPS * sizeof(*rows));

	v->own_steps = rows;
	v->facts = calloc(1, sizeof(*v->facts));
	if (rows == NULL || v->facts == NULL)
		return false;
	memcpy(rows, steps, STEPS * sizeof(*rows));
	rows[STEP_LISTING] =
	    (struct step_row){ "STAT", 5, stat_enter, stat_take, NULL, NULL };
	rows[STEP_UIDL] = (struct step_row){ "UIDL", 5, first_uid_enter,
		first_uid_take, NULL, NULL };
	rows[STEP_TOP] = (struct step_row){ "TOP", 1, first_top_enter,
		first_top_take, NULL, NULL };
	rows[STEP_QUIT].leave = NULL;
	rows[STEP_SAVE] =
	    (struct step_row){ "save", 0, unsaved_enter, NULL, NULL, NULL };
	if (v->conf.until < POINT_SIGN_IN)
		rows[STEP_SECRET].enter = no_secret_enter;
	v->steps = rows;
	return true;
}

void
attempt_free(struct visit *v)
{
	free(v->own_steps);
	free(v->facts);
}
