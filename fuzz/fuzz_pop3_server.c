/* A client's octets, fed at once and in pieces: the same is sent and the same
 * is asked for.  The first octet chooses what the server offers, the second
 * how the pieces are cut. */
#include <stdlib.h>
#include <string.h>

#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words that are cut at 512 octets, within a character. */
static const struct pop3_languages *
languages(void)
{
	static struct pop3_language pt = { .tag = "pt-BR", .itself = "p\xff" };
	static struct pop3_languages all = { &pt, &pt, 1 };
	static char words[600];

	for (size_t i = 0; i + 3 < sizeof(words); i += 3)
		memcpy(words + i, "\u20ac", 3);
	for (unsigned t = 0; t < POP3_TEXTS_END; t++)
		pt.words[t] = t % 3 == 0 ? words : "%2\xc3\xa3%1";
	return &all;
}

static void
start(struct drive *d, uint8_t what)
{
	drive_init(d);
	drive_offer(d, "X-FIRST");
	d->policy.languages = languages();
	d->policy.plain_passwords = what & 1;
	d->policy.stls = what & 2;
	d->policy.apop = what & 4;
	d->policy.bad_max = what & 8 ? 3 : 0;
	d->policy.failures_max = what & 16 ? 2 : 0;
	d->policy.sdps = what & 8;
	d->policy.sasl_max = what & 32 ? 20 : 3000;
	d->stuck = what & 64;
	d->proxy = what & 2;
	drive_add(d, "Return-Path: <.a@b>\nDelivered-To: c@d\n\n.x\n", 42);
	drive_add(d, "\r\n.\r", 4);
	drive_add(d, "", 0);
	d->message[2].gone = true;
	d->retention = what & 1 ? RETENTION_ONCE : RETENTION_NEVER;
	drive_start(d, what & 128);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct drive a, b;
	const char *p = (const char *)data + 2;
	unsigned seed;

	if (size < 2)
		return 0;
	size -= 2;
	seed = data[1];
	start(&a, data[0]);
	start(&b, data[0]);
	drive_feed(&a, p, size, 0);
	for (size_t i = 0, n; i < size; i += n) {
		n = 1 + (size_t)rand_r(&seed) % (1 + data[1] % 50);
		n = n < size - i ? n : size - i;
		drive_feed(&b, p + i, n, size - i - n);
	}
	if (a.closed != b.closed || a.sent.len != b.sent.len ||
	    a.asked.len != b.asked.len ||
	    memcmp(buf_data(&a.sent), buf_data(&b.sent), a.sent.len) != 0 ||
	    (a.asked.len != 0 && memcmp(buf_data(&a.asked), buf_data(&b.asked),
				     a.asked.len) != 0))
		abort();
	drive_clear(&a);
	drive_clear(&b);
	return 0;
}
