/*
 * What to do with each message that a server lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/clock.h"
#include "client/conf/account.h"
#include "client/plan/plan.h"
#include "plan_sim.h"

enum { ROOM = 64, NOW = 1000000, DAY = 86400, MAX_SIZE = 1000 };
enum { NONE = 0, WEAK = 1000 }; /* a unique-id that is none; weak headers */

/* What is known and what is listed; small numbers say who is who. */
static struct message known[ROOM];
static struct listed listed[ROOM];
static unsigned header[ROOM]; /* of the listed ones */
static size_t n_known, n_listed;

static struct digest
digest_n(unsigned n)
{
	return digest_of((struct slice){ (const char *)&n, sizeof(n) });
}

static struct identity
identity_n(unsigned n)
{
	return (struct identity){ digest_n(n), n < WEAK };
}

static int
set_up(void **state)
{
	(void)state;
	memset(known, 0, sizeof(known));
	memset(listed, 0, sizeof(listed));
	n_known = n_listed = 0;
	return 0;
}

static void
know_at(enum message_where where, unsigned uid, uint64_t size, unsigned id,
    int64_t stored_at)
{
	known[n_known] = (struct message){ .id = 1 + (int64_t)n_known,
		.has_uid = uid != NONE,
		.uid = digest_n(uid),
		.size = size != 0 ? size : SIZE_UNKNOWN,
		.identity = identity_n(id),
		.has_identity = true,
		.where = where,
		.stored_at = stored_at };
	n_known++;
}

static void
know(unsigned uid, uint64_t size, unsigned id)
{
	know_at(MESSAGE_THERE, uid, size, id, NOW - DAY);
}

/* size 0: LIST did not have it */
static void
list(unsigned uid, uint64_t size, unsigned id)
{
	header[n_listed] = id;
	listed[n_listed] = (struct listed){ .msgno = (uint32_t)n_listed + 1,
		.size = size,
		.has_size = size != 0,
		.has_uid = uid != NONE,
		.uid = digest_n(uid) };
	n_listed++;
}

static struct plan *
make(int64_t keep, int64_t braked, bool accepted)
{
	struct plan_rules rules = { .now = NOW,
		.keep = keep,
		.max_size = MAX_SIZE,
		.braked = braked,
		.accepted = accepted };
	struct plan *p;

	assert_int_equal(
	    plan_new(&p, known, n_known, listed, n_listed, &rules), E_OK);
	return p;
}

static void
answer(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct identity id = identity_n(header[i]);

		if (p->v[i].ask)
			plan_header(p, i, &id);
	}
}

/* Asks, and answers truly if top; returns the plan.  `asked`: how many. */
static struct plan *
run_all(int64_t keep, int64_t braked, bool accepted, bool top, size_t asked)
{
	struct plan *p = make(keep, braked, accepted);

	assert_int_equal(plan_ask(p), asked);
	if (top)
		answer(p);
	plan_decide(p);
	return p;
}

static struct plan *
run(int64_t keep, size_t asked)
{
	return run_all(keep, 0, false, true, asked);
}

static struct plan *
run_without_top(int64_t keep, size_t asked)
{
	return run_all(keep, 0, false, false, asked);
}

static bool
retrieve(struct plan *p, size_t i)
{
	struct identity id = identity_n(header[i]);

	return plan_retrieved(p, i, &id);
}

#define EXPECT(p, i, what, row) \
	do { \
		assert_int_equal((p)->v[i].action, what); \
		assert_int_equal((p)->v[i].message, row); \
	} while (0)

static void
expect_uid(const struct message *m, unsigned uid, uint64_t size)
{
	assert_true(m->has_uid && digest_eq(m->uid, digest_n(uid)));
	assert_int_equal(m->size, size);
}

/* ---- the usual ---- */

static void
test_first(void **state)
{
	struct plan *p;

	(void)state;
	list(1, 100, 1);
	list(2, 100, 2);
	list(2, 100, 2); /* C-1939-05 */
	list(NONE, 100, 3);
	list(3, 0, 3);
	p = run(0, 0); /* there is nothing that they could be */
	for (size_t i = 0; i < n_listed; i++)
		EXPECT(p, i, PLAN_COLLECT, -1);
	assert_false(p->braked != 0 || p->no_uid);
	plan_free(p);
	n_listed = 0;
	plan_free(run(0, 0));
}

static void
test_nothing_new(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, WEAK);
	know_at(MESSAGE_GONE, 3, 100, 3, 0);
	know_at(MESSAGE_GONE, 1, 100, 4, 0); /* one that had this name */
	list(2, 100, WEAK);
	list(1, 100, 1);
	p = run(KEEP_ALWAYS, 0);
	EXPECT(p, 0, PLAN_LEAVE, 1);
	EXPECT(p, 1, PLAN_LEAVE, 0);
	for (size_t i = 0; i < n_known; i++)
		assert_false(p->dirty[i]);
	plan_free(p);
	list(4, 77, 4);
	p = run(2 * DAY, 0);
	EXPECT(p, 2, PLAN_COLLECT, -1);
	plan_free(p);
}

static void
test_gone(void **state)
{
	struct plan *p;

	(void)state;
	for (unsigned i = 1; i <= 30; i++)
		know_at(
		    i == 3 ? MESSAGE_DELETING : MESSAGE_THERE, i, 100, i, 0);
	p = run(KEEP_ALWAYS, 0); /* an empty maildrop is no alarm */
	assert_int_equal(p->braked, 0);
	for (size_t i = 0; i < n_known; i++) {
		assert_true(p->dirty[i]);
		assert_int_equal(known[i].where, MESSAGE_GONE);
		assert_int_equal(known[i].gone_at, NOW);
	}
	plan_free(p);
}

/* ---- doubts ---- */

static void
test_size_changed(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	know(3, 100, 3);
	know(4, 0, 4);
	know(5, 100, 5);
	list(1, 120, 1);
	list(2, 120, 9); /* another message */
	list(3, 100, 3);
	list(4, 100, 4);
	list(5, 0, 5);
	p = run(KEEP_ALWAYS, 5); /* more have changed than have not */
	EXPECT(p, 0, PLAN_LEAVE, 0);
	EXPECT(p, 1, PLAN_IDENTIFY, -1);
	EXPECT(p, 2, PLAN_LEAVE, 2);
	EXPECT(p, 3, PLAN_LEAVE, 3);
	EXPECT(p, 4, PLAN_LEAVE, 4);
	expect_uid(&known[0], 1, 120);
	expect_uid(&known[3], 4, 100);
	expect_uid(&known[4], 5, 100);
	assert_true(p->dirty[0] && p->dirty[1] && p->dirty[3]);
	assert_false(p->dirty[2] || p->dirty[4]);
	assert_int_equal(known[1].where, MESSAGE_GONE);
	/* RETR says the same. */
	assert_false(retrieve(p, 1));
	EXPECT(p, 1, PLAN_COLLECT, -1);
	assert_int_equal(known[1].where, MESSAGE_GONE);
	plan_free(p);
}

static void
test_size_changed_without_top(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	know(3, 100, 3);
	list(1, 120, 1);
	list(2, 120, 9);
	list(3, 100, 3);
	p = run_without_top(0, 3);
	EXPECT(p, 0, PLAN_IDENTIFY, -1);
	EXPECT(p, 1, PLAN_IDENTIFY, -1);
	EXPECT(p, 2, PLAN_LEAVE, 2); /* it is due, but nobody says who it is */
	assert_int_equal(p->n_unsure, 1);
	assert_int_equal(known[1].where, MESSAGE_THERE);
	assert_false(p->dirty[0] || p->dirty[1] || p->dirty[2]);
	assert_true(retrieve(p, 0));
	EXPECT(p, 0, PLAN_DELETE, 0);
	assert_int_equal(known[0].where, MESSAGE_DELETING);
	assert_int_equal(known[1].where, MESSAGE_THERE);
	assert_false(retrieve(p, 1));
	EXPECT(p, 1, PLAN_COLLECT, -1);
	assert_int_equal(known[1].where, MESSAGE_GONE); /* now it is known */
	assert_false(retrieve(p, 1));
	assert_false(retrieve(p, 2));
	EXPECT(p, 2, PLAN_LEAVE, 2);
	plan_free(p);
}

static void
test_back_again(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know_at(MESSAGE_GONE, 2, 100, 2, 0);
	know_at(MESSAGE_GONE, 3, 100, 3, 0);
	known[1].gone_at = known[2].gone_at = 5;
	list(1, 100, 1);
	list(2, 100, 2); /* back */
	list(3, 100, 9); /* its name is */
	p = run(KEEP_ALWAYS, 2);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	assert_int_equal(known[1].where, MESSAGE_THERE);
	assert_int_equal(known[1].gone_at, 0);
	assert_true(p->dirty[1]);
	assert_false(p->dirty[2]);
	assert_int_equal(p->v[2].message, -1);
	assert_false(retrieve(p, 2));
	plan_free(p);

	/* Never under another name: that is a copy that came again. */
	set_up(state);
	know_at(MESSAGE_GONE, 2, 100, 2, 0);
	know_at(MESSAGE_GONE, NONE, 100, 3, 0);
	list(4, 100, 2);
	list(NONE, 100, 3);
	p = run(KEEP_ALWAYS, 0);
	EXPECT(p, 0, PLAN_COLLECT, -1);
	EXPECT(p, 1, PLAN_COLLECT, -1);
	plan_free(p);
	know(5, 100, 2);
	list(2, 100, 2);
	p = run(KEEP_ALWAYS, 3);
	EXPECT(p, 2, PLAN_LEAVE, 0);
	EXPECT(p, 0, PLAN_LEAVE, 2); /* renamed: it had not gone */
	plan_free(p);
}

/* C-1939-05, M-12 */
static void
test_twins(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	list(1, 100, 1);
	list(1, 100, 1);
	p = run(0, 2);
	EXPECT(p, 0, PLAN_DELETE, 0);
	EXPECT(p, 1, PLAN_COLLECT, -1);
	plan_free(p);
	set_up(state);
	know(1, 100, 1);
	know(1, 100, 1);
	list(1, 100, 1);
	list(1, 100, 1);
	p = run(KEEP_ALWAYS, 2);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	plan_free(p);
	/* One of the two has gone; two rows, one listed. */
	n_listed = 1;
	p = run(KEEP_ALWAYS, 1);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	assert_int_equal(known[1].where, MESSAGE_GONE);
	plan_free(p);
	/* Neither name is known, and what is missing has another size. */
	set_up(state);
	know(1, 100, 1);
	know(2, 200, 2);
	list(1, 100, 1);
	list(3, 300, 3);
	list(3, 300, 2);
	list(4, 400, 4);
	p = run(KEEP_ALWAYS, 2);
	EXPECT(p, 1, PLAN_COLLECT, -1);
	EXPECT(p, 2, PLAN_LEAVE, 1);
	EXPECT(p, 3, PLAN_COLLECT, -1);
	plan_free(p);
	/* Only the name is the same; the one that was collected is deleted. */
	set_up(state);
	know(1, 100, 1);
	list(1, 100, 2);
	list(1, 100, 1);
	p = run(0, 2);
	EXPECT(p, 0, PLAN_COLLECT, -1);
	EXPECT(p, 1, PLAN_DELETE, 0);
	plan_free(p);
	p = run_without_top(0, 2);
	assert_false(retrieve(p, 0));
	assert_true(retrieve(p, 1));
	EXPECT(p, 1, PLAN_DELETE, 0);
	plan_free(p);
	/* The header is the same too, the size tells. */
	set_up(state);
	know(1, 200, 1);
	list(1, 100, 1);
	list(1, 200, 1);
	p = run(0, 2);
	EXPECT(p, 0, PLAN_COLLECT, -1);
	EXPECT(p, 1, PLAN_DELETE, 0);
	plan_free(p);
}

/* C-ENG-10 */
static void
test_no_uidl(void **state)
{
	struct plan *p;

	(void)state;
	know(NONE, 100, 1);
	know(NONE, 100, 2);
	know(NONE, 100, WEAK);
	know(NONE, 100, WEAK + 1);
	list(NONE, 100, WEAK);
	list(NONE, 90, 2);
	list(NONE, 100, 3);
	list(NONE, 90, WEAK + 1);
	p = run(KEEP_ALWAYS, 4);
	assert_true(p->no_uid);
	EXPECT(p, 0, PLAN_LEAVE, 2);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	assert_int_equal(p->v[2].message, -1);
	assert_int_equal(p->v[3].message, -1);
	assert_int_equal(known[0].where, MESSAGE_GONE);
	plan_free(p);
}

/* A session without UIDL takes no names away. */
static void
test_no_uidl_once(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	list(NONE, 100, 1);
	list(NONE, 110, 2);
	p = run(KEEP_ALWAYS, 2);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	expect_uid(&known[0], 1, 100);
	expect_uid(&known[1], 2, 110);
	assert_false(p->dirty[0]);
	plan_free(p);
	/* What may have been deleted. */
	known[0].where = known[1].where = MESSAGE_DELETING;
	listed[1].size = 115;
	p = run(KEEP_ALWAYS, 2);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	plan_free(p);
	/* Neither TOP: each is taken, none twice. */
	listed[1].size = 120;
	p = run_without_top(KEEP_ALWAYS, 2);
	EXPECT(p, 0, PLAN_IDENTIFY, -1);
	assert_true(retrieve(p, 1) && retrieve(p, 0));
	plan_free(p);
}

/* C-ENG-24 */
static void
test_all_renamed(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	know_at(MESSAGE_GONE, 3, 100, 3, 0);
	list(11, 500, 1);
	list(12, 500, 2);
	list(13, 500, 3);
	p = run(KEEP_ALWAYS, 3);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	EXPECT(p, 2, PLAN_COLLECT, -1);
	expect_uid(&known[0], 11, 500);
	expect_uid(&known[1], 12, 500);
	assert_true(p->dirty[0] && p->dirty[1]);
	plan_free(p);
}

/* A new message has the unique-id that an old one had, and another size: that
 * one is not there by its name, whatever this says. */
static void
test_all_renamed_and_a_name_reused(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	list(11, 500, 1);
	list(1, 300, 2);
	p = run(KEEP_ALWAYS, 2);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	EXPECT(p, 1, PLAN_COLLECT, -1);
	expect_uid(&known[0], 11, 500);
	plan_free(p);
}

/* Without TOP, and the run ends before all are known: nothing is forgotten. */
static void
test_all_renamed_without_top(void **state)
{
	struct plan *p;

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		know(i, 100, i);
		list(10 + i, 100 + i, i);
	}
	p = run_without_top(KEEP_ALWAYS, 3);
	for (size_t i = 0; i < 3; i++)
		EXPECT(p, i, PLAN_IDENTIFY, -1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(known[2].where, MESSAGE_THERE);
		assert_true(retrieve(p, i));
		EXPECT(p, i, PLAN_LEAVE, i);
	}
	plan_free(p);
}

/* M-11: a server that renames what was read. */
static void
test_some_renamed(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 200, 2);
	know(3, 300, 3);
	know_at(MESSAGE_DELETING, 4, 400, 4, 0);
	list(1, 100, 1);
	list(12, 200, 2);
	list(13, 300, 9);
	list(14, 400, 4);
	list(15, 500, 5);
	p = run(KEEP_ALWAYS, 3);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	EXPECT(p, 3, PLAN_LEAVE, 3);
	assert_int_equal(known[3].where, MESSAGE_THERE);
	EXPECT(p, 4, PLAN_COLLECT, -1);
	assert_false(retrieve(p, 2));
	assert_int_equal(known[2].where, MESSAGE_GONE);
	plan_free(p);
}

/* Unique-ids that are positions: the first of six has gone, a new one came, and two
 * have the same size. */
static void
test_numbers(void **state)
{
	struct plan *p;

	(void)state;
	for (unsigned i = 1; i <= 6; i++)
		know(i, i == 4 ? 103 : 100 + i, i);
	for (unsigned i = 2; i <= 6; i++)
		list(i - 1, i == 4 ? 103 : 100 + i, i);
	list(6, 107, 7);
	p = run(KEEP_ALWAYS, 6);
	for (size_t i = 0; i < 5; i++)
		EXPECT(p, i, PLAN_LEAVE, i + 1);
	assert_int_equal(p->v[5].message, -1);
	assert_false(retrieve(p, 5));
	assert_int_equal(known[0].where, MESSAGE_GONE);
	plan_free(p);
}

static void
test_names_exchanged(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 200, 2);
	list(1, 200, 2);
	list(2, 100, 1);
	p = run(0, 2);
	EXPECT(p, 0, PLAN_DELETE, 1);
	EXPECT(p, 1, PLAN_DELETE, 0);
	expect_uid(&known[0], 2, 100);
	expect_uid(&known[1], 1, 200);
	plan_free(p);
}

static void
test_weak(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, WEAK);
	know(2, 100, WEAK);
	list(1, 110, WEAK); /* the size is all that there is */
	list(12, 100, WEAK);
	p = run(0, 2);
	assert_int_equal(p->v[0].message, -1);
	EXPECT(p, 1, PLAN_DELETE, 0);
	assert_false(retrieve(p, 0));
	plan_free(p);
	/* Where it is not known the name says it, but not enough to delete. */
	set_up(state);
	know(1, 0, WEAK);
	know(2, 100, WEAK + 1);
	list(1, 100, WEAK);
	list(2, 0, WEAK + 1);
	p = run(0, 2);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	assert_int_equal(p->n_unsure, 2);
	expect_uid(&known[0], 1, 100);
	expect_uid(&known[1], 2, 100);
	plan_free(p);
}

/* TOP shows another header than RETR: what is here is not collected again. */
static void
test_lying_top(void **state)
{
	const struct identity lie = identity_n(99);
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	list(1, 100, 1);
	list(2, 120, 2);
	p = make(0, 0, false);
	assert_int_equal(plan_ask(p), 2);
	plan_header(p, 0, &lie);
	plan_header(p, 1, &lie);
	plan_decide(p);
	EXPECT(p, 0, PLAN_IDENTIFY, -1);
	EXPECT(p, 1, PLAN_IDENTIFY, -1);
	assert_true(retrieve(p, 0));
	assert_true(retrieve(p, 1));
	EXPECT(p, 0, PLAN_DELETE, 0);
	EXPECT(p, 1, PLAN_DELETE, 1);
	expect_uid(&known[1], 2, 120);
	plan_free(p);
}

/* ---- deleting ---- */

/* C-ENG-28 */
static void
test_due(void **state)
{
	struct plan *p;

	(void)state;
	know_at(MESSAGE_THERE, 1, 100, 1, NOW - DAY);
	know_at(MESSAGE_THERE, 2, 100, 2, NOW - DAY + 1);
	know_at(MESSAGE_THERE, 3, 100, 3, NOW + DAY); /* the clock went back */
	list(1, 100, 1);
	list(2, 100, 2);
	list(3, 100, 3);
	p = run(DAY, 1);
	EXPECT(p, 0, PLAN_DELETE, 0);
	assert_int_equal(known[0].where, MESSAGE_DELETING);
	assert_true(p->dirty[0]);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	EXPECT(p, 2, PLAN_LEAVE, 2);
	plan_free(p);
	plan_free(run(KEEP_ALWAYS, 0));
	assert_int_equal(known[0].where, MESSAGE_THERE);
	p = run(0, 3);
	EXPECT(p, 2, PLAN_DELETE, 2);
	plan_free(p);
}

static void
test_due_but_another(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	list(1, 100, 9); /* the same name, the same size */
	list(2, 100, 2);
	p = run(0, 2);
	assert_int_equal(p->v[0].message, -1);
	assert_int_not_equal(p->v[0].action, PLAN_DELETE);
	EXPECT(p, 1, PLAN_DELETE, 1);
	assert_int_equal(known[0].where, MESSAGE_GONE);
	assert_false(retrieve(p, 0));
	EXPECT(p, 0, PLAN_COLLECT, -1);
	plan_free(p);
}

static void
test_due_unsure(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know_at(MESSAGE_DELETING, 2, 100, 2, 0);
	know(3, 100, 3);
	known[2].has_identity = false;
	list(1, 100, 1);
	list(2, 100, 2);
	list(3, 100, 3);
	p = run_without_top(0, 2);
	for (size_t i = 0; i < 3; i++)
		EXPECT(p, i, PLAN_LEAVE, i);
	assert_int_equal(p->n_unsure, 3);
	assert_int_equal(known[0].where, MESSAGE_THERE);
	assert_int_equal(known[1].where, MESSAGE_DELETING);
	plan_free(p);
	/* Another one cannot take the row of the unsure one. */
	list(4, 100, 1);
	p = make(0, 0, false);
	plan_ask(p);
	plan_header(p, 3, &(struct identity){ digest_n(1), true });
	plan_decide(p);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	assert_int_equal(p->v[3].message, -1);
	plan_free(p);
}

/* C-ENG-20 */
static void
test_deleting(void **state)
{
	struct plan *p;

	(void)state;
	know_at(MESSAGE_DELETING, 1, 100, 1, NOW - DAY);
	know_at(MESSAGE_DELETING, 2, 100, 2, NOW - DAY);
	list(1, 100, 1);
	p = run_all(0, 1, false, true, 0);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	assert_int_equal(known[0].where, MESSAGE_DELETING);
	assert_int_equal(known[1].where, MESSAGE_DELETING);
	plan_free(p);
	p = run(0, 1);
	EXPECT(p, 0, PLAN_DELETE, 0);
	assert_int_equal(known[1].where, MESSAGE_GONE);
	plan_free(p);
	/* The person keeps them now. */
	p = run(KEEP_ALWAYS, 0);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	assert_int_equal(known[0].where, MESSAGE_THERE);
	assert_true(p->dirty[0]);
	plan_free(p);
}

static void
test_held(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	know(3, 100, 3);
	list(1, 100, 1);
	list(3, 120, 3);
	list(4, 90, 4);
	p = run_all(0, 1, false, true, 2);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	EXPECT(p, 1, PLAN_LEAVE, 2);
	EXPECT(p, 2, PLAN_IDENTIFY, -1);
	assert_int_equal(p->n_unsure, 0);
	assert_int_equal(known[1].where, MESSAGE_THERE);
	plan_free(p);
	/* The change is right. */
	p = run_all(0, 0, true, true, 2);
	EXPECT(p, 0, PLAN_DELETE, 0);
	EXPECT(p, 1, PLAN_DELETE, 2);
	assert_int_equal(p->braked, 0);
	assert_int_equal(known[1].where, MESSAGE_GONE);
	plan_free(p);
}

/* ---- what is only to be deleted is verified behind new mail ---- */

static struct plan *
run_later(size_t asked)
{
	struct plan_rules rules = {
		.now = NOW, .max_size = MAX_SIZE, .verify_later = true
	};
	struct plan *p;

	assert_int_equal(
	    plan_new(&p, known, n_known, listed, n_listed, &rules), E_OK);
	assert_int_equal(plan_ask(p), asked);
	answer(p);
	plan_decide(p);
	return p;
}

static void
test_verify_later(void **state)
{
	struct identity id = identity_n(1);
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 200, 2);
	know(3, 300, 3);
	list(1, 100, 1);
	list(2, 200, 2);
	list(4, 400, 4);
	p = run_later(0);
	EXPECT(p, 0, PLAN_VERIFY, 0);
	EXPECT(p, 1, PLAN_VERIFY, 1);
	EXPECT(p, 2, PLAN_COLLECT, -1);
	assert_int_equal(known[0].where, MESSAGE_THERE);
	plan_verified(p, 0, &id);
	EXPECT(p, 0, PLAN_DELETE, 0);
	assert_int_equal(known[0].where, MESSAGE_DELETING);
	assert_int_equal(known[2].where, MESSAGE_THERE);
	plan_verified(p, 1, NULL);
	EXPECT(p, 1, PLAN_LEAVE, 1);
	assert_int_equal(p->n_unsure, 1);
	assert_int_equal(known[2].where, MESSAGE_GONE);
	plan_free(p);
}

/* Names that have moved on to other messages: nothing is deleted, and what has
 * gone is not said before all headers are known. */
static void
test_verify_misnamed(void **state)
{
	struct identity id = identity_n(2);
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	know(2, 100, 2);
	list(1, 100, 2);
	p = run_later(0);
	plan_verified(p, 0, &id);
	assert_true(p->misnamed);
	EXPECT(p, 0, PLAN_LEAVE, 0);
	assert_int_equal(known[0].where, MESSAGE_THERE);
	assert_int_equal(known[1].where, MESSAGE_THERE);
	plan_free(p);
	p = run(0, 1);
	EXPECT(p, 0, PLAN_DELETE, 1);
	assert_int_equal(known[0].where, MESSAGE_GONE);
	plan_free(p);
}

/* A session ended among the headers: those that have come are not asked for
 * again, and nothing else is decided. */
static void
test_remember(void **state)
{
	struct identity id = identity_n(1);
	struct plan *p;

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		know(i, 0, i);
		list(i, 100 * i, i);
	}
	p = make(KEEP_ALWAYS, 0, false);
	assert_int_equal(plan_ask(p), 3);
	plan_header(p, 0, &id);
	plan_remember(p);
	assert_true(p->dirty[0] && !p->dirty[1]);
	assert_int_equal(known[0].size, 100);
	assert_int_equal(known[1].where, MESSAGE_THERE);
	plan_free(p);
	p = make(KEEP_ALWAYS, 0, false);
	assert_int_equal(plan_ask(p), 2);
	plan_free(p);
}

/* ---- the brake ---- */

struct change {
	unsigned there, missing, unknown; /* should be; of those; new ones */
	bool accepted;
	int64_t keep;
	unsigned large; /* of the new ones: more than max_size */
};

static struct change
change(unsigned there, unsigned missing, unsigned unknown)
{
	return (struct change){
		.there = there, .missing = missing, .unknown = unknown
	};
}

static struct plan *
run_brake(const struct change *c, bool top)
{
	struct plan *p;

	set_up(NULL);
	for (unsigned i = 0; i < c->there; i++) {
		know(1 + i, 100, 1 + i);
		if (i >= c->missing)
			list(1 + i, 100, 1 + i);
	}
	for (unsigned i = 0; i < c->unknown; i++)
		list(100 + i, i < c->large ? MAX_SIZE + 1 : 200, 100 + i);
	p = make(c->keep, 0, c->accepted);
	plan_ask(p);
	if (top)
		answer(p);
	plan_decide(p);
	return p;
}

/* What its own header shows to be here is deleted all the same. */
static bool
brakes(struct change c)
{
	struct plan *p = run_brake(&c, true);
	int64_t braked = p->braked;
	size_t held = 0, n = 0;

	assert_true(braked == 0 || braked == 1 + (int64_t)c.there);
	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].action == PLAN_COLLECT ||
		     p->v[i].action == PLAN_IDENTIFY;
	assert_int_equal(n, c.unknown);
	for (size_t i = 0; i < c.there - c.missing; i++)
		EXPECT(p, i, c.keep == 0 ? PLAN_DELETE : PLAN_LEAVE,
		    c.missing + i);
	for (size_t i = 0; i < c.missing; i++)
		assert_int_equal(
		    known[i].where, braked ? MESSAGE_THERE : MESSAGE_GONE);
	if (braked != 0 && c.keep == 0)
		held = c.unknown - c.large;
	assert_int_equal(plan_n_held(p), held);
	plan_free(p);
	return braked != 0;
}

static void
test_brake(void **state)
{
	struct change c = change(20, 20, 20);

	(void)state;
	assert_true(brakes(c));
	assert_true(brakes(change(20, 20, 10)));
	assert_true(brakes(change(20, 11, 10)));
	assert_false(brakes(change(19, 19, 20))); /* too few */
	assert_false(brakes(change(20, 20, 9)));
	assert_false(brakes(change(20, 10, 20))); /* half is there */
	assert_false(brakes(change(30, 16, 13))); /* is known */
	assert_false(brakes(change(20, 20, 0)));  /* emptied */
	c.accepted = true;                        /* a person has said so */
	assert_false(brakes(c));
}

/* Only where something would be deleted, now or some day. */
static void
test_brake_is_for_deleting(void **state)
{
	struct change c = change(20, 20, 30);

	(void)state;
	c.keep = KEEP_ALWAYS;
	assert_false(brakes(c));
	c.keep = 7 * DAY;
	assert_true(brakes(c));
	c.large = 20;
	assert_true(brakes(c));
	c.large = 21;
	assert_false(brakes(c));
	c.keep = 0;
	assert_false(brakes(c));
	c.large = 20;
	assert_true(brakes(c));
}

/* ---- a brake that holds ---- */

enum { BEFORE = 20, LATE = 12 };

/* 20 were here before it, and 12 have come since. */
static void
under_brake(void)
{
	set_up(NULL);
	for (unsigned i = 1; i <= BEFORE + LATE; i++)
		know_at(MESSAGE_THERE, i, 100, i, NOW - 300 * DAY);
}

static struct plan *
run_braked(int64_t keep)
{
	struct plan *p = make(keep, BEFORE + 1, false);

	plan_ask(p);
	answer(p);
	plan_decide(p);
	return p;
}

static void
list_from(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		list(1 + i, 100, 1 + i);
}

static void
test_brake_lasts(void **state)
{
	static const int64_t keep[] = { 0, DAY };
	struct plan *p;

	(void)state;
	/* Neither time ends it, nor that less than half are back, nor that most
	 * of what is there is known by now, nor that few are left. */
	for (size_t i = 0; i < 2; i++) {
		under_brake();
		list_from(BEFORE - 9, BEFORE + 1);
		p = run_braked(keep[i]);
		assert_int_equal(p->braked, BEFORE + 1);
		for (size_t k = 0; k < 9; k++)
			EXPECT(p, k, PLAN_DELETE, BEFORE - 9 + k);
		EXPECT(p, 9, PLAN_LEAVE, BEFORE);
		assert_false(p->v[9].ask); /* at each run */
		assert_int_equal(plan_n_held(p), 1);
		assert_int_equal(p->n_unsure, 0);
		assert_int_equal(known[0].where, MESSAGE_THERE);
		assert_int_equal(known[BEFORE + 1].where, MESSAGE_THERE);
		plan_free(p);
	}
	/* It is not due yet. */
	p = run_braked(301 * DAY);
	assert_int_equal(p->braked, BEFORE + 1);
	assert_int_equal(plan_n_held(p), 0);
	plan_free(p);
	/* One that could be collected is a reason, too. */
	under_brake();
	list(500, 100, 500);
	p = run_braked(0);
	EXPECT(p, 0, PLAN_IDENTIFY, -1);
	assert_int_equal(p->braked, BEFORE + 1);
	assert_int_equal(plan_n_held(p), 1);
	plan_free(p);
}

static void
test_brake_ends(void **state)
{
	struct plan *p;

	(void)state;
	/* Half of them are back. */
	under_brake();
	list_from(BEFORE / 2, BEFORE + LATE);
	p = run_braked(0);
	assert_int_equal(p->braked, 0);
	for (size_t i = 0; i < p->n; i++)
		EXPECT(p, i, PLAN_DELETE, BEFORE / 2 + i);
	assert_int_equal(known[0].where, MESSAGE_GONE);
	plan_free(p);
	/* They are, by other names and of other sizes: only the headers tell.
	 * What came under the brake is asked for in the next run. */
	under_brake();
	for (unsigned i = 0; i < BEFORE; i++)
		list(100 + i, 300, 1 + i);
	list_from(BEFORE, BEFORE + LATE);
	p = run_braked(0);
	assert_int_equal(p->braked, 0);
	for (size_t i = 0; i < p->n; i++)
		EXPECT(p, i, i < BEFORE ? PLAN_DELETE : PLAN_LEAVE, i);
	assert_int_equal(p->n_unsure, 0);
	plan_free(p);
	/* Nothing is left that would be deleted. */
	under_brake();
	p = run_braked(0);
	assert_int_equal(p->braked, 0);
	assert_int_equal(known[0].where, MESSAGE_GONE);
	plan_free(p);
	under_brake();
	list(500, MAX_SIZE + 1, 500);
	list_from(BEFORE - 1, BEFORE);
	p = run_braked(0);
	assert_int_equal(p->braked, 0);
	plan_free(p);
	/* All is kept now. */
	under_brake();
	list_from(BEFORE, BEFORE + LATE);
	p = run_braked(KEEP_ALWAYS);
	assert_int_equal(p->braked, 0);
	assert_int_equal(known[0].where, MESSAGE_GONE);
	plan_free(p);
}

/* A weak header and a size may be another message's. */
static void
test_brake_and_weak_headers(void **state)
{
	struct plan *p;

	(void)state;
	under_brake();
	known[BEFORE - 1].identity = identity_n(WEAK);
	list(BEFORE, 100, WEAK);
	list_from(BEFORE, BEFORE + LATE);
	p = run_braked(0);
	EXPECT(p, 0, PLAN_LEAVE, BEFORE - 1);
	assert_int_equal(plan_n_held(p), 1 + LATE);
	plan_free(p);
	/* Without it this one would stay all the same. */
	under_brake();
	known[BEFORE - 1].identity = identity_n(WEAK);
	list(BEFORE, 100, WEAK);
	list_from(BEFORE, BEFORE + LATE);
	p = make(0, BEFORE + 1, false);
	plan_ask(p);
	plan_decide(p);
	assert_int_equal(plan_n_held(p), LATE);
	plan_free(p);
}

/* That all rows came under it was all that an older version knew. */
static void
test_brake_of_all_rows(void **state)
{
	struct plan *p;

	(void)state;
	under_brake();
	list_from(0, BEFORE + LATE);
	p = make(0, 1, false);
	assert_int_equal(plan_ask(p), 0);
	plan_decide(p);
	assert_int_equal(p->braked, 1);
	assert_int_equal(plan_n_held(p), BEFORE + LATE);
	plan_free(p);
}

/* By our record the missing are not there, or nobody knows. */
static void
test_brake_counts_no_others(void **state)
{
	static const enum message_where wheres[] = { MESSAGE_DELETING,
		MESSAGE_GONE };
	struct plan *p;

	for (unsigned i = 0; i < 4; i++) {
		set_up(state);
		for (unsigned k = 1; k <= 30; k++) {
			know(k, 100, k);
			if (i < 2)
				known[k - 1].where = wheres[i];
			else if (i == 2)
				known[k - 1].size = SIZE_UNKNOWN; /* rebuilt */
			else
				known[k - 1].has_uid = false;
		}
		for (unsigned k = 0; k < 20; k++)
			list(100 + k, 200, 100 + k);
		p = make(0, 0, false);
		plan_ask(p);
		answer(p);
		plan_decide(p);
		assert_int_equal(p->braked, 0);
		assert_int_equal(known[0].where, MESSAGE_GONE);
		plan_free(p);
	}
}

static void
test_brake_counts(void **state)
{
	struct plan *p;

	/* Many have gone, but most of what is listed is known. */
	set_up(state);
	for (unsigned i = 1; i <= 30; i++) {
		know(i, 100, i);
		if (i > 16)
			list(i, 100, i);
	}
	list(100, 300, 100);
	p = run(KEEP_ALWAYS, 0);
	assert_int_equal(p->braked, 0);
	plan_free(p);
	/* Most of them are renamed, with other sizes. */
	set_up(state);
	for (unsigned i = 1; i <= 30; i++) {
		know(i, 100, i);
		list(i < 10 ? i : 100 + i, i < 10 ? 100 : 300, i);
	}
	p = run(KEEP_ALWAYS, 21);
	assert_int_equal(p->braked, 0);
	for (size_t i = 0; i < p->n; i++)
		EXPECT(p, i, PLAN_LEAVE, i);
	plan_free(p);
	/* Renamed, all of them: they are found. */
	set_up(state);
	for (unsigned i = 1; i <= 30; i++) {
		know(i, 100, i);
		list(100 + i, 300, i);
	}
	p = run(0, 30);
	assert_int_equal(p->braked, 0);
	for (size_t i = 0; i < p->n; i++)
		EXPECT(p, i, PLAN_DELETE, i);
	plan_free(p);
}

static void
test_brake_without_top(void **state)
{
	struct change c = change(20, 20, 12);
	struct plan *p = run_brake(&c, false);

	(void)state;
	assert_int_equal(p->braked, 21);
	header[0] = 7;
	for (size_t i = 0; i < 12; i++)
		EXPECT(p, i, PLAN_IDENTIFY, -1);
	assert_true(retrieve(p, 0));
	EXPECT(p, 0, PLAN_DELETE, 6);
	for (size_t i = 1; i < 12; i++)
		assert_false(retrieve(p, i));
	plan_end(p);
	assert_int_equal(p->braked, 21);
	assert_int_equal(plan_n_held(p), 11);
	assert_int_equal(known[0].where, MESSAGE_THERE);
	plan_free(p);
	/* They are the old ones, as RETR shows. */
	set_up(state);
	for (unsigned i = 1; i <= 30; i++) {
		know(i, 100, i);
		list(100 + i, 100, i);
	}
	p = run_without_top(0, 30);
	assert_int_equal(p->braked, 31);
	for (size_t i = 0; i < 30; i++) {
		assert_true(retrieve(p, i));
		EXPECT(p, i, PLAN_DELETE, i);
	}
	plan_end(p);
	assert_int_equal(p->braked, 0);
	assert_int_equal(plan_n_held(p), 0);
	plan_free(p);
	/* A server without names and without TOP always looks so. */
	set_up(state);
	for (unsigned i = 1; i <= 30; i++) {
		know(NONE, 100, i);
		list(NONE, 100, i);
	}
	p = run_without_top(DAY + 1, 30);
	assert_int_equal(p->braked, 0);
	for (size_t i = 0; i < 30; i++)
		assert_true(retrieve(p, i));
	plan_free(p);
	for (size_t i = 0; i < 30; i++)
		header[i] = 100 + (unsigned)i;
	p = run(DAY + 1, 30);
	assert_int_equal(p->braked, 31);
	plan_free(p);
	/* But that ends no brake. */
	p = make(DAY + 1, 31, false);
	plan_ask(p);
	plan_decide(p);
	assert_int_equal(p->braked, 31);
	plan_free(p);
}

/* ---- a record that was rebuilt ---- */

static void
test_rebuilt(void **state)
{
	struct plan *p;

	(void)state;
	know(1, 0, 1);
	know(2, 0, 2);
	know(NONE, 0, 3);
	know(NONE, 0, WEAK);
	list(1, 100, 1);
	list(7, 100, 3);
	list(8, 100, 4);
	list(9, 100, WEAK);
	p = run(0, 4);
	EXPECT(p, 0, PLAN_DELETE, 0);
	EXPECT(p, 1, PLAN_DELETE, 2);
	assert_int_equal(p->v[2].message, -1);
	assert_int_equal(p->v[3].message, -1); /* too little is known */
	assert_int_equal(known[1].where, MESSAGE_GONE);
	plan_free(p);
}

/* ---- bounds ---- */

static void
test_memory(void **state)
{
	unsigned n = 0;
	struct plan *p;

	(void)state;
	know(1, 100, 1);
	list(1, 100, 1);
	do {
		enum err e;

		alloc_fail(++n);
		e = plan_new(&p, known, n_known, listed, n_listed,
		    &(struct plan_rules){ .now = NOW });
		assert_int_equal(e, alloc_failed() ? E_NOMEM : E_OK);
		assert_int_equal(p == NULL, alloc_failed());
		if (p != NULL)
			plan_free(p);
	} while (alloc_failed());
	alloc_fail(0);
	assert_true(n > 10);
}

enum { MANY = 100000 };

/* same: all look alike; renamed: all have new names */
static uint64_t
time_many(bool same, bool renamed, bool top)
{
	struct message *k = calloc(MANY, sizeof(*k));
	struct listed *l = calloc(MANY, sizeof(*l));
	uint64_t from;
	struct plan *p;

	assert_true(k != NULL && l != NULL);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned id = same ? 1 : i;

		k[i] = (struct message){ .has_uid = true,
			.uid = digest_n(id),
			.size = 100,
			.identity = identity_n(id),
			.has_identity = true };
		l[MANY - 1 - i] = (struct listed){ .has_uid = true,
			.uid = digest_n(renamed ? MANY + id : id),
			.has_size = true,
			.size = 100 };
	}
	from = clock_ms();
	assert_int_equal(
	    plan_new(&p, k, MANY, l, MANY,
		&(struct plan_rules){ .now = NOW, .keep = KEEP_ALWAYS }),
	    E_OK);
	assert_int_equal(plan_ask(p), same || renamed ? MANY : 0);
	for (unsigned i = 0; i < MANY && top; i++)
		if (p->v[i].ask) {
			struct identity id =
			    identity_n(same ? 1 : MANY - 1 - i);

			plan_header(p, i, &id);
		}
	plan_decide(p);
	for (unsigned i = 0; i < MANY && !top; i++)
		if (p->v[i].action == PLAN_IDENTIFY) {
			struct identity id =
			    identity_n(same ? 1 : MANY - 1 - i);

			assert_true(plan_retrieved(p, i, &id));
		}
	from = clock_ms() - from;
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(p->v[i].action, PLAN_LEAVE);
	plan_free(p);
	free(k);
	free(l);
	return from;
}

static void
test_many(void **state)
{
	static const struct {
		bool same, renamed, top;
	} cases[] = { { 0, 0, 0 }, { 0, 1, 1 }, { 1, 0, 1 }, { 1, 1, 1 },
		{ 0, 1, 0 }, { 1, 0, 0 }, { 1, 1, 0 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ms =
		    time_many(cases[i].same, cases[i].renamed, cases[i].top);

		print_message("%d known and listed, case %u: %u ms\n", MANY, i,
		    (unsigned)ms);
		assert_true(ms < 10000); /* of one that is quadratic: minutes */
	}
}

/* ---- any ---- */

static uint32_t
next_random(void *arg)
{
	uint64_t *x = arg; /* splitmix64 */
	uint64_t z = *x += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z >> 32);
}

/* PLAN_SEED is the first of PLAN_RUNS. */
static void
test_any(void **state)
{
	const char *seed = getenv("PLAN_SEED"), *runs = getenv("PLAN_RUNS");
	unsigned from = seed == NULL ? 0 : (unsigned)strtoul(seed, NULL, 10);
	unsigned n = runs == NULL ? 4000 : (unsigned)strtoul(runs, NULL, 10);

	(void)state;
	for (unsigned i = from; i < from + n; i++) {
		char words[PLAN_SIM_WORDS];
		uint64_t x = i;

		if (plan_sim((struct plan_sim_source){ next_random, &x }, 12,
			words) != NULL)
			fail_msg("PLAN_SEED=%u: %s", i, words);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first),
		TEST(test_nothing_new),
		TEST(test_gone),
		TEST(test_size_changed),
		TEST(test_size_changed_without_top),
		TEST(test_back_again),
		TEST(test_twins),
		TEST(test_no_uidl),
		TEST(test_no_uidl_once),
		TEST(test_all_renamed),
		TEST(test_all_renamed_and_a_name_reused),
		TEST(test_all_renamed_without_top),
		TEST(test_some_renamed),
		TEST(test_numbers),
		TEST(test_names_exchanged),
		TEST(test_weak),
		TEST(test_lying_top),
		TEST(test_due),
		TEST(test_due_but_another),
		TEST(test_due_unsure),
		TEST(test_deleting),
		TEST(test_held),
		TEST(test_verify_later),
		TEST(test_verify_misnamed),
		TEST(test_remember),
		TEST(test_brake),
		TEST(test_brake_is_for_deleting),
		TEST(test_brake_lasts),
		TEST(test_brake_ends),
		TEST(test_brake_and_weak_headers),
		TEST(test_brake_of_all_rows),
		TEST(test_brake_counts_no_others),
		TEST(test_brake_counts),
		TEST(test_brake_without_top),
		TEST(test_rebuilt),
		TEST(test_memory),
		TEST(test_many),
		TEST(test_any),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
