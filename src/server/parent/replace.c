#include "server/parent/replace.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/conf/role_table.h"
#include "server/parent/child_start.h"
#include "server/parent/child_tell.h"

enum { LEAVING_MS = 60 * 1000 };

static const enum ipc_role roles[] = { ROLE_KERBEROS, ROLE_DB, ROLE_PAM,
	ROLE_SASL, ROLE_NET };

enum { ROLES_N = sizeof(roles) / sizeof(roles[0]) };

static void
fit(struct conf *c, enum ipc_role role, uint16_t index)
{
	if (role == ROLE_DB)
		conf_db_fit(c, index);
	if (role == ROLE_PAM)
		conf_pam_fit(c, index);
}

/* How many there are of a role, and where the limits of all are, is no setting of
 * one. */
static bool
is_same(struct conf *a, struct conf *b, enum ipc_role role, uint16_t index)
{
	struct role_conf *of_a = role_conf(a, role), *of_b = role_conf(b, role);
	struct role_conf was = *of_b;
	bool same;

	fit(a, role, index);
	fit(b, role, index);
	*of_b = *of_a;
	same = ipc_fields_same(role_table[role].fields, of_a, of_b);
	*of_b = was;
	return same;
}

void
replace_note(struct parent *p, struct conf *next)
{
	for (size_t r = 0; r < ROLES_N; r++) {
		unsigned was = role_conf(p->conf, roles[r])->n;
		unsigned n = role_conf(next, roles[r])->n;

		for (uint16_t i = 0; i < was && i < n; i++) {
			struct child *c = child_find(p, roles[r], i);

			/* Its files may have changed: it looks at them once. */
			if (c != NULL)
				c->is_stale =
				    roles[r] == ROLE_KERBEROS ||
				    roles[r] == ROLE_NET ||
				    !is_same(p->conf, next, roles[r], i);
		}
	}
}

/* One that programs ask has nothing to finish that they would not ask again. */
static void
let_go(struct child *c)
{
	if (c->state == CHILD_DOWN) {
		child_remove(c);
		return;
	}
	child_retire(c, LEAVING_MS);
	if (c->role == ROLE_SASL)
		child_stop(c, 0);
}

/* What auth has asked it is answered yet. */
static void
announce(const struct child *was)
{
	struct child *auth = child_find(was->parent, ROLE_AUTH, 0);

	if (auth != NULL && auth->chan != NULL)
		child_tell_successor(auth, was);
}

/* The new one is there before the old one leaves. */
static void
place(struct parent *p, enum ipc_role role, uint16_t index)
{
	struct child *was = child_find(p, role, index), *c;

	if (was != NULL && !was->is_stale)
		return;
	if ((c = child_new(p, role, index)) == NULL) {
		log_line(LOG_FAULT,
		    "ev=start role=%s index=%u error=\"out of memory\"",
		    role_table[role].name, index);
		return;
	}
	if (was != NULL) {
		announce(was);
		was->leaving = was->replaced = true;
	}
	child_keep(c);
	if (was != NULL)
		let_go(was);
}

void
replace_all(struct parent *p)
{
	struct child *c, *next;

	for (size_t r = 0; r < ROLES_N; r++)
		for (uint16_t i = 0; i < role_conf(p->conf, roles[r])->n; i++)
			place(p, roles[r], i);
	for (c = TAILQ_FIRST(&p->children); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->index >= role_conf(p->conf, c->role)->n && !c->of_uid &&
		    !c->leaving)
			let_go(c);
	}
}
