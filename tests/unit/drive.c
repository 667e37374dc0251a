#include "drive.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/b64.h"
#include "pop3/wire.h"

enum { SENT_MAX = 64 << 20, IN_MAX = 8192, OUT_MAX = 16384 };

static const struct pop3_mechanism known[] = {
	{ .name = "PLAIN", .plaintext = true },
	{ .name = "LOGIN", .plaintext = true },
	{ .name = "X-FIRST", .server_first = true },
	{ .name = "X-BINDS", .binds = true },
	{ .name = "X-CERTIFICATE", .certificate = true },
};

void
drive_init(struct drive *d)
{
	memset(d, 0, sizeof(*d));
	d->policy = (struct pop3_policy){
		.host = "pop.example",
		.mechanisms = d->mechanisms,
		.sasl_max = 3000,
	};
	d->user = "tim";
	d->password = "tanstaaftanstaaf";
	drive_offer(d, "PLAIN");
	drive_offer(d, "LOGIN");
}

void
drive_offer(struct drive *d, const char *mechanism)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, mechanism) == 0)
			d->mechanisms[d->policy.n_mechanisms++] = known[i];
}

void
drive_add(struct drive *d, const char *text, size_t n)
{
	assert(d->n_messages < DRIVE_MESSAGES);
	d->message[d->n_messages++].text = (struct slice){ text, n };
}

void
drive_start(struct drive *d, bool tls)
{
	static const uint64_t salt[2] = { 0x0123456789abcdef, 42 };

	buf_init(&d->in, IN_MAX, true);
	buf_init(&d->out, OUT_MAX, false);
	buf_init(&d->sent, SENT_MAX, false);
	buf_init(&d->asked, SENT_MAX, false);
	pop3_server_init(&d->server, &d->policy, tls, salt);
	d->server.xclient = d->proxy;
	pop3_server_greet(&d->server, &d->out);
	drive_feed(d, "", 0, 0);
}

void
drive_clear(struct drive *d)
{
	pop3_server_clear(&d->server);
	buf_free(&d->in);
	buf_free(&d->out);
	buf_free(&d->sent);
	buf_free(&d->asked);
}

struct slice
drive_uid(uint32_t msgno)
{
	static char text[16];

	snprintf(text, sizeof(text), "uid-%u", msgno);
	return (struct slice){ text, strlen(text) };
}

uint64_t
drive_size(const struct drive *d, uint32_t msgno)
{
	const struct drive_message *m = &d->message[msgno - 1];
	struct pop3_wire w;

	if (m->size != 0)
		return m->size;
	pop3_wire_init(&w, POP3_ALL_LINES);
	pop3_wire_count(&w, m->text.p, m->text.n);
	return pop3_wire_size(&w);
}

static void
flush(struct drive *d)
{
	if (buf_put(&d->sent, buf_data(&d->out), d->out.len) != E_OK)
		d->closed = true;
	buf_consume(&d->out, d->out.len);
}

/* ---- signing in ---- */

static void
judge(struct drive *d, struct slice name, struct slice password)
{
	uint64_t octets = 0;

	d->mechanism = NULL;
	if (!slice_eq(name, d->user) || !slice_eq(password, d->password)) {
		pop3_server_refused(
		    &d->server, &d->out, POP3_TEXT_SIGN_IN_WRONG, NULL);
		return;
	}
	if (d->trouble != POP3_NO_TEXT) {
		pop3_server_refused(&d->server, &d->out, d->trouble,
		    (struct pop3_arg[POP3_TEXT_ARGS]){ { .number = 7 } });
		return;
	}
	for (uint32_t i = 1; i <= d->n_messages; i++)
		octets += drive_size(d, i);
	d->server.retention = d->retention;
	d->server.login_delay = d->login_delay;
	pop3_server_opened(&d->server, &d->out, d->n_messages, octets);
}

static void
malformed(struct drive *d)
{
	d->mechanism = NULL;
	pop3_server_refused(&d->server, &d->out, POP3_TEXT_MALFORMED, NULL);
}

static void
judge_apop(struct drive *d)
{
	const struct pop3_request *q = &d->server.request;
	char text[POP3_TIMESTAMP + 256];
	unsigned char md5[16];
	size_t n = pop3_server_timestamp(&d->server, text, POP3_TIMESTAMP);
	bool right;

	assert(n != 0 && q->secret.n == sizeof(md5));
	snprintf(text + n, 256, "%s", d->password);
	EVP_Digest(text, strlen(text), md5, NULL, EVP_md5(), NULL);
	right = memcmp(md5, q->secret.p, sizeof(md5)) == 0;
	judge(d, q->name,
	    (struct slice){ d->password, right ? strlen(d->password) : 0 });
}

static void
challenge(struct drive *d, const char *text)
{
	pop3_server_challenge(&d->server, &d->out, text, strlen(text));
}

static void
step_plain(struct drive *d, struct slice in)
{
	const char *a = memchr(in.p, '\0', in.n);
	const char *b =
	    a == NULL ? NULL
		      : memchr(a + 1, '\0', (size_t)(in.p + in.n - a - 1));

	if (b == NULL) {
		malformed(d);
		return;
	}
	judge(d, (struct slice){ a + 1, (size_t)(b - a - 1) },
	    (struct slice){ b + 1, (size_t)(in.p + in.n - b - 1) });
}

static void
step_login(struct drive *d, struct slice in)
{
	if (d->has_login) {
		judge(d, (struct slice){ d->login, strlen(d->login) }, in);
		return;
	}
	d->has_login = true;
	snprintf(d->login, sizeof(d->login), "%.*s", (int)in.n, in.p);
	challenge(d, "Password:");
}

/* "user password" */
static void
step_first(struct drive *d, struct slice in)
{
	const char *sp = memchr(in.p, ' ', in.n);

	if (sp == NULL) {
		malformed(d);
		return;
	}
	judge(d, (struct slice){ in.p, (size_t)(sp - in.p) },
	    (struct slice){ sp + 1, (size_t)(in.p + in.n - sp - 1) });
}

static void
sasl(struct drive *d, bool begin)
{
	const struct pop3_request *q = &d->server.request;
	char what;

	if (begin) {
		d->mechanism = q->mechanism;
		d->has_login = false;
	}
	assert(d->mechanism != NULL);
	what = d->mechanism->name[0];
	if (!q->has_secret)
		challenge(d, what == 'P'   ? ""
			     : what == 'L' ? "Username:"
					   : "who?");
	else if (what == 'P')
		step_plain(d, q->secret);
	else if (what == 'L')
		step_login(d, q->secret);
	else
		step_first(d, q->secret);
}

/* ---- the maildrop ---- */

static void
listing(struct drive *d)
{
	pop3_server_listing_begin(&d->server, &d->out);
	for (uint32_t i = 1; i <= d->n_messages; i++) {
		char text[64];

		if (pop3_server_is_marked(&d->server, i))
			continue;
		if (d->server.request.uidl)
			snprintf(
			    text, sizeof(text), "%u %s\r\n", i, drive_uid(i).p);
		else
			snprintf(text, sizeof(text), "%u %llu\r\n", i,
			    (unsigned long long)drive_size(d, i));
		flush(d);
		if (buf_put(&d->out, text, strlen(text)) != E_OK)
			d->closed = true;
	}
	pop3_server_listing_end(&d->server, &d->out);
}

static void
envelope(struct drive *d, const struct drive_message *m)
{
	struct pop3_envelope e;

	pop3_envelope_init(&e);
	(void)pop3_envelope_add(&e, m->text.p, m->text.n);
	pop3_envelope_end(&e);
	pop3_server_envelope(
	    &d->server, &d->out, &e, drive_size(d, d->server.request.msgno));
}

static void
message(struct drive *d)
{
	const struct pop3_request *q = &d->server.request;
	const struct drive_message *m = &d->message[q->msgno - 1];
	struct pop3_wire_step step = { 0 };
	struct pop3_wire w;
	char part[64];
	size_t done = 0;

	if (m->gone) {
		pop3_server_failed(
		    &d->server, &d->out, POP3_TEXT_MESSAGE_UNREADABLE);
		return;
	}
	if (q->envelope) {
		envelope(d, m);
		return;
	}
	pop3_server_message_begin(&d->server, &d->out, drive_size(d, q->msgno));
	pop3_wire_init(&w, q->lines);
	while (done < m->text.n && !step.enough) {
		step = pop3_wire_encode(
		    &w, m->text.p + done, m->text.n - done, part, sizeof(part));
		done += step.used;
		flush(d);
		if (buf_put(&d->out, part, step.made) != E_OK)
			d->closed = true;
	}
	if (buf_put(&d->out, part, pop3_wire_end(&w, part)) != E_OK)
		d->closed = true;
	pop3_server_message_end(&d->server, m->size == 0);
}

static bool
is_set(const uint8_t *bits, uint32_t i)
{
	return bits != NULL && (bits[i / 8] & 1U << i % 8) != 0;
}

static void
update(struct drive *d)
{
	const uint8_t *marks = pop3_server_marks(&d->server);
	const uint8_t *takes = pop3_server_takes(&d->server);
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_messages; i++)
		if (is_set(marks, i) || is_set(takes, i)) {
			d->message[i].removed = !d->stuck;
			n++;
		}
	pop3_server_updated(
	    &d->server, &d->out, d->stuck ? 0 : n, d->stuck ? n : 0);
}

/* ---- the loop ---- */

/* What came with a request, for the comparison of two ways to feed it. */
static void
note(struct drive *d, enum pop3_want want)
{
	const struct pop3_request *q = &d->server.request;

	if (want == POP3_WANT_INPUT || want == POP3_WANT_FLUSH)
		return;
	if (buf_printf(&d->asked, "%d %s %u %llu %d%d%d%d ", want,
		q->mechanism != NULL ? q->mechanism->name : "-", q->msgno,
		(unsigned long long)q->lines, q->uidl, q->top, q->envelope,
		q->has_secret) != E_OK ||
	    buf_put(&d->asked, q->name.p, q->name.n) != E_OK ||
	    buf_put(&d->asked, "/", 1) != E_OK ||
	    buf_put(&d->asked, q->secret.p, q->secret.n) != E_OK ||
	    buf_put(&d->asked, "\n", 1) != E_OK)
		d->closed = true;
}

static void
provide(struct drive *d, enum pop3_want want, size_t more)
{
	const struct pop3_request *q = &d->server.request;

	switch (want) {
	case POP3_WANT_TLS:
		if (d->in.len + more != 0)
			d->closed = true;
		else
			pop3_server_tls(&d->server);
		break;
	case POP3_WANT_PASS: judge(d, q->name, q->secret); break;
	case POP3_WANT_APOP: judge_apop(d); break;
	case POP3_WANT_SASL: sasl(d, true); break;
	case POP3_WANT_STEP: sasl(d, false); break;
	case POP3_WANT_CANCEL: d->mechanism = NULL; break;
	case POP3_WANT_XCLIENT:
		pop3_server_proxied(&d->server, &d->out,
		    memchr(q->secret.p, '=', q->secret.n) != NULL);
		break;
	case POP3_WANT_ENTRY:
		pop3_server_entry(&d->server, &d->out, drive_size(d, q->msgno),
		    drive_uid(q->msgno));
		break;
	case POP3_WANT_LISTING: listing(d); break;
	case POP3_WANT_MESSAGE: message(d); break;
	case POP3_WANT_UPDATE: update(d); break;
	case POP3_WANT_CLOSE: d->closed = true; break;
	case POP3_WANT_INPUT:
	case POP3_WANT_FLUSH: break;
	}
}

void
drive_feed(struct drive *d, const char *p, size_t n, size_t more)
{
	enum pop3_want want = POP3_WANT_FLUSH;

	while (!d->closed && (n != 0 || want != POP3_WANT_INPUT)) {
		size_t part = d->in.max - d->in.len;

		if (part > n)
			part = n;
		if (buf_put(&d->in, p, part) != E_OK)
			d->closed = true;
		p += part;
		n -= part;
		want = pop3_server_run(&d->server, &d->in, &d->out, DRIVE_MARK);
		note(d, want);
		provide(d, want, n + more);
		flush(d);
	}
	flush(d);
}

const char *
drive_say(struct drive *d, const char *text)
{
	size_t before = d->sent.len;

	drive_feed(d, text, strlen(text), 0);
	if (buf_put(&d->sent, "", 1) != E_OK)
		abort();
	d->sent.len--;
	return buf_data(&d->sent) + before;
}
