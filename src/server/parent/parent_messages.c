#include "server/parent/parent_messages.h"

#include <string.h>

#include "base/log.h"
#include "server/conf/role_table.h"
#include "server/parent/answers.h"
#include "server/parent/child_tell.h"
#include "server/parent/control_auth.h"
#include "server/parent/control_inquiry.h"
#include "server/parent/control_maildrop.h"
#include "server/parent/control_sessions.h"
#include "server/parent/control_status.h"
#include "server/parent/cut.h"
#include "server/parent/issuer_keys.h"
#include "server/parent/phase.h"
#include "server/parent/traces.h"
#include "server/parent/uid_store.h"
#include "server/parent/upgrades.h"

enum { PHASE_STARTING = 1, PHASE_SERVING = 2, PHASE_ANY = 3 };

enum { WHY_MAX = sizeof(((struct errbuf *)NULL)->text) };

static enum err
take_ready(void *arg, struct ipc_in *in)
{
	struct child *c = arg;

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	ipc_set_phase(c->chan, PHASE_SERVING);
	c->state = CHILD_SERVING;
	phase_ready(c->parent);
	return E_OK;
}

static enum err
take_pong(void *arg, struct ipc_in *in)
{
	struct child *c = arg;
	uint32_t number = ipc_get_u32(in), sessions = ipc_get_u32(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	c->unanswered = 0;
	c->sessions = sessions;
	c->heard = true;
	answers_came(c, number, NULL);
	control_status_heard(c->parent);
	return E_OK;
}

static enum err
take_settings_are(void *arg, struct ipc_in *in)
{
	struct child *c = arg;
	uint32_t number = ipc_get_u32(in);
	bool good = ipc_get_u8(in) != 0;
	char why[WHY_MAX], shown[WHY_MAX];

	ipc_get_str(in, why, sizeof(why));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	str_quote(shown, sizeof(shown), why, strlen(why));
	answers_came(c, number, good ? NULL : shown);
	return E_OK;
}

static enum err
take_where_is(void *arg, struct ipc_in *in)
{
	const struct child *c = arg;
	uint64_t token = ipc_get_u64(in);
	uint8_t outcome = ipc_get_u8_to(in, CONTROL_OUTCOMES - 1);
	uint16_t store = ipc_get_u16(in);
	char words[MAIL_PATH_MAX];

	ipc_get_str(in, words, sizeof(words));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	control_inquiry_where(
	    c->parent, token, (enum control_outcome)outcome, store, words);
	return E_OK;
}

static enum err
take_uidl_is(void *arg, struct ipc_in *in)
{
	uint64_t token = ipc_get_u64(in);
	struct control_uidl uidl = { .messages = 0 };
	struct control_done done = { .outcome = CONTROL_GOOD };

	ipc_get_fields(in, &control_uidl_fields, &uidl);
	ipc_get_fields(in, &control_done_fields, &done);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	control_uidl_is(arg, token, &uidl, &done);
	return E_OK;
}

static enum err
take_expiry_is(void *arg, struct ipc_in *in)
{
	uint64_t token = ipc_get_u64(in);
	struct control_expire expire = { .days = 0 };
	struct control_done done = { .outcome = CONTROL_GOOD };

	ipc_get_fields(in, &control_expire_fields, &expire);
	ipc_get_fields(in, &control_done_fields, &done);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	control_expiry_is(arg, token, &expire, &done);
	return E_OK;
}

static enum err
take_fact(void *arg, struct ipc_in *in)
{
	const struct child *c = arg;
	uint64_t token = ipc_get_u64(in);
	struct control_fact fact = { .row = 0 };

	ipc_get_fields(in, &control_fact_fields, &fact);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	control_auth_fact(c->parent, token, &fact);
	return E_OK;
}

static enum err
take_asked(void *arg, struct ipc_in *in)
{
	const struct child *c = arg;
	uint64_t token = ipc_get_u64(in);
	struct control_done done = { .outcome = CONTROL_GOOD };

	ipc_get_fields(in, &control_done_fields, &done);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	control_auth_done(c->parent, token, &done);
	return E_OK;
}

static enum err
take_mail_fact(void *arg, struct ipc_in *in)
{
	uint64_t token = ipc_get_u64(in);
	struct control_fact fact = { .row = 0 };

	ipc_get_fields(in, &control_fact_fields, &fact);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return control_maildrop_fact(arg, token, &fact);
}

static enum err
take_mail_asked(void *arg, struct ipc_in *in)
{
	uint64_t token = ipc_get_u64(in);
	struct control_done done = { .outcome = CONTROL_GOOD };

	ipc_get_fields(in, &control_done_fields, &done);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	control_maildrop_done(arg, token, &done);
	return E_OK;
}

static enum err
take_messages(void *arg, struct ipc_in *in)
{
	static struct control_messages m;
	uint64_t token = ipc_get_u64(in);

	memset(&m, 0, sizeof(m));
	ipc_get_fields(in, &control_messages_fields, &m);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return control_maildrop_messages(arg, token, &m);
}

static enum err
take_sessions(void *arg, struct ipc_in *in)
{
	static struct control_sessions s;
	uint64_t token = ipc_get_u64(in);

	memset(&s, 0, sizeof(s));
	ipc_get_fields(in, &control_sessions_fields, &s);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return control_sessions_are(arg, token, &s);
}

static enum err
take_issuer_keys(void *arg, struct ipc_in *in)
{
	uint16_t issuer = ipc_get_u16(in);
	uint64_t old_at = ipc_get_u64(in), ends_at = ipc_get_u64(in);
	struct slice keys = ipc_get_slice(in);

	if (ipc_get_end(in) != E_OK || keys.n == 0 || keys.n > ISSUER_KEYS_MAX)
		return E_FORMAT;
	return issuer_keys_are(arg, issuer, old_at, ends_at, keys);
}

static enum err
take_traced(void *arg, struct ipc_in *in)
{
	uint32_t number = ipc_get_u32(in);
	uint64_t sid = ipc_get_u64(in);
	uint8_t who = ipc_get_u8_to(in, TRACE_SAYS - 1);
	uint32_t lost = ipc_get_u32(in);
	struct slice line = ipc_get_slice(in);

	if (ipc_get_end(in) != E_OK || line.n > TRACE_LINE_MAX)
		return E_FORMAT;
	traces_line(arg, number, sid, (enum trace_says)who, lost, line);
	return E_OK;
}

static enum err
take_misbehaved(void *arg, struct ipc_in *in)
{
	struct child *c = arg, *accused;
	uint8_t role = ipc_get_u8(in);
	uint16_t index = ipc_get_u16(in);

	/* Only those that it has a channel to. */
	if (ipc_get_end(in) != E_OK || role >= ROLE_END ||
	    !role_talks(c->role, role))
		return E_FORMAT;
	accused = child_find(c->parent, role, index);
	if (accused != NULL && accused->state != CHILD_DOWN)
		cut_begin(c, accused);
	return E_OK;
}

static enum err
take_users_check(void *arg, struct ipc_in *in)
{
	struct child *c = arg;

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	child_tell_users(c);
	return E_OK;
}

/* What is in it is looked at by who writes it. */
static enum err
take_upgrade(void *arg, struct ipc_in *in)
{
	struct child *c = arg;
	struct upgrade_row row = { .user = "" };

	ipc_get_fields(in, &upgrade_row_fields, &row);
	bool wanted = strcmp(c->parent->conf->auth.upgrade_scheme, "no") != 0;

	if (ipc_get_end(in) != E_OK ||
	    (!wanted && !c->parent->upgrades.were_wanted))
		return E_FORMAT;
	if (wanted)
		upgrades_add(c->parent, &row);
	explicit_bzero(&row, sizeof(row));
	return E_OK;
}

static enum err
take_store_wanted(void *arg, struct ipc_in *in)
{
	struct owner owner = ipc_get_owner(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	uid_store_wanted(arg, owner);
	return E_OK;
}

static enum err
take_given_up(void *arg, struct ipc_in *in)
{
	struct child *c = arg;
	uint16_t index = ipc_get_u16(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	uid_store_given_up(c->parent, index);
	return E_OK;
}

static enum err
take_replace(void *arg, struct ipc_in *in)
{
	uint16_t index = ipc_get_u16(in);
	struct owner owner = ipc_get_owner(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	uid_store_replace(arg, index, owner);
	return E_OK;
}

static enum err
take_idle(void *arg, struct ipc_in *in)
{
	struct child *c = arg;

	if (ipc_get_end(in) != E_OK || !c->of_uid)
		return E_FORMAT;
	uid_store_idle(c);
	return E_OK;
}

/* A process does not outlive its channel. */
static void
on_gone(void *arg, enum err why)
{
	struct child *c = arg;

	if (why == E_FORMAT)
		log_line(LOG_FAULT, "ev=misbehaved role=%s index=%u by=parent",
		    child_name(c), c->index);
	ipc_close(c->chan);
	c->chan = NULL;
	if (why == E_FORMAT || !c->leaving)
		child_kill(c);
}

#define READY \
	{ \
		IPC_READY, PHASE_STARTING, 0, 0, take_ready \
	}
#define MISBEHAVED \
	{ \
		IPC_MISBEHAVED, PHASE_ANY, 0, 3, take_misbehaved \
	}

#define PONG \
	{ \
		IPC_PONG, PHASE_SERVING, 0, 8, take_pong \
	}
#define SETTINGS_ARE \
	{ \
		IPC_SETTINGS_ARE, PHASE_SERVING, 0, 4 + 1 + 4 + WHY_MAX, \
		    take_settings_are \
	}

static const struct ipc_rule worker_rules[] = { READY, MISBEHAVED, PONG,
	{ IPC_SESSIONS, PHASE_SERVING, 0, 8 + CONTROL_SESSIONS_MAX,
	    take_sessions },
	{ IPC_TRACED, PHASE_SERVING, 0, 4 + 8 + 1 + 4 + 4 + TRACE_LINE_MAX,
	    take_traced },
	SETTINGS_ARE };

static const struct ipc_rule auth_rules[] = { READY, MISBEHAVED, PONG,
	SETTINGS_ARE,
	{ IPC_UPGRADE, PHASE_SERVING, 0, 12 + sizeof(struct upgrade_row),
	    take_upgrade },
	{ IPC_USERS_CHECK, PHASE_SERVING, 0, 0, take_users_check },
	{ IPC_STORE_WANTED, PHASE_SERVING, 0, OWNER_OCTETS, take_store_wanted },
	{ IPC_IDLE, PHASE_SERVING, 0, 2, take_given_up },
	{ IPC_REPLACE, PHASE_SERVING, 0, 2 + OWNER_OCTETS, take_replace },
	{ IPC_WHERE_IS, PHASE_SERVING, 0, 8 + 1 + 2 + 4 + MAIL_PATH_MAX,
	    take_where_is },
	{ IPC_FACT, PHASE_SERVING, 0, 8 + CONTROL_ANSWER_MAX, take_fact },
	{ IPC_ASKED, PHASE_SERVING, 0, 8 + CONTROL_ANSWER_MAX, take_asked } };

static const struct ipc_rule kerberos_rules[] = { READY, MISBEHAVED, PONG };

static const struct ipc_rule db_rules[] = { READY, MISBEHAVED, PONG };

static const struct ipc_rule pam_rules[] = { READY, MISBEHAVED, PONG };

static const struct ipc_rule sasl_rules[] = { READY, MISBEHAVED, PONG };

static const struct ipc_rule net_rules[] = { READY, MISBEHAVED, PONG,
	{ IPC_ISSUER_KEYS, PHASE_SERVING, 0, 2 + 8 + 8 + 4 + ISSUER_KEYS_MAX,
	    take_issuer_keys } };

static const struct ipc_rule metrics_rules[] = { READY, MISBEHAVED, PONG };

static const struct ipc_rule store_rules[] = { READY, MISBEHAVED, PONG,
	SETTINGS_ARE, { IPC_IDLE, PHASE_SERVING, 0, 0, take_idle },
	{ IPC_UIDL_IS, PHASE_SERVING, 0, 8 + CONTROL_ANSWER_MAX, take_uidl_is },
	{ IPC_EXPIRY_IS, PHASE_SERVING, 0, 8 + CONTROL_ANSWER_MAX,
	    take_expiry_is },
	{ IPC_FACT, PHASE_SERVING, 0, 8 + CONTROL_ANSWER_MAX, take_mail_fact },
	{ IPC_ASKED, PHASE_SERVING, 0, 8 + CONTROL_ANSWER_MAX,
	    take_mail_asked },
	{ IPC_MESSAGES, PHASE_SERVING, 0, 8 + CONTROL_MESSAGES_MAX,
	    take_messages } };

#define RULES(r) \
	{ \
		r, sizeof(r) / sizeof((r)[0]), on_gone \
	}

#define ROW(NAME, role, user, memory, talks) \
	[ROLE_##NAME] = RULES(role##_rules),

const struct ipc_rules parent_messages[ROLE_END] = { ROLES(ROW) };
