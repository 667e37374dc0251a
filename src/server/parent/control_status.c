#include "server/parent/control_status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "server/parent/child.h"
#include "server/parent/child_tell.h"
#include "server/parent/tallies.h"

static const double PATIENCE = 1; /* seconds */

static const char *const phases[] = { [PARENT_STARTING] = "starting",
	[PARENT_SERVING] = "serving",
	[PARENT_DRAINING] = "draining",
	[PARENT_STOPPING] = "stopping",
	[PARENT_ENDING] = "ending" };

static const char *const states[] = { [CHILD_DOWN] = "down",
	[CHILD_STARTING] = "starting",
	[CHILD_SERVING] = "serving" };

/* ---- what is told ---- */

static uint32_t
since(uint64_t ms)
{
	return (uint32_t)((clock_unix_ms() - (clock_ms() - ms)) / 1000);
}

static void
tell_server(struct control_client *k)
{
	const struct parent *p = k->parent;
	struct control_server s = { .pid = (uint32_t)getpid(),
		.uid = p->env.uid,
		.since = since(p->started) };

	snprintf(s.version, sizeof(s.version), "%s", VERSION);
	snprintf(s.phase, sizeof(s.phase), "%s", phases[p->phase]);
	control_tell(k, CONTROL_SERVER, &control_server_fields, &s);
}

static void
tell_process(struct control_client *k, const struct child *c)
{
	struct control_process s = { .index = c->index, .uid = c->owner.uid };

	snprintf(s.role, sizeof(s.role), "%s", child_name(c));
	snprintf(s.state, sizeof(s.state), "%s",
	    c->leaving ? "ending" : states[c->state]);
	if (c->state != CHILD_DOWN) {
		s.pid = (uint32_t)c->pid;
		s.since = since(c->started);
		s.answers = c->heard && c->state == CHILD_SERVING;
		s.sessions = s.answers ? c->sessions : 0;
	}
	control_tell(k, CONTROL_PROCESS, &control_process_fields, &s);
}

static void
tell_note(struct control_client *k, const char *words)
{
	struct control_note n;

	snprintf(n.words, sizeof(n.words), "%s", words);
	control_tell(k, CONTROL_NOTE, &control_note_fields, &n);
}

static void
tell_drains(struct control_client *k)
{
	const struct succession *s = &k->parent->succession;

	for (unsigned i = 0; i < s->n_drains; i++) {
		const struct handover_message *m = &s->drain[i].is;
		struct control_drain d = { .pid = m->pid,
			.since = (uint32_t)m->since,
			.sessions = m->number };

		memcpy(d.version, m->version, sizeof(d.version));
		control_tell(k, CONTROL_DRAIN, &control_drain_fields, &d);
	}
}

static void
tell_certificate(struct control_client *k, const struct conf_certificate *of,
    const struct certificate_watch *w)
{
	const struct certificate *c = &of->read;
	struct control_certificate s = { .expires = (uint32_t)c->ends,
		.ocsp_until = (uint32_t)c->staple_until,
		.soon = c->ends - time(NULL) < CERTIFICATE_SOON };

	snprintf(s.name, sizeof(s.name), "%s", of->name);
	snprintf(
	    s.file, sizeof(s.file), "%.*s", (int)sizeof(s.file) - 1, of->file);
	snprintf(s.names, sizeof(s.names), "%s", c->names);
	snprintf(s.key, sizeof(s.key), "%s", c->kind);
	snprintf(s.problem, sizeof(s.problem), "%s", w->problem);
	control_tell(k, CONTROL_CERTIFICATE, &control_certificate_fields, &s);
}

/* What is not confined. */
static void
tell_notes(struct control_client *k)
{
	const char *lacking = sandbox_lacking();
	char words[CONTROL_WORDS];

	if (lacking != NULL) {
		snprintf(words, sizeof(words), "the kernel cannot confine %s",
		    lacking);
		tell_note(k, words);
	}
	if (k->parent->env.uid != 0)
		tell_note(k,
		    "maloted was not started as root: all its processes are "
		    "the same user's");
}

static void
tell_count(struct control_client *k, const char *name, uint64_t now,
    uint64_t before, uint32_t seconds)
{
	struct control_count c = {
		.total = now, .lately = now - before, .seconds = seconds
	};

	snprintf(c.name, sizeof(c.name), "%s", name);
	control_tell(k, CONTROL_COUNT, &control_count_fields, &c);
}

static void
tell_now(struct control_client *k, const char *name, uint64_t n)
{
	struct control_count c = { .is_now = true, .total = n };

	snprintf(c.name, sizeof(c.name), "%s", name);
	control_tell(k, CONTROL_COUNT, &control_count_fields, &c);
}

/* Of all mechanisms. */
static uint64_t
sign_ins(const struct tally_page *t, bool good)
{
	uint64_t n = 0;

	for (unsigned m = 0; m < TALLY_MECHANISMS; m++)
		for (unsigned o = 0; o < TALLY_OUTCOMES; o++)
			n += (o == TALLY_GOOD) == good ? t->sign_ins[m][o] : 0;
	return n;
}

static void
tell_counts(struct control_client *k)
{
	static const struct {
		const char *name;
		enum tally what;
	} counts[] = { { "connections", TALLY_CONNECTIONS },
		{ "turned_away", TALLY_TURNED_AWAY },
		{ "messages_retrieved", TALLY_RETRIEVED },
		{ "messages_removed", TALLY_REMOVED },
		{ "octets_in", TALLY_OCTETS_IN },
		{ "octets_out", TALLY_OCTETS_OUT },
		{ "index_repairs", TALLY_INDEX_REPAIRS } };
	static struct tally_page now, before;
	uint64_t *n = now.counter;
	uint32_t s;

	tallies_read(k->parent, &now, &before, &s);
	tell_now(k, "sessions", n[TALLY_CONNECTIONS] - n[TALLY_ENDED]);
	tell_now(k, "signed_in", n[TALLY_SIGNED_IN] - n[TALLY_SIGNED_OUT]);
	tell_now(k, "hash_queue", n[TALLY_HASH_QUEUE]);
	tell_count(
	    k, "sign_ins", sign_ins(&now, true), sign_ins(&before, true), s);
	tell_count(k, "sign_ins_refused", sign_ins(&now, false),
	    sign_ins(&before, false), s);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		tell_count(k, counts[i].name, n[counts[i].what],
		    before.counter[counts[i].what], s);
}

static void
tell_roots(struct control_client *k)
{
	const struct parent *p = k->parent;
	struct control_root root;

	for (unsigned i = 0; i < p->conf->n_roots; i++) {
		if (!p->conf->root[i].is_used)
			continue;
		snprintf(
		    root.path, sizeof(root.path), "%s", p->conf->root[i].path);
		root.served = !p->roots[i].is.absent;
		control_tell(k, CONTROL_ROOT, &control_root_fields, &root);
	}
}

static void
tell_all(struct control_client *k)
{
	const struct parent *p = k->parent;
	const struct child *c;

	ev_timer_stop(p->loop, &k->wait);
	tell_server(k);
	TAILQ_FOREACH (c, &p->children, link)
		tell_process(k, c);
	tell_counts(k);
	for (unsigned i = 0; i < p->ports.n; i++)
		if (p->ports.is[i].at[0] != '\0')
			control_tell(k, CONTROL_LISTENER,
			    &control_listener_fields, &p->ports.is[i]);
	for (unsigned i = 0; i < p->conf->n_certificates; i++)
		tell_certificate(
		    k, &p->conf->certificates[i], &p->certificates[i]);
	tell_drains(k);
	tell_roots(k);
	tell_notes(k);
	control_done(k, CONTROL_GOOD, "");
}

/* ---- when ---- */

static void
on_patience_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	tell_all(w->data);
}

static void
ask_all(struct parent *p)
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link) {
		c->heard = false;
		if (c->state == CHILD_SERVING && c->chan != NULL)
			child_tell_ping(c, 0);
	}
}

static bool
all_heard(const struct parent *p)
{
	const struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->state == CHILD_SERVING && c->chan != NULL && !c->heard)
			return false;
	return true;
}

void
control_status(struct control_client *k)
{
	struct parent *p = k->parent;

	ask_all(p);
	ev_timer_init(&k->wait, on_patience_over, PATIENCE, 0.);
	ev_timer_start(p->loop, &k->wait);
	control_status_heard(p);
}

void
control_status_heard(struct parent *p)
{
	struct control_client *k;

	if (TAILQ_EMPTY(&p->clients) || !all_heard(p))
		return;
	TAILQ_FOREACH (k, &p->clients, link)
		if (ev_is_active(&k->wait))
			tell_all(k);
}
