#include "server/store/surrogate/downgrade.h"

#include <string.h>

#include "server/store/surrogate/address_list.h"
#include "server/store/surrogate/mime_header.h"
#include "server/store/surrogate/parameter.h"
#include "server/store/surrogate/words.h"

enum kind { ADDRESSES, TEXT, PARAMETERS, WRAPPED, OTHER };

static const struct {
	const char *name;
	enum kind kind;
} fields[] = {
	{ "From", ADDRESSES },
	{ "Sender", ADDRESSES },
	{ "Reply-To", ADDRESSES },
	{ "To", ADDRESSES },
	{ "Cc", ADDRESSES },
	{ "Bcc", ADDRESSES },
	{ "Return-Path", ADDRESSES },
	{ "Resent-From", ADDRESSES },
	{ "Resent-Sender", ADDRESSES },
	{ "Resent-To", ADDRESSES },
	{ "Resent-Cc", ADDRESSES },
	{ "Resent-Bcc", ADDRESSES },
	{ "Subject", TEXT },
	{ "Content-Type", PARAMETERS },
	{ "Content-Disposition", PARAMETERS },
	/* Within these an encoded word means nothing: they are renamed, RFC
	 * 6857 s3.1.10. */
	{ "Message-ID", WRAPPED },
	{ "Resent-Message-ID", WRAPPED },
	{ "In-Reply-To", WRAPPED },
	{ "References", WRAPPED },
	{ "Original-Recipient", WRAPPED },
	{ "Final-Recipient", WRAPPED },
};

static enum kind
kind_of(struct slice name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (slice_caseeq(name, fields[i].name))
			return fields[i].kind;
	return OTHER;
}

static enum err
put(struct buf *out, struct slice s)
{
	return buf_put(out, s.p, s.n);
}

static enum err
put_name(struct buf *out, const char *prefix, struct slice name)
{
	enum err e = buf_put(out, prefix, strlen(prefix));

	if (e == E_OK)
		e = put(out, name);
	return e == E_OK ? buf_put(out, ": ", 2) : e;
}

/* With what is left of it; nothing if that is nothing. */
static enum err
convert_field(struct buf *out, struct slice name, struct slice body, bool full)
{
	size_t before = out->len;
	enum kind kind = kind_of(name);
	bool dropped = false;
	enum err e;

	if (!full && (kind == WRAPPED || kind == OTHER))
		return E_OK;
	e = put_name(out, kind == WRAPPED ? "Downgraded-" : "", name);
	if (e == E_OK && kind == ADDRESSES)
		e = surrogate_addresses(out, body, full);
	else if (e == E_OK && kind == PARAMETERS)
		e = surrogate_parameters(out, body, full, &dropped);
	else if (e == E_OK)
		e = surrogate_words(out, body);
	if (e == E_OK)
		e = buf_put(out, "\n", 1);
	if (dropped)
		buf_unput(out, NULL, out->len - before);
	return e;
}

enum err
downgrade_header(struct buf *out, struct slice header, bool full)
{
	struct mime_field f;
	enum err e = E_OK;

	while (e == E_OK && mime_next(&header, &f))
		e = surrogate_is_ascii(f.whole)
			? put(out, f.whole)
			: convert_field(out, f.name, f.body, full);
	return e;
}
