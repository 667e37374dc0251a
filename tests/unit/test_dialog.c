/* Plays tests/dialog/?*.dlg against the server's machine; the format is
 * described in tests/dialog/README.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>

#include "drive.h"

enum { EVENTS_MAX = 1000, RANDOM_RUNS = 30 };

enum kind { SERVER, ANY_LINE, CLIENT, TLS_DONE };

struct event {
	enum kind kind;
	unsigned line; /* of the file */
	struct slice text;
	bool crlf; /* follows the text */
};

struct script {
	const char *path;
	char *file; /* its text, unescaped in place */
	struct drive setup;
	bool tls;
	struct event event[EVENTS_MAX];
	size_t n;
	bool close;
	bool removed[DRIVE_MESSAGES];
};

/* ---- reading ---- */

static void
wrong(const struct script *s, unsigned line, const char *what)
{
	print_error("%s:%u: %s\n", s->path, line, what);
	fail();
}

static int
hex_value(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	return c != '\0' && at != NULL ? (int)(at - digits) : -1;
}

/* In place; the result is shorter or as long. */
static struct slice
unescape(struct script *s, unsigned line, char *text)
{
	char *o = text;

	for (char *p = text; *p != '\0'; p++) {
		if (*p != '\\') {
			*o++ = *p;
		} else if (*++p == 'x' && hex_value(p[1]) >= 0 &&
			   hex_value(p[2]) >= 0) {
			*o++ = (char)(hex_value(p[1]) << 4 | hex_value(p[2]));
			p += 2;
		} else if (*p == 'r' || *p == 'n' || *p == 't') {
			*o++ = *p == 'r' ? '\r' : *p == 'n' ? '\n' : '\t';
		} else if (*p == '\\') {
			*o++ = '\\';
		} else {
			wrong(s, line, "unknown escape");
		}
	}
	*o = '\0';
	return (struct slice){ text, (size_t)(o - text) };
}

static void
read_words(struct script *s, unsigned line, const char *word, char *rest)
{
	struct drive *d = &s->setup;
	char *save = NULL;

	for (char *p = strtok_r(rest, " ", &save); p != NULL;
	     p = strtok_r(NULL, " ", &save)) {
		if (strcmp(word, "mechanisms") == 0)
			drive_offer(d, p);
		else if (strcmp(word, "REMOVED") == 0)
			s->removed[strtoul(p, NULL, 10) - 1] = true;
		else if (strcmp(p, "stls") == 0)
			d->policy.stls = true;
		else if (strcmp(p, "apop") == 0)
			d->policy.apop = true;
		else if (strcmp(p, "sdps") == 0)
			d->policy.sdps = true;
		else if (strcmp(p, "plain-passwords") == 0)
			d->policy.plain_passwords = true;
		else
			wrong(s, line, "unknown offer");
	}
}

static void
read_limit(struct script *s, unsigned line, const char *rest)
{
	struct pop3_policy *policy = &s->setup.policy;
	const char *sp = strchr(rest, ' ');
	unsigned n = sp != NULL ? (unsigned)strtoul(sp, NULL, 10) : 0;

	if (strncmp(rest, "bad ", 4) == 0)
		policy->bad_max = n;
	else if (strncmp(rest, "failures ", 9) == 0)
		policy->failures_max = n;
	else if (strncmp(rest, "sasl ", 5) == 0)
		policy->sasl_max = n;
	else
		wrong(s, line, "unknown limit");
}

static bool
read_setting(struct script *s, unsigned line, const char *word, char *rest)
{
	struct drive *d = &s->setup;
	struct drive_message *last =
	    d->n_messages != 0 ? &d->message[d->n_messages - 1] : NULL;
	char *sp;

	if (strcmp(word, "connection") == 0) {
		s->tls = strcmp(rest, "tls") == 0;
	} else if (strcmp(word, "mechanisms") == 0) {
		d->policy.n_mechanisms = 0;
		read_words(s, line, word, rest);
	} else if (strcmp(word, "offer") == 0) {
		read_words(s, line, word, rest);
	} else if (strcmp(word, "implementation") == 0) {
		d->policy.implementation = rest;
	} else if (strcmp(word, "limit") == 0) {
		read_limit(s, line, rest);
	} else if (strcmp(word, "user") == 0) {
		if ((sp = strchr(rest, ' ')) == NULL)
			return false;
		*sp = '\0';
		d->user = rest;
		d->password = unescape(s, line, sp + 1).p;
	} else if (strcmp(word, "login-delay") == 0) {
		d->policy.login_delay = (uint32_t)strtoul(rest, &sp, 10);
		d->login_delay = (uint32_t)strtoul(sp, NULL, 10);
		d->policy.login_delay_differs =
		    d->login_delay != d->policy.login_delay;
	} else if (strcmp(word, "trouble") == 0) {
		d->trouble =
		    strcmp(rest, "in-use") == 0        ? POP3_TEXT_IN_USE
		    : strcmp(rest, "login-delay") == 0 ? POP3_TEXT_SIGN_IN_SOON
		    : strcmp(rest, "sys-temp") == 0    ? POP3_TEXT_SIGN_IN_LATER
						       : POP3_TEXT_POSTMASTER;
	} else if (strcmp(word, "stuck") == 0) {
		d->stuck = true;
	} else if (strcmp(word, "message") == 0) {
		struct slice text = unescape(s, line, rest);

		drive_add(d, text.p, text.n);
	} else if (strcmp(word, "size") == 0 && last != NULL) {
		last->size = strtoull(rest, NULL, 10);
	} else if (strcmp(word, "gone") == 0 && last != NULL) {
		last->gone = true;
	} else {
		return false;
	}
	return true;
}

static void
read_event(struct script *s, unsigned line, const char *word, char *rest)
{
	struct event *e = &s->event[s->n];

	assert_true(s->n < EVENTS_MAX);
	e->line = line;
	if (strcmp(word, "CLOSE") == 0) {
		s->close = true;
		return;
	}
	if (strcmp(word, "REMOVED") == 0) {
		read_words(s, line, word, rest);
		return;
	}
	s->n++;
	if (strcmp(word, "S:") == 0)
		e->kind = SERVER;
	else if (strcmp(word, "S*") == 0)
		e->kind = ANY_LINE;
	else if (strcmp(word, "C:") == 0 || strcmp(word, "C+") == 0)
		e->kind = CLIENT;
	else if (strcmp(word, "TLS") == 0)
		e->kind = TLS_DONE;
	else
		wrong(s, line, "unknown word");
	e->text = unescape(s, line, rest);
	e->crlf = strcmp(word, "C:") == 0;
}

static struct script *
script_read(const char *path)
{
	struct script *s = calloc(1, sizeof(*s));
	FILE *f = fopen(path, "r");
	unsigned line = 0;
	char *next;
	long n;

	assert_non_null(s);
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	rewind(f);
	s->path = path;
	s->file = calloc(1, (size_t)n + 1);
	assert_int_equal(fread(s->file, 1, (size_t)n, f), n);
	fclose(f);
	drive_init(&s->setup);
	for (char *p = s->file; *p != '\0'; p = next) {
		char *end = strchr(p, '\n'), *rest;

		line++;
		next = end != NULL ? end + 1 : p + strlen(p);
		if (end != NULL)
			*end = '\0';
		if (*p == '#' || *p == '\0')
			continue;
		rest = strchr(p, ' ');
		if (rest != NULL)
			*rest++ = '\0';
		else
			rest = p + strlen(p);
		if (s->n != 0 || !read_setting(s, line, p, rest))
			read_event(s, line, p, rest);
	}
	return s;
}

static void
script_free(struct script *s)
{
	free(s->file);
	free(s);
}

/* ---- playing ---- */

enum mode { FLIGHTS, WHOLE, OCTETS, RANDOM };

static bool
begins(struct slice s, struct slice with)
{
	return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

static bool
fits(struct slice pattern, struct slice line)
{
	struct slice rest = { line.p + pattern.n, line.n - pattern.n };
	struct slice code = { "-ERR [", 6 };

	if (!begins(line, pattern))
		return false;
	if (slice_eq(pattern, "+OK") || slice_eq(pattern, "-ERR"))
		return rest.n > 1 && rest.p[0] == ' ' && rest.p[1] != '[';
	if (begins(pattern, code) && pattern.p[pattern.n - 1] == ']')
		return rest.n > 1 && rest.p[0] == ' ';
	return rest.n == 0;
}

/* Whether `sent` is what events [0, upto) want, neither more nor less. */
static void
compare(const struct script *s, size_t upto, const struct buf *sent)
{
	const char *p = buf_data(sent), *end = p + sent->len;

	for (size_t i = 0; i < upto; i++) {
		const struct event *e = &s->event[i];
		const char *crlf;
		struct slice line;

		if (e->kind != SERVER && e->kind != ANY_LINE)
			continue;
		crlf = memmem(p, (size_t)(end - p), "\r\n", 2);
		if (crlf == NULL)
			wrong(s, e->line, "the server said nothing");
		line = (struct slice){ p, (size_t)(crlf - p) };
		if (e->kind == SERVER && !fits(e->text, line)) {
			print_error("sent: %.*s\n", (int)line.n, line.p);
			wrong(s, e->line, "another line was wanted");
		}
		p = crlf + 2;
	}
	if (p != end) {
		print_error("sent: %.*s\n", (int)(end - p), p);
		wrong(s, upto != 0 ? s->event[upto - 1].line : 0,
		    "after this the server said more");
	}
}

static size_t
portion(enum mode mode, size_t left, unsigned *seed)
{
	size_t n = left;

	if (mode == OCTETS)
		n = 1;
	else if (mode == RANDOM)
		n = 1 + (size_t)rand_r(seed) % 40;
	return n < left ? n : left;
}

/* The octets of the client in events [from, upto). */
static struct buf
client_octets(const struct script *s, size_t from, size_t upto)
{
	struct buf b;

	buf_init(&b, 1 << 20, false);
	for (size_t i = from; i < upto; i++) {
		const struct event *e = &s->event[i];

		if (e->kind != CLIENT)
			continue;
		assert_int_equal(buf_put(&b, e->text.p, e->text.n), E_OK);
		assert_int_equal(buf_put(&b, "\r\n", e->crlf ? 2 : 0), E_OK);
	}
	return b;
}

/* Where what begins at event `from` ends: a handshake, or the next flight. */
static size_t
part_end(const struct script *s, size_t from, bool whole)
{
	bool answered = false;
	size_t i;

	for (i = from; i < s->n && s->event[i].kind != TLS_DONE; i++) {
		if (s->event[i].kind != CLIENT)
			answered = true;
		else if (answered && !whole)
			break;
	}
	return i;
}

static void
play(const struct script *s, enum mode mode, unsigned seed, struct buf *all)
{
	struct drive d = s->setup;
	size_t from = 0;

	d.policy.mechanisms = d.mechanisms;
	drive_start(&d, s->tls);
	while (from < s->n) {
		size_t upto = part_end(s, from, mode == WHOLE);
		struct buf now = client_octets(s, from, upto);
		struct buf later =
		    client_octets(s, upto, part_end(s, upto, true));

		while (now.len != 0) {
			size_t n = portion(mode, now.len, &seed);

			drive_feed(
			    &d, buf_data(&now), n, now.len - n + later.len);
			buf_consume(&now, n);
		}
		compare(s, upto, &d.sent);
		buf_free(&now);
		buf_free(&later);
		from = upto;
		if (from < s->n && s->event[from].kind == TLS_DONE) {
			if (!d.server.tls)
				wrong(s, s->event[from].line, "no TLS");
			from++;
		}
	}
	if (d.closed != s->close)
		wrong(s, 0, d.closed ? "it has closed" : "it has not closed");
	for (size_t i = 0; i < d.n_messages; i++)
		if (d.message[i].removed != s->removed[i])
			wrong(s, 0, "other messages are removed");
	assert_int_equal(buf_put(all, buf_data(&d.sent), d.sent.len), E_OK);
	drive_clear(&d);
}

static void
test_dialog(void **state)
{
	struct script *s = script_read(*state);
	struct buf first, other;

	buf_init(&first, 1 << 20, false);
	play(s, FLIGHTS, 0, &first);
	for (unsigned i = 0; i < RANDOM_RUNS + 2; i++) {
		buf_init(&other, 1 << 20, false);
		play(s, i == 0 ? WHOLE : i == 1 ? OCTETS : RANDOM, i, &other);
		assert_int_equal(first.len, other.len);
		assert_memory_equal(
		    buf_data(&first), buf_data(&other), other.len);
		buf_free(&other);
	}
	buf_free(&first);
	script_free(s);
}

int
main(void)
{
	struct CMUnitTest *tests;
	glob_t files;
	int failed;

	if (glob(DIALOG_DIR "/*.dlg", 0, NULL, &files) != 0) {
		print_error("no dialogues in %s\n", DIALOG_DIR);
		return 1;
	}
	if ((tests = calloc(files.gl_pathc, sizeof(*tests))) == NULL)
		return 1;
	for (size_t i = 0; i < files.gl_pathc; i++)
		tests[i] = (struct CMUnitTest){
			.name = strrchr(files.gl_pathv[i], '/') + 1,
			.test_func = test_dialog,
			.initial_state = files.gl_pathv[i],
		};
	failed = _cmocka_run_group_tests(
	    "dialog", tests, files.gl_pathc, NULL, NULL);
	free(tests);
	globfree(&files);
	return failed;
}
