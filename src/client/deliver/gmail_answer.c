#include "client/deliver/gmail_answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/b64.h"

/* ---- errors ---- */

static const char *
first_reason(const json_t *error)
{
	const json_t *one = json_array_get(json_object_get(error, "errors"), 0);
	const char *reason = json_string_value(json_object_get(one, "reason"));

	return reason != NULL
		   ? reason
		   : json_string_value(json_object_get(error, "status"));
}

static void
take_words(struct gmail_error *r, struct slice json)
{
	json_t *root = json_loadb(json.p, json.n, 0, NULL);
	const json_t *error = json_object_get(root, "error");
	const char *reason = first_reason(error);
	const json_t *words = json_object_get(error, "message");

	if (reason != NULL)
		str_escape(
		    r->reason, sizeof(r->reason), reason, strlen(reason));
	if (json_is_string(words))
		str_quote(r->words, sizeof(r->words), json_string_value(words),
		    json_string_length(words));
	json_decref(root);
}

static enum gmail_meaning
meaning_of_forbidden(const char *reason)
{
	if (strcasecmp(reason, "rateLimitExceeded") == 0 ||
	    strcasecmp(reason, "userRateLimitExceeded") == 0)
		return GMAIL_SLOWER;
	/* dailyLimitExceeded, quotaExceeded, and their like */
	if (strcasestr(reason, "limit") != NULL ||
	    strcasestr(reason, "quota") != NULL ||
	    strcasecmp(reason, "RESOURCE_EXHAUSTED") == 0)
		return GMAIL_LATER;
	return GMAIL_FORBIDDEN;
}

/* A failed precondition of 400 is one of the mailbox, which is switched off. */
static enum gmail_meaning
meaning_of(unsigned status, const char *reason)
{
	switch (status) {
	case 400:
		return strcasecmp(reason, "failedPrecondition") == 0
			   ? GMAIL_FORBIDDEN
			   : GMAIL_REFUSED;
	case 401: return GMAIL_FORBIDDEN;
	case 403: return meaning_of_forbidden(reason);
	case 404:
	case 410: return GMAIL_GONE;
	case 413: return GMAIL_REFUSED;
	case 429: return GMAIL_SLOWER;
	default: return status >= 500 ? GMAIL_DOUBT : GMAIL_LATER;
	}
}

void
gmail_error_read(struct gmail_error *r, unsigned status, struct slice json)
{
	*r = (struct gmail_error){ .status = status };
	take_words(r, json);
	r->meaning = meaning_of(status, r->reason);
}

/* ---- values ---- */

static enum err
open_answer(json_t **root_r, struct slice json)
{
	*root_r = json_loadb(json.p, json.n, 0, NULL);
	if (json_is_object(*root_r))
		return E_OK;
	json_decref(*root_r);
	*root_r = NULL;
	return E_FORMAT;
}

static enum err
take_id(char id[GMAIL_ID], const json_t *from)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
	const json_t *v = json_object_get(from, "id");
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);

	if (text == NULL || n == 0 || n >= GMAIL_ID || strspn(text, plain) != n)
		return E_FORMAT;
	memcpy(id, text, n + 1);
	return E_OK;
}

enum err
gmail_id_read(char id[GMAIL_ID], struct slice json)
{
	json_t *root;
	enum err e = open_answer(&root, json);

	if (e == E_OK)
		e = take_id(id, root);
	json_decref(root);
	return e;
}

enum err
gmail_profile_read(uint64_t *history_r, struct slice json)
{
	json_t *root;
	const json_t *v;
	enum err e = open_answer(&root, json);

	v = json_object_get(root, "historyId");
	if (e == E_OK && (!json_is_string(v) ||
			     !str_to_u64((struct slice){ json_string_value(v),
					     json_string_length(v) },
				 history_r) ||
			     *history_r == 0 || *history_r > INT64_MAX))
		e = E_FORMAT;
	json_decref(root);
	return e;
}

static enum err
find_label(char id[GMAIL_ID], const char *name, const json_t *labels)
{
	for (size_t i = 0; i < json_array_size(labels); i++) {
		const json_t *one = json_array_get(labels, i);
		const char *is =
		    json_string_value(json_object_get(one, "name"));

		if (is != NULL && strcasecmp(is, name) == 0)
			return take_id(id, one);
	}
	return E_NOENT;
}

enum err
gmail_label_read(char id[GMAIL_ID], const char *name, struct slice json)
{
	json_t *root;
	enum err e = open_answer(&root, json);

	if (e == E_OK)
		e = find_label(id, name, json_object_get(root, "labels"));
	json_decref(root);
	return e;
}

/* ---- ids ---- */

static enum err
add_message(struct api_ids *ids, const json_t *message)
{
	char id[GMAIL_ID];
	enum err e = take_id(id, message);

	return e == E_OK ? api_ids_add(ids, id) : e;
}

static enum err
take_page(char page[GMAIL_PAGE], const json_t *root)
{
	const json_t *v = json_object_get(root, "nextPageToken");
	size_t n = json_string_length(v);

	page[0] = '\0';
	if (v == NULL)
		return E_OK;
	if (!json_is_string(v) || n >= GMAIL_PAGE ||
	    strlen(json_string_value(v)) != n)
		return E_FORMAT;
	memcpy(page, json_string_value(v), n + 1);
	return E_OK;
}

enum err
gmail_list_read(struct api_ids *ids, char page[GMAIL_PAGE], struct slice json)
{
	json_t *root;
	const json_t *all;
	enum err e = open_answer(&root, json);

	all = json_object_get(root, "messages");
	if (e == E_OK && all != NULL && !json_is_array(all))
		e = E_FORMAT;
	for (size_t i = 0; e == E_OK && i < json_array_size(all); i++)
		e = add_message(ids, json_array_get(all, i));
	if (e == E_OK)
		e = take_page(page, root);
	json_decref(root);
	return e;
}

static enum err
take_record(struct api_ids *ids, const json_t *record)
{
	const json_t *added = json_object_get(record, "messagesAdded");
	enum err e = E_OK;

	if (!json_is_object(record) || (added != NULL && !json_is_array(added)))
		return E_FORMAT;
	for (size_t i = 0; e == E_OK && i < json_array_size(added); i++)
		e = add_message(
		    ids, json_object_get(json_array_get(added, i), "message"));
	return e;
}

enum err
gmail_history_read(
    struct api_ids *ids, char page[GMAIL_PAGE], struct slice json)
{
	json_t *root;
	const json_t *all;
	enum err e = open_answer(&root, json);

	all = json_object_get(root, "history");
	if (e == E_OK && ((all != NULL && !json_is_array(all)) ||
			     json_object_get(root, "historyId") == NULL))
		e = E_FORMAT;
	for (size_t i = 0; e == E_OK && i < json_array_size(all); i++)
		e = take_record(ids, json_array_get(all, i));
	if (e == E_OK)
		e = take_page(page, root);
	json_decref(root);
	return e;
}

/* ---- a message ---- */

static void
take_header(char id[GMAIL_MESSAGE_ID], const json_t *field)
{
	const char *name = json_string_value(json_object_get(field, "name"));
	const json_t *value = json_object_get(field, "value");

	if (name == NULL || strcasecmp(name, "Message-ID") != 0 ||
	    !json_is_string(value) || id[0] != '\0')
		return;
	str_escape(id, GMAIL_MESSAGE_ID, json_string_value(value),
	    json_string_length(value));
}

enum err
gmail_message_id_read(char id[GMAIL_MESSAGE_ID], struct slice json)
{
	json_t *root;
	const json_t *all;
	enum err e = open_answer(&root, json);

	id[0] = '\0';
	all = json_object_get(json_object_get(root, "payload"), "headers");
	for (size_t i = 0; i < json_array_size(all); i++)
		take_header(id, json_array_get(all, i));
	json_decref(root);
	return e;
}

/* Base64 of RFC 4648 s5, whose padding some leave out. */
static enum err
decode(char **octets_r, size_t *n_r, struct slice coded)
{
	size_t n = coded.n + 3;
	char *out = malloc(n + 1);
	enum err e;

	if (out == NULL)
		return E_NOMEM;
	for (n = 0; n < coded.n; n++)
		out[n] = coded.p[n] == '-'   ? '+'
			 : coded.p[n] == '_' ? '/'
					     : coded.p[n];
	while (n % 4 != 0)
		out[n++] = '=';
	e = b64_decode(out, (struct slice){ out, n }, n_r);
	if (e == E_OK)
		*octets_r = out;
	else
		free(out);
	return e;
}

enum err
gmail_raw_read(char **octets_r, size_t *n_r, struct slice json)
{
	json_t *root;
	const json_t *v;
	enum err e = open_answer(&root, json);

	v = json_object_get(root, "raw");
	if (e == E_OK)
		e = json_is_string(v)
			? decode(octets_r, n_r,
			      (struct slice){
				  json_string_value(v), json_string_length(v) })
			: E_FORMAT;
	json_decref(root);
	return e;
}
