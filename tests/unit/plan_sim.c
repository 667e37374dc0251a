#include "plan_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/conf/account.h"
#include "client/plan/plan.h"

enum { MESSAGES = 160, ROWS = 4 * MESSAGES, DAY = 86400 };

/* What the server has had.  Two with one content are the same octets. */
struct mail {
	unsigned content;
	unsigned uid;
	bool there;
	bool back;     /* since the last session that went well */
	bool deleted;  /* for good, by whomever */
	bool uid_seen; /* as it is now, in a session that went well */
	bool seen;     /* in such a session */
};

/* Tricks that a run may play.  Some exclude each other, as both together make two
 * messages look alike, or one look like two, whatever a client does. */
struct tricks {
	bool few_sizes;  /* many messages have the same */
	bool numbers;    /* unique-ids are positions */
	bool reuse;      /* of a unique-id by another message */
	bool wrong_size; /* another size each time */
	bool rename_some, rename_all;
	bool vanish;   /* and return */
	bool exchange; /* of most messages for others, and back */
	bool copies;   /* the same octets twice */
	bool no_uidl, no_top, no_list, lying_top;
	bool crash, lost_quit;
	bool poison; /* RETR fails for some */
	unsigned
	    weak; /* one of so many messages has a weak identity; 0: none */
	bool weak_same; /* and these look alike but for the size */
};

struct sim {
	struct plan_sim_source source;
	char *words;
	struct tricks tricks;
	struct mail mail[MESSAGES];
	unsigned n, next_content, next_uid;
	unsigned collected[MESSAGES], deleted[MESSAGES];
	struct message row[ROWS];
	unsigned row_content[ROWS];
	size_t n_rows;
	int64_t now, keep;
	int64_t braked;
	bool late[MESSAGES]; /* contents that came under the brake */
	bool all_first;      /* the last plan was misnamed */

	/* This session. */
	bool uidl, list, top, lie, crash, quit;
	struct plan *plan;
	struct message known[ROWS]; /* not yet saved */
	struct listed listed[MESSAGES];
	unsigned who[MESSAGES]; /* the mail at each place */
	bool dele[MESSAGES], failed[MESSAGES];
	size_t n_listed;
};

/* ---- chance ---- */

static unsigned
below(struct sim *s, unsigned n)
{
	return s->source.next(s->source.arg) % n;
}

static bool
one_in(struct sim *s, unsigned n)
{
	return below(s, n) == 0;
}

static bool
wrong(struct sim *s, const char *what, unsigned content)
{
	if (s->words[0] == '\0')
		snprintf(
		    s->words, PLAN_SIM_WORDS, "%s (content %u)", what, content);
	return false;
}

/* ---- what a message is ---- */

static struct digest
digest_n(unsigned kind, unsigned n)
{
	unsigned v[2] = { kind, n };

	return digest_of((struct slice){ (const char *)v, sizeof(v) });
}

static struct identity
identity_of(const struct sim *s, unsigned content)
{
	const struct tricks *t = &s->tricks;
	bool weak = t->weak != 0 && content % t->weak == 0;

	return (struct identity){
		digest_n(weak, weak && t->weak_same ? 0 : content), !weak
	};
}

static uint64_t
size_of(struct sim *s, unsigned content)
{
	if (s->tricks.wrong_size && identity_of(s, content).strong &&
	    one_in(s, 8))
		return 100000 + below(s, 1u << 30);
	return 1000 + (s->tricks.few_sizes ? content % 5 : content);
}

/* ---- what happens on the server ---- */

/* -1: there is none such. */
static int
any_mail(struct sim *s, bool there)
{
	unsigned from = below(s, MESSAGES);

	for (unsigned i = 0; i < s->n; i++) {
		unsigned k = (from + i) % s->n;

		if (s->mail[k].there == there && !s->mail[k].deleted)
			return (int)k;
	}
	return -1;
}

static struct mail *
arrive(struct sim *s)
{
	struct mail *m = &s->mail[s->n];

	if (s->n == MESSAGES)
		return NULL;
	s->n++;
	*m = (struct mail){ .content = s->next_content++,
		.uid = s->next_uid++,
		.there = true };
	return m;
}

static void
arrive_with_old_uid(struct sim *s)
{
	unsigned k = s->n == 0 ? 0 : below(s, s->n);
	struct mail *m = s->n == 0 ? NULL : arrive(s);

	if (m != NULL)
		m->uid = s->mail[k].uid;
}

static void
arrive_as_copy(struct sim *s)
{
	int k = any_mail(s, true);
	struct mail *m = k < 0 ? NULL : arrive(s);

	if (m == NULL)
		return;
	m->content = s->mail[k].content;
	if (one_in(s, 2))
		m->uid = s->mail[k].uid;
}

static void
rename_mail(struct sim *s, unsigned one_of)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->mail[i].there || s->mail[i].back || !one_in(s, one_of))
			continue;
		s->mail[i].uid = s->next_uid++;
		s->mail[i].uid_seen = false;
	}
}

static void
be_deleted(struct sim *s)
{
	int k = any_mail(s, true);

	if (k >= 0) {
		s->mail[k].there = false;
		s->mail[k].deleted = true;
	}
}

static void
vanish_or_return(struct sim *s)
{
	bool there = one_in(s, 2);
	int k = any_mail(s, there);

	/* Under a name that the client has never heard, it would be new. */
	if (k < 0 || (there && !s->mail[k].uid_seen))
		return;
	s->mail[k].there = !there;
	s->mail[k].back = !there;
}

/* Another maildrop is there, or the one that was there before. */
static void
exchange(struct sim *s)
{
	bool away = one_in(s, 2);

	for (unsigned i = 0; i < s->n; i++) {
		struct mail *m = &s->mail[i];

		if (m->deleted || !m->uid_seen || one_in(s, 5))
			continue;
		m->back = m->back || (!away && !m->there);
		m->there = !away;
	}
	for (unsigned n = 10 + below(s, 30); away && n > 0; n--)
		arrive(s);
}

static void
happen(struct sim *s)
{
	const struct tricks *t = &s->tricks;

	switch (below(s, 16)) {
	case 0:
		if (t->reuse)
			arrive_with_old_uid(s);
		break;
	case 1:
		if (t->copies)
			arrive_as_copy(s);
		break;
	case 2:
		if (t->rename_some)
			rename_mail(s, 4);
		break;
	case 3:
		if (t->rename_all)
			rename_mail(s, 1);
		break;
	case 4:
	case 5:
		if (t->vanish)
			vanish_or_return(s);
		break;
	case 6:
	case 7:
	case 8: be_deleted(s); break;
	case 9:
		if (one_in(s, 6))
			for (unsigned n = below(s, 30); n > 0; n--)
				be_deleted(s);
		break;
	case 10:
		if (one_in(s, 3))
			for (unsigned n = below(s, 40); n > 0; n--)
				arrive(s);
		break;
	default: arrive(s); break;
	}
}

/* ---- a session ---- */

static void
list(struct sim *s)
{
	s->n_listed = 0;
	for (unsigned i = 0; i < s->n; i++) {
		struct listed *l = &s->listed[s->n_listed];

		if (!s->mail[i].there)
			continue;
		s->who[s->n_listed++] = i;
		if (s->tricks.numbers)
			s->mail[i].uid = (unsigned)s->n_listed;
		*l = (struct listed){ .msgno = (uint32_t)s->n_listed,
			.has_size = s->list,
			.has_uid = s->uidl };
		if (s->list)
			l->size = size_of(s, s->mail[i].content);
		if (s->uidl)
			l->uid = digest_n(9, s->mail[i].uid);
	}
	memset(s->dele, 0, sizeof(s->dele));
	memset(s->failed, 0, sizeof(s->failed));
}

static unsigned
content_at(const struct sim *s, size_t i)
{
	return s->mail[s->who[i]].content;
}

static void
answer(struct sim *s)
{
	plan_ask(s->plan);
	for (size_t i = 0; i < s->n_listed; i++) {
		struct identity id = identity_of(s, content_at(s, i));

		if (!s->plan->v[i].ask)
			continue;
		if (s->lie)
			id.header = digest_n(5, below(s, 3));
		plan_header(s->plan, i,
		    s->top && !(s->tricks.no_top && one_in(s, 10)) ? &id
								   : NULL);
	}
}

static void
save(struct sim *s)
{
	for (size_t i = 0; i < s->plan->n_known; i++) {
		if (s->plan->dirty[i])
			s->row[i] = s->known[i];
		s->plan->dirty[i] = false;
	}
}

/* Nothing that came under the brake may be deleted, nor on weak evidence. */
static bool
may_delete(const struct sim *s, const struct message *m)
{
	return s->plan->braked == 0 ||
	       (m->id < s->plan->braked && m->identity.strong);
}

/* The row says that it is this message: is it? */
static bool
check_match(struct sim *s, size_t i)
{
	const struct plan_item *t = &s->plan->v[i];
	unsigned content = content_at(s, i);

	if (t->message < 0)
		return t->action == PLAN_COLLECT || t->action == PLAN_IDENTIFY
			   ? true
			   : wrong(s, "left or deleted, of no row", content);
	if (t->action == PLAN_VERIFY || (s->plan->misnamed && t->sure))
		return true; /* it is not said yet */
	if (s->row_content[t->message] != content)
		return wrong(s, "taken for another", content);
	if (t->action != PLAN_DELETE)
		return true;
	if (!may_delete(s, &s->known[t->message]) ||
	    (s->plan->braked != 0 && !s->tricks.copies && s->late[content]))
		return wrong(s, "deleted while braked", content);
	if (!t->answered || s->known[t->message].where != MESSAGE_DELETING)
		return wrong(s, "deleted on doubt", content);
	return true;
}

static bool
check_plan(struct sim *s)
{
	static bool taken[ROWS];

	memset(taken, 0, sizeof(taken));
	for (size_t i = 0; i < s->n_listed; i++) {
		const struct plan_item *t = &s->plan->v[i];

		if (!check_match(s, i))
			return false;
		if (t->message >= 0 && taken[t->message])
			return wrong(s, "one row, two messages", 0);
		if (t->message >= 0)
			taken[t->message] = true;
	}
	for (size_t i = 0; i < s->plan->n_known; i++) {
		if (s->known[i].where == MESSAGE_GONE &&
		    s->row[i].where != MESSAGE_GONE && taken[i])
			return wrong(s, "gone, yet listed", s->row_content[i]);
		if (s->known[i].where == MESSAGE_GONE &&
		    s->row[i].where != MESSAGE_GONE && s->plan->braked != 0)
			return wrong(s, "gone, while braked", 0);
		if (memcmp(&s->known[i], &s->row[i], sizeof(s->row[i])) != 0 &&
		    !s->plan->dirty[i])
			return wrong(s, "changed, not dirty", 0);
	}
	return true;
}

static bool
collect(struct sim *s, size_t i)
{
	const struct listed *l = &s->listed[i];
	unsigned content = content_at(s, i);

	if (s->n_rows == ROWS)
		return wrong(s, "too many rows", content);
	s->dele[i] = s->keep == 0 && s->plan->braked == 0;
	s->row_content[s->n_rows] = content;
	s->row[s->n_rows] = (struct message){ .id = 1 + (int64_t)s->n_rows,
		.has_uid = l->has_uid,
		.uid = l->uid,
		.size = l->has_size ? l->size : SIZE_UNKNOWN,
		.identity = identity_of(s, content),
		.has_identity = true,
		.where = s->dele[i] ? MESSAGE_DELETING : MESSAGE_THERE,
		.stored_at = s->now };
	s->n_rows++;
	s->collected[content]++;
	s->late[content] = s->plan->braked != 0;
	return true;
}

static bool
retrieve(struct sim *s, size_t i)
{
	struct identity id = identity_of(s, content_at(s, i));

	if (s->tricks.poison && one_in(s, 20)) {
		s->failed[i] = true;
		return true;
	}
	if (s->plan->v[i].action == PLAN_COLLECT)
		return collect(s, i);
	if (!plan_retrieved(s->plan, i, &id))
		return collect(s, i);
	s->dele[i] = s->plan->v[i].action == PLAN_DELETE;
	return check_match(s, i);
}

static bool
transfer(struct sim *s)
{
	size_t end = s->crash ? below(s, MESSAGES) : s->n_listed;

	for (size_t i = 0; i < s->n_listed && i < end; i++) {
		switch (s->plan->v[i].action) {
		case PLAN_LEAVE:
		case PLAN_VERIFY: break;
		case PLAN_DELETE: s->dele[i] = true; break;
		case PLAN_COLLECT:
		case PLAN_IDENTIFY:
			if (!retrieve(s, i))
				return false;
		}
	}
	return true;
}

static bool
verify(struct sim *s)
{
	for (size_t i = 0; i < s->n_listed; i++) {
		struct identity id = identity_of(s, content_at(s, i));

		if (s->plan->v[i].action != PLAN_VERIFY)
			continue;
		if (s->crash && one_in(s, 4))
			return true;
		if (s->lie)
			id.header = digest_n(5, below(s, 3));
		plan_verified(s->plan, i, s->top ? &id : NULL);
		if (!check_match(s, i))
			return false;
		s->dele[i] = s->plan->v[i].action == PLAN_DELETE;
	}
	return true;
}

static bool
update(struct sim *s)
{
	for (size_t i = 0; i < s->n_listed; i++) {
		struct mail *m = &s->mail[s->who[i]];

		m->seen = m->seen || !s->failed[i];
		m->back = m->back && s->failed[i];
		m->uid_seen = m->uid_seen || (s->uidl && !s->failed[i]);
		if (!s->dele[i] || !s->quit)
			continue;
		m->there = false;
		m->deleted = true;
		s->deleted[m->content]++;
		if (s->collected[m->content] <
		    (s->tricks.copies ? 1 : s->deleted[m->content]))
			return wrong(s, "lost", m->content);
	}
	return true;
}

/* Of each content there are as many here as there have been on the server. */
static bool
check_all(struct sim *s)
{
	unsigned all[MESSAGES] = { 0 }, seen[MESSAGES] = { 0 };
	unsigned now[MESSAGES] = { 0 };

	for (unsigned i = 0; i < s->n; i++) {
		all[s->mail[i].content]++;
		seen[s->mail[i].content] += s->mail[i].seen;
		now[s->mail[i].content] += s->mail[i].seen && s->mail[i].there;
	}
	for (unsigned c = 0; c < s->next_content; c++) {
		if (s->collected[c] > all[c])
			return wrong(s, "twice", c);
		/* A copy that has come for another that has gone is it. */
		if (s->collected[c] < (all[c] == 1 ? seen[c] : now[c]))
			return wrong(s, "not collected", c);
	}
	return true;
}

static bool
session(struct sim *s, bool accept)
{
	bool good;

	list(s);
	memcpy(s->known, s->row, sizeof(s->row));
	s->braked = accept ? 0 : s->braked;
	if (plan_new(&s->plan, s->known, s->n_rows, s->listed, s->n_listed,
		&(struct plan_rules){ .now = s->now,
		    .keep = s->keep,
		    .max_size = UINT64_MAX,
		    .braked = s->braked,
		    .accepted = accept,
		    .verify_later = !s->all_first && one_in(s, 2) }) != E_OK)
		return wrong(s, "no memory", 0);
	answer(s);
	plan_decide(s->plan);
	good = check_plan(s);
	save(s);
	s->braked = s->plan->braked;
	good = good && transfer(s) && verify(s);
	s->all_first = s->plan->misnamed;
	if (s->plan->misnamed)
		memset(s->dele, 0, sizeof(s->dele));
	if (!s->crash) {
		plan_end(s->plan);
		s->braked = s->plan->braked;
	}
	if (s->braked == 0)
		memset(s->late, 0, sizeof(s->late));
	if (!s->crash) {
		save(s);
		good = good && update(s);
	}
	plan_free(s->plan);
	return good && check_all(s);
}

/* ---- rounds ---- */

static void
choose_tricks(struct sim *s)
{
	struct tricks *t = &s->tricks;

	t->few_sizes = one_in(s, 4);
	t->numbers = !t->few_sizes && one_in(s, 5);
	t->reuse = !t->few_sizes && !t->numbers && one_in(s, 2);
	t->rename_all = !t->numbers && one_in(s, 2);
	t->rename_some = !t->numbers && one_in(s, 2);
	t->wrong_size = !t->rename_some && !t->numbers && one_in(s, 3);
	t->vanish = !t->numbers && one_in(s, 2);
	t->copies = !t->vanish && one_in(s, 3);
	t->no_uidl = !t->vanish && one_in(s, 4);
	t->no_top = one_in(s, 2);
	t->lying_top = one_in(s, 6);
	t->crash = !t->lying_top && one_in(s, 2);
	t->poison = !t->lying_top && !t->copies && one_in(s, 2);
	if (t->wrong_size && t->rename_all) {
		t->crash = t->vanish = false;
		t->poison = t->poison && !t->no_top;
	}
	t->exchange = t->vanish && one_in(s, 2);
	t->lost_quit = !t->wrong_size && one_in(s, 2);
	if (one_in(s, 2)) {
		t->weak = 1 + below(s, 4);
		t->weak_same = !t->few_sizes && one_in(s, 2);
	} else {
		t->no_list = one_in(s, 6);
	}
	s->keep = one_in(s, 3) ? KEEP_ALWAYS : below(s, 4) * DAY;
}

static void
begin_session(struct sim *s)
{
	const struct tricks *t = &s->tricks;

	s->uidl = !(t->no_uidl && one_in(s, 3));
	s->list = !(t->no_list && one_in(s, 3));
	s->top = !(t->no_top && one_in(s, 2));
	s->lie = t->lying_top && one_in(s, 3);
	s->crash = t->crash && one_in(s, 3);
	s->quit = !(t->lost_quit && one_in(s, 3));
	s->now += below(s, DAY);
	if (one_in(s, 50))
		s->keep = one_in(s, 2) ? KEEP_ALWAYS : below(s, 2) * DAY;
}

/* Nothing new: no TOP; and what is not kept is deleted. */
static bool
quiet_rounds(struct sim *s)
{
	bool twins = s->tricks.reuse || s->tricks.copies;

	s->uidl = s->list = s->top = s->quit = true;
	s->lie = s->crash = false;
	s->tricks.wrong_size = s->tricks.no_top = s->tricks.poison = false;
	for (int i = 0; i < 2; i++)
		if (!session(s, i == 0))
			return false;
	if (s->keep == 0 && s->braked == 0 && any_mail(s, true) >= 0)
		return wrong(s, "not deleted", 0);
	if (s->keep != KEEP_ALWAYS || twins)
		return true;
	list(s);
	if (plan_new(&s->plan, s->row, s->n_rows, s->listed, s->n_listed,
		&(struct plan_rules){ .now = s->now, .keep = s->keep }) != E_OK)
		return wrong(s, "no memory", 0);
	if (plan_ask(s->plan) != 0)
		wrong(s, "asked for nothing", 0);
	plan_free(s->plan);
	return s->words[0] == '\0';
}

const char *
plan_sim(
    struct plan_sim_source source, unsigned rounds, char words[PLAN_SIM_WORDS])
{
	struct sim *s = calloc(1, sizeof(*s));
	bool good = true;

	words[0] = '\0';
	if (s == NULL)
		return NULL;
	s->source = source;
	s->words = words;
	s->now = 1700000000;
	choose_tricks(s);
	for (unsigned i = 0; i < rounds && good; i++) {
		for (unsigned n = below(s, 8); n > 0; n--)
			happen(s);
		if (s->tricks.exchange && one_in(s, 4))
			exchange(s);
		begin_session(s);
		good = session(s, one_in(s, 12));
	}
	if (good)
		quiet_rounds(s);
	free(s);
	return words[0] == '\0' ? NULL : words;
}
