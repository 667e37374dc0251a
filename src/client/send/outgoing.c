#include "client/send/outgoing.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

#define FATE_NAME(constant, name) [constant] = name,
static const char *const names[] = { FATES(FATE_NAME) };
#undef FATE_NAME

const char *
fate_name(enum fate f)
{
	return names[f];
}

void
outgoing_copy_clear(struct outgoing_copy *c)
{
	free(c->dest);
	free(c->tmp);
	free(c->file);
	*c = (struct outgoing_copy){ .dest = NULL };
}

void
outgoing_clear(struct outgoing *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->v[i].address);
		free(o->v[i].words);
	}
	free(o->v);
	free(o->account);
	free(o->sender);
	free(o->subject);
	free(o->words);
	outgoing_copy_clear(&o->copy);
	memset(o, 0, sizeof(*o));
}

void
outgoing_say(char **field, const char *words)
{
	char *copy = words != NULL ? strdup(words) : NULL;

	free(*field);
	*field = copy;
}

size_t
outgoing_count(const struct outgoing *o, enum fate f)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		n += o->v[i].fate == f;
	return n;
}

void
outgoing_turn(struct outgoing *o, enum fate from, enum fate to)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].fate == from)
			o->v[i].fate = to;
}

/* ---- JSON ---- */

/* Words of a server are escaped by then; what is not UTF-8 all the same is left
 * out. */
static json_t *
text_or_null(const char *s)
{
	json_t *j = s != NULL ? json_string(s) : NULL;

	return j != NULL ? j : json_null();
}

static json_t *
recipients(const struct outgoing *o)
{
	json_t *all = json_array();

	for (size_t i = 0; i < o->n; i++)
		if (json_array_append_new(
			all, json_pack("{s:s, s:s, s:o}", "address",
				 o->v[i].address, "state", names[o->v[i].fate],
				 "words", text_or_null(o->v[i].words))) != 0) {
			json_decref(all);
			return NULL;
		}
	return all;
}

/* A place that is no UTF-8 cannot be said: a copy there may come twice. */
static json_t *
copy_or_null(const struct outgoing_copy *c)
{
	char content[DIGEST_TEXT];
	json_t *j;

	if (c->dest == NULL)
		return json_null();
	j = json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:s, s:I, s:I}", "dest",
	    c->dest, "tmp", text_or_null(c->tmp), "file", text_or_null(c->file),
	    "octets", (json_int_t)c->octets, "offset", (json_int_t)c->offset,
	    "length", (json_int_t)c->length, "content",
	    digest_text(content, c->content), "epoch", (json_int_t)c->epoch,
	    "at", (json_int_t)c->at);
	return j != NULL ? j : json_null();
}

char *
outgoing_print(const struct outgoing *o)
{
	json_t *all = recipients(o), *j;
	char *text;

	if (all == NULL)
		return NULL;
	j = json_pack("{s:i, s:s, s:s, s:o, s:o, s:b, s:b, s:b, s:o, s:I, "
		      "s:I, s:I, s:I, s:o, s:b}",
	    "malote", VERSION, "account", o->account, "sender", o->sender,
	    "subject", text_or_null(o->subject), "recipients", all, "8bit",
	    o->eightbit, "utf8", o->utf8, "copied", o->copied, "copy",
	    copy_or_null(&o->copy), "octets", (json_int_t)o->octets,
	    "queued_at", (json_int_t)o->queued_at, "next_at",
	    (json_int_t)o->next_at, "tries", (json_int_t)o->tries, "words",
	    text_or_null(o->words), "denied", o->denied);
	text = j != NULL ? json_dumps(j, JSON_INDENT(1)) : NULL;
	json_decref(j);
	return text;
}

static char *
copy_of(const json_t *j)
{
	return json_is_string(j) ? strdup(json_string_value(j)) : NULL;
}

static enum err
parse_recipient(struct recipient *r, json_t *j)
{
	const char *address = json_string_value(json_object_get(j, "address"));
	const char *state = json_string_value(json_object_get(j, "state"));
	size_t f = 0;

	if (address == NULL || state == NULL)
		return E_FORMAT;
	while (f < FATE_COUNT && strcmp(names[f], state) != 0)
		f++;
	if (f == FATE_COUNT)
		return E_FORMAT;
	r->fate = (enum fate)f;
	r->words = copy_of(json_object_get(j, "words"));
	r->address = strdup(address);
	return r->address != NULL ? E_OK : E_NOMEM;
}

static enum err
parse_recipients(struct outgoing *o, json_t *all)
{
	size_t n = json_array_size(all);
	enum err e = E_OK;

	if (n == 0)
		return E_FORMAT;
	if ((o->v = calloc(n, sizeof(*o->v))) == NULL)
		return E_NOMEM;
	for (; e == E_OK && o->n < n; o->n++)
		e = parse_recipient(&o->v[o->n], json_array_get(all, o->n));
	return e;
}

static enum err
parse_copy(struct outgoing_copy *c, const json_t *j)
{
	json_int_t octets, offset, length, epoch, at;
	const char *content;

	if (!json_is_object(j))
		return E_OK;
	if (json_unpack((json_t *)j, "{s:I, s:I, s:I, s:s, s:I, s:I}", "octets",
		&octets, "offset", &offset, "length", &length, "content",
		&content, "epoch", &epoch, "at", &at) != 0 ||
	    !digest_parse(
		(struct slice){ content, strlen(content) }, &c->content))
		return E_FORMAT;
	c->octets = (uint64_t)octets;
	c->offset = (uint64_t)offset;
	c->length = (uint64_t)length;
	c->epoch = (uint32_t)epoch;
	c->at = at;
	c->dest = copy_of(json_object_get(j, "dest"));
	c->tmp = copy_of(json_object_get(j, "tmp"));
	c->file = copy_of(json_object_get(j, "file"));
	return c->dest != NULL ? E_OK : E_FORMAT;
}

static enum err
parse_object(struct outgoing *o, json_t *j)
{
	json_int_t octets, queued, next, tries;
	int version, eightbit, utf8, copied;

	if (json_unpack(j, "{s:i, s:b, s:b, s:b, s:I, s:I, s:I, s:I}", "malote",
		&version, "8bit", &eightbit, "utf8", &utf8, "copied", &copied,
		"octets", &octets, "queued_at", &queued, "next_at", &next,
		"tries", &tries) != 0 ||
	    version != VERSION || octets < 0 || tries < 0)
		return E_FORMAT;
	o->eightbit = eightbit;
	o->utf8 = utf8;
	o->copied = copied;
	o->octets = (uint64_t)octets;
	o->queued_at = queued;
	o->next_at = next;
	o->tries = (unsigned)tries;
	o->denied = json_is_true(json_object_get(j, "denied"));
	o->account = copy_of(json_object_get(j, "account"));
	o->sender = copy_of(json_object_get(j, "sender"));
	o->subject = copy_of(json_object_get(j, "subject"));
	o->words = copy_of(json_object_get(j, "words"));
	if (o->account == NULL || o->sender == NULL ||
	    parse_copy(&o->copy, json_object_get(j, "copy")) != E_OK)
		return E_FORMAT;
	return parse_recipients(o, json_object_get(j, "recipients"));
}

enum err
outgoing_parse(struct outgoing *o, struct slice text)
{
	json_t *j = json_loadb(text.p, text.n, 0, NULL);
	enum err e;

	memset(o, 0, sizeof(*o));
	e = j != NULL ? parse_object(o, j) : E_FORMAT;
	json_decref(j);
	if (e != E_OK)
		outgoing_clear(o);
	return e;
}
