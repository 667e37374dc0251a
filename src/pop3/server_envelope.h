/*
 * server_envelope.h - the envelope of a message, out of its header: for *ENV.
 *
 * Whoever delivers a message writes its envelope on top of it: the sender as
 * Return-Path (RFC 5321 s4.4), the recipient as Delivered-To or X-Original-To.
 * The topmost of each counts: what stands below it was there before, and may be
 * the sender's invention.  The octets may come in any pieces.
 */
#ifndef POP3_SERVER_ENVELOPE_H
#define POP3_SERVER_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	/* Octets of an address: RFC 5321 s4.5.3.1.1 and s4.5.3.1.2. */
	POP3_ADDRESS_MAX = 64 + 1 + 255,
	POP3_ENVELOPE_LINE = 512, /* a longer line has no address for us */
};

struct pop3_envelope {
	/* Without angle brackets, UTF-8, no control characters.  Empty: the null
	 * sender, or it is not known. */
	char sender[POP3_ADDRESS_MAX + 1];
	char recipient[POP3_ADDRESS_MAX + 1];

	/* The rest is the module's own. */
	bool has_sender, has_recipient; /* its field has come */
	char *field;                    /* whose value is being read, or NULL */
	char line[POP3_ENVELOPE_LINE];
	size_t n_line;
	bool line_long;
	char value[POP3_ENVELOPE_LINE]; /* of the field, unfolded */
	size_t n_value;
	bool value_bad;
	size_t octets; /* read so far */
};

void pop3_envelope_init(struct pop3_envelope *e);

/* The next octets of the message as it is stored (lines end in LF or CRLF).
 * True: no more are needed. */
bool pop3_envelope_add(struct pop3_envelope *e, const char *octets, size_t n);

/* There are no more octets. */
void pop3_envelope_end(struct pop3_envelope *e);

#endif
