/*
 * A client that is killed anywhere while it delivers, and again while it
 * recovers: after the next run each message is here exactly once (C-ENG-26).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "deliver.h"
#include "step.h"

#define FOLDER "ana"

enum { MESSAGES = 3, CHANGES_MAX = 2000, LARGE = 70000 };

/* What a state would have on the disk: memory that outlives the child. */
struct record {
	enum { WANTED, INTENDED, STORED } at;
	struct parcel parcel;
	char tmp[256], file[256];
};

struct run {
	struct place p;
	struct record *record;
	char *text[MESSAGES];
};

/* ---- one run of the client, as its session does it ---- */

static void
must(enum err e)
{
	if (e != E_OK)
		_exit(1);
}

static void
recover(struct run *r)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct record *m = &r->record[i];
		struct parcel intent = m->parcel;
		bool stored;

		if (m->at != INTENDED)
			continue;
		intent.tmp = m->tmp;
		intent.file = m->file;
		must(delivery_recover(
		    r->p.d, &intent, time(NULL), &stored, &r->p.eb));
		m->at = stored ? STORED : WANTED;
	}
	must(delivery_sweep(r->p.d, &r->p.eb));
}

static struct parcel *
collect(struct run *r, unsigned i)
{
	struct identity_reader *reader = identity_reader_new();
	size_t n = strlen(r->text[i]);
	struct parcel *q;

	must(parcel_begin(r->p.d, &q, &r->p.eb));
	must(parcel_add(q, r->text[i], n, &r->p.eb));
	identity_reader_reset(reader);
	identity_reader_add(reader, r->text[i], n);
	q->identity = identity_reader_end(reader);
	identity_reader_free(reader);
	must(parcel_end(q, &r->p.eb));
	q->folder = r->p.env.folders != NULL && i == 1 ? FOLDER : NULL;
	return q;
}

static void
intend(struct record *m, const struct parcel *q)
{
	m->parcel = *q;
	strcpy(m->tmp, q->tmp);
	strcpy(m->file, q->file != NULL ? q->file : "");
}

static void
run(void *arg)
{
	struct run *r = arg;
	struct parcel *v[MESSAGES];
	unsigned which[MESSAGES];
	size_t n = 0;

	must(delivery_open(&r->p.d, &r->p.dest, &r->p.env, &r->p.eb));
	recover(r);
	for (unsigned i = 0; i < MESSAGES; i++)
		if (r->record[i].at == WANTED) {
			which[n] = i;
			v[n++] = collect(r, i);
		}
	must(delivery_prepare(r->p.d, v, n, &r->p.eb));
	for (size_t i = 0; i < n; i++)
		intend(&r->record[which[i]], v[i]);
	for (size_t i = 0; i < n; i++)
		r->record[which[i]].at = INTENDED;
	delivery_publish(r->p.d, v, n);
	for (size_t i = 0; i < n; i++) {
		must(v[i]->result);
		r->record[which[i]].at = STORED;
	}
	delivery_release(r->p.d, v, n);
	for (size_t i = 0; i < n; i++)
		parcel_free(v[i]);
	delivery_close(r->p.d);
	r->p.d = NULL;
}

/* ---- fixture ---- */

struct kind_test {
	enum dest_kind kind;
	const char *name;
	void (*expect)(struct run *r);
	enum step_how how;
	char **folders;
};

static char *
make_text(unsigned i)
{
	size_t n = i == 1 ? LARGE : 100;
	char *text = malloc(n + 128);
	char *at = text;

	assert_non_null(text);
	at += sprintf(at, "Message-ID: <%u>\n\nFrom %u\n", i, i);
	memset(at, 'a' + (int)i, n);
	strcpy(at + n, "\nend\n");
	return text;
}

static void
begin(struct run *r, const struct kind_test *t)
{
	place_init(&r->p, t->kind, t->name);
	r->p.env.folders = t->folders;
	r->p.env.timeout = 20;
	r->record = mmap(NULL, MESSAGES * sizeof(*r->record),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(r->record != MAP_FAILED);
	for (unsigned i = 0; i < MESSAGES; i++)
		r->text[i] = make_text(i);
}

static void
end(struct run *r)
{
	munmap(r->record, MESSAGES * sizeof(*r->record));
	for (unsigned i = 0; i < MESSAGES; i++)
		free(r->text[i]);
	place_clear(&r->p);
}

/* ---- what must be there ---- */

static enum err
count(void *arg, const struct delivery_found *f)
{
	(void)f;
	++*(unsigned *)arg;
	return E_OK;
}

static unsigned
found(struct run *r)
{
	unsigned n = 0;

	place_open(&r->p);
	must(delivery_scan(r->p.d, count, &n, &r->p.eb));
	return n;
}

static void
expect_maildir(struct run *r)
{
	uint64_t octets = 0;

	assert_int_equal(place_count(&r->p, "x/tmp"), 0);
	assert_int_equal(place_count(&r->p, "x/new") +
			     place_count(&r->p, "x/." FOLDER "/new"),
	    MESSAGES);
	assert_int_equal(found(r), MESSAGES);
	for (unsigned i = 0; i < MESSAGES; i++) {
		char file[512], *is;

		assert_int_equal(r->record[i].at, STORED);
		snprintf(file, sizeof(file), "x/%snew/%s",
		    r->p.env.folders != NULL && i == 1 ? "." FOLDER "/" : "",
		    r->record[i].file);
		is = place_read(&r->p, file, NULL);
		assert_non_null(is);
		assert_string_equal(is, r->text[i]);
		octets += strlen(is);
		free(is);
	}
	assert_true(octets > LARGE);
}

/* In any order; nothing else but From lines. */
static void
expect_mbox(struct run *r)
{
	size_t n, octets = sizeof("before\n\n") - 1;
	char *is = place_read(&r->p, "mbox", &n);

	assert_non_null(is);
	assert_int_equal(place_count(&r->p, "state/spool"), 0);
	assert_false(place_has(&r->p, "mbox.lock"));
	for (unsigned i = 0; i < MESSAGES; i++) {
		const char *body = strstr(r->text[i], "\n\n") + 2;
		char head[64], *at;

		assert_int_equal(r->record[i].at, STORED);
		snprintf(head, sizeof(head), "\nMessage-ID: <%u>\n\n>", i);
		at = strstr(is, head);
		assert_non_null(at);
		assert_null(strstr(at + 1, head));
		at += strlen(head);
		assert_memory_equal(at, body, strlen(body));
		assert_memory_equal(at + strlen(body), "\n", 1);
		/* ">", an empty line, and the From line. */
		octets += strlen(r->text[i]) + 2 +
			  sizeof("From MAILER-DAEMON Sat Nov 22 12:03:04 2025");
	}
	assert_int_equal(n, octets);
	free(is);
	assert_int_equal(found(r), MESSAGES);
}

/* ---- the tests ---- */

/* Killed at the n-th change, and the next run at its m-th; false: the n-th did
 * not come, or the m-th. */
static void
kill_twice(const struct kind_test *t, unsigned n, unsigned m, bool killed[2])
{
	struct run r;

	begin(&r, t);
	if (t->kind == DEST_MBOX)
		place_put(&r.p, "mbox", "before\n");
	killed[0] = step_kill(run, &r, n, t->how);
	killed[1] = m > 0 && step_kill(run, &r, m, t->how);
	run(&r);
	t->expect(&r);
	end(&r);
}

static void
test_kill(void **state)
{
	const struct kind_test *t = *state;
	bool killed[2] = { true, true };
	unsigned n, m;

	for (n = 1; killed[0] && n < CHANGES_MAX; n++) {
		kill_twice(t, n, 0, killed);
		/* Each n with some m, each m with some n. */
		for (m = 1 + n % 16, killed[1] = killed[0];
		     killed[1] && m < CHANGES_MAX; m += 16) {
			bool both[2];

			kill_twice(t, n, m, both);
			killed[1] = both[1];
		}
	}
	assert_false(killed[0]);
	assert_true(n > 15);
}

int
main(void)
{
	static char *folders[] = { FOLDER, NULL };
	static struct kind_test kinds[] = {
		{ DEST_MAILDIR, "x", expect_maildir, STEP_BEFORE, NULL },
		{ DEST_MAILDIR, "x", expect_maildir, STEP_TORN, NULL },
		{ DEST_MAILDIR, "x", expect_maildir, STEP_BEFORE, folders },
		{ DEST_MBOX, "mbox", expect_mbox, STEP_BEFORE, NULL },
		{ DEST_MBOX, "mbox", expect_mbox, STEP_TORN, NULL },
	};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_kill, &kinds[0]),
		cmocka_unit_test_prestate(test_kill, &kinds[1]),
		cmocka_unit_test_prestate(test_kill, &kinds[2]),
		cmocka_unit_test_prestate(test_kill, &kinds[3]),
		cmocka_unit_test_prestate(test_kill, &kinds[4]),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
