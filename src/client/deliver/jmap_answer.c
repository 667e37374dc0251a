#include "client/deliver/jmap_answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAIL  "urn:ietf:params:jmap:mail"
#define CORE  "urn:ietf:params:jmap:core"
#define ERROR "urn:ietf:params:jmap:error:"

enum { DEPTH = 10 /* of mailboxes within mailboxes */ };

/* ---- values ---- */

static enum err
take_text(char *out, size_t size, const json_t *v)
{
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);

	if (text == NULL || n >= size || memchr(text, '\0', n) != NULL)
		return E_FORMAT;
	memcpy(out, text, n + 1);
	return E_OK;
}

static enum err
take_id(char id[JMAP_ID], const json_t *v)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
	enum err e = take_text(id, JMAP_ID, v);

	return e == E_OK && id[0] != '\0' && strspn(id, plain) == strlen(id)
		   ? E_OK
		   : E_FORMAT;
}

static uint64_t
take_number(const json_t *from, const char *name, uint64_t otherwise)
{
	const json_t *v = json_object_get(from, name);

	return json_is_integer(v) && json_integer_value(v) > 0
		   ? (uint64_t)json_integer_value(v)
		   : otherwise;
}

static enum err
open_object(json_t **root_r, struct slice json)
{
	*root_r = json_loadb(json.p, json.n, 0, NULL);
	if (json_is_object(*root_r))
		return E_OK;
	json_decref(*root_r);
	*root_r = NULL;
	return E_FORMAT;
}

/* ---- errors ---- */

static const struct {
	const char *type;
	enum jmap_meaning meaning;
} meanings[] = {
	/* Of a request: RFC 8620 s3.6.1; of a call: s3.6.2, s5.2. */
	{ "rateLimit", JMAP_SLOWER },
	{ "serverUnavailable", JMAP_LATER },
	{ "serverFail", JMAP_DOUBT },
	{ "serverPartialFail", JMAP_DOUBT },
	{ "stateMismatch", JMAP_LATER },
	{ "requestTooLarge", JMAP_LATER },
	{ "cannotCalculateChanges", JMAP_GONE },
	{ "accountReadOnly", JMAP_FORBIDDEN },
	{ "accountNotFound", JMAP_FORBIDDEN },
	{ "accountNotSupportedByMethod", JMAP_FORBIDDEN },
	{ "forbidden", JMAP_FORBIDDEN },
	{ "unknownMethod", JMAP_FORBIDDEN },
	{ "unknownCapability", JMAP_FORBIDDEN },
	{ "notJSON", JMAP_FORBIDDEN },
	{ "notRequest", JMAP_FORBIDDEN },
	{ "limit", JMAP_SLOWER },
	/* Of a message: s5.3, RFC 8621 s4.8. */
	{ "alreadyExists", JMAP_EXISTS },
	{ "overQuota", JMAP_FULL },
	{ "maxQuotaReached", JMAP_FULL },
	{ "notFound", JMAP_LATER },
	{ "blobNotFound", JMAP_LATER },
};

static enum jmap_meaning
meaning_of(const char *type, enum jmap_meaning otherwise)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcasecmp(meanings[i].type, type) == 0)
			return meanings[i].meaning;
	return otherwise;
}

static void
take_words(struct jmap_error *r, const json_t *error, const char *words)
{
	const json_t *v = json_object_get(error, words);
	const char *type = json_string_value(json_object_get(error, "type"));

	if (type != NULL && strncmp(type, ERROR, sizeof(ERROR) - 1) == 0)
		type += sizeof(ERROR) - 1;
	if (type != NULL)
		str_escape(r->type, sizeof(r->type), type, strlen(type));
	if (json_is_string(v))
		str_quote(r->words, sizeof(r->words), json_string_value(v),
		    json_string_length(v));
	else
		str_quote(r->words, sizeof(r->words), r->type, strlen(r->type));
}

static enum jmap_meaning
meaning_of_status(unsigned status)
{
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 405: return JMAP_FORBIDDEN;
	case 413: return JMAP_REFUSED;
	case 429: return JMAP_SLOWER;
	default: return status >= 500 ? JMAP_DOUBT : JMAP_LATER;
	}
}

void
jmap_error_read(struct jmap_error *r, unsigned status, struct slice json)
{
	json_t *root = json_loadb(json.p, json.n, 0, NULL);
	const char *limit = json_string_value(json_object_get(root, "limit"));

	*r = (struct jmap_error){ .type = "" };
	take_words(r, root, "detail");
	r->meaning = meaning_of(r->type, meaning_of_status(status));
	if (limit != NULL && strcmp(limit, "maxSizeUpload") == 0)
		r->meaning = JMAP_REFUSED;
	if (r->words[0] == '\0')
		snprintf(r->words, sizeof(r->words), "%u", status);
	json_decref(root);
}

/* ---- the session ---- */

/* Some servers write only the path. */
static enum err
take_url(char out[JMAP_URL], const char *base, const json_t *v)
{
	const char *text = json_string_value(v), *host = strstr(base, "://");
	size_t n = host != NULL ? strcspn(host + 3, "/?#") + 3 : 0;
	int made;

	if (text == NULL || host == NULL)
		return E_FORMAT;
	n += (size_t)(host - base);
	if (strncasecmp(text, "https://", 8) == 0)
		n = 0;
	else if (text[0] != '/' || text[1] == '/')
		return E_FORMAT;
	made = snprintf(out, JMAP_URL, "%.*s%s", (int)n, base, text);
	return made < JMAP_URL ? E_OK : E_FORMAT;
}

static enum err
take_account(struct jmap_session *s, const json_t *root)
{
	const json_t *id =
	    json_object_get(json_object_get(root, "primaryAccounts"), MAIL);
	const json_t *account;

	if (id == NULL)
		return E_NOENT;
	if (take_id(s->account, id) != E_OK)
		return E_FORMAT;
	account =
	    json_object_get(json_object_get(root, "accounts"), s->account);
	return json_is_true(json_object_get(account, "isReadOnly")) ? E_NOENT
								    : E_OK;
}

static enum err
take_session(struct jmap_session *s, const char *url, const json_t *root)
{
	const json_t *core =
	    json_object_get(json_object_get(root, "capabilities"), CORE);
	enum err e;

	s->max_upload = take_number(core, "maxSizeUpload", UINT64_MAX);
	s->max_objects = take_number(core, "maxObjectsInSet", UINT64_MAX);
	if ((e = take_url(s->api, url, json_object_get(root, "apiUrl"))) !=
		E_OK ||
	    (e = take_url(
		 s->upload, url, json_object_get(root, "uploadUrl"))) != E_OK ||
	    (e = take_url(s->download, url,
		 json_object_get(root, "downloadUrl"))) != E_OK)
		return e;
	return take_account(s, root);
}

enum err
jmap_session_read(struct jmap_session *s, const char *url, struct slice json)
{
	json_t *root;
	enum err e = open_object(&root, json);

	if (e == E_OK)
		e = take_session(s, url, root);
	json_decref(root);
	return e;
}

bool
jmap_url(char out[JMAP_URL], const char *template, const char *account,
    const char *blob)
{
	const struct {
		const char *name, *value;
	} values[] = {
		{ "{accountId}", account },
		{ "{blobId}", blob },
		{ "{name}", "message" },
		{ "{type}", "application%2Foctet-stream" },
	};
	size_t n = 0;

	while (*template != '\0' && n + 1 < JMAP_URL) {
		const char *value = NULL;

		for (size_t i = 0; i < 4 && value == NULL; i++) {
			size_t length = strlen(values[i].name);

			if (strncmp(template, values[i].name, length) != 0)
				continue;
			value = values[i].value;
			template += length;
		}
		if (value == NULL)
			out[n++] = *template ++;
		else if (n + strlen(value) + 1 < JMAP_URL)
			n += (size_t)sprintf(out + n, "%s", value);
		else
			return false;
	}
	out[n] = '\0';
	return *template == '\0';
}

enum err
jmap_upload_read(char blob[JMAP_ID], struct slice json)
{
	json_t *root;
	enum err e = open_object(&root, json);

	if (e == E_OK)
		e = take_id(blob, json_object_get(root, "blobId"));
	json_decref(root);
	return e;
}

/* ---- one call ---- */

/* Some add to the answer of one method those of others that it has called. */
static enum err
take_answer(const json_t **args_r, struct jmap_error *r, const char *method,
    const json_t *all)
{
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *one = json_array_get(all, i);
		const char *name = json_string_value(json_array_get(one, 0));

		*args_r = json_array_get(one, 1);
		if (name == NULL || !json_is_object(*args_r))
			return E_FORMAT;
		if (strcmp(name, method) == 0)
			return E_OK;
		if (strcmp(name, "error") != 0)
			continue;
		take_words(r, *args_r, "description");
		r->meaning = meaning_of(r->type, JMAP_LATER);
		return E_DENIED;
	}
	return E_FORMAT;
}

static enum err
open_answer(json_t **root_r, const json_t **args_r, struct jmap_error *r,
    const char *method, struct slice json)
{
	enum err e = open_object(root_r, json);

	*r = (struct jmap_error){ .type = "" };
	return e == E_OK ? take_answer(args_r, r, method,
			       json_object_get(*root_r, "methodResponses"))
			 : e;
}

enum err
jmap_state_read(char state[JMAP_STATE], struct jmap_error *r, struct slice json)
{
	const json_t *args;
	json_t *root;
	enum err e = open_answer(&root, &args, r, "Email/get", json);

	if (e == E_OK)
		e = take_text(
		    state, JMAP_STATE, json_object_get(args, "state"));
	json_decref(root);
	return e;
}

/* ---- mailboxes ---- */

static const json_t *
find_mailbox(const json_t *list, const char *id)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *is = json_string_value(json_object_get(one, "id"));

		if (is != NULL && strcmp(is, id) == 0)
			return one;
	}
	return NULL;
}

/* Is this path the one of that mailbox?  Compared from the end. */
static bool
has_path(const json_t *list, const json_t *box, const char *path)
{
	size_t left = strlen(path);

	for (unsigned depth = 0; box != NULL && depth < DEPTH; depth++) {
		const char *name =
		    json_string_value(json_object_get(box, "name"));
		const char *parent =
		    json_string_value(json_object_get(box, "parentId"));
		size_t n = name != NULL ? strlen(name) : 0;

		if (n == 0 || n > left || memcmp(path + left - n, name, n) != 0)
			return false;
		left -= n;
		if (parent == NULL)
			return left == 0;
		if (left == 0 || path[--left] != '/')
			return false;
		box = find_mailbox(list, parent);
	}
	return false;
}

static bool
is_inbox(const json_t *box)
{
	const char *role = json_string_value(json_object_get(box, "role"));

	return role != NULL && strcasecmp(role, "inbox") == 0;
}

enum err
jmap_mailbox_read(
    char id[JMAP_ID], const char *path, struct jmap_error *r, struct slice json)
{
	bool inbox = strcasecmp(path, "INBOX") == 0, found = false;
	const json_t *args, *list;
	json_t *root;
	enum err e = open_answer(&root, &args, r, "Mailbox/get", json);

	list = e == E_OK ? json_object_get(args, "list") : NULL;
	if (e == E_OK && !json_is_array(list))
		e = E_FORMAT;
	for (size_t i = 0; !found && i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		found = inbox ? is_inbox(one) : has_path(list, one, path);
		if (found)
			e = take_id(id, json_object_get(one, "id"));
	}
	json_decref(root);
	return e == E_OK && !found ? E_NOENT : e;
}

/* ---- what was to be made ---- */

/* invalidProperties of these says that what they name has gone. */
static bool
concerns_other_things(const json_t *error)
{
	const json_t *all = json_object_get(error, "properties");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const char *name = json_string_value(json_array_get(all, i));

		if (name != NULL && (strncmp(name, "mailboxIds", 10) == 0 ||
					strcmp(name, "blobId") == 0))
			return true;
	}
	return false;
}

static enum err
take_refusal(struct jmap_error *r, const json_t *error)
{
	if (!json_is_object(error))
		return E_FORMAT;
	take_words(r, error, "description");
	r->meaning = meaning_of(r->type, JMAP_REFUSED);
	if (concerns_other_things(error))
		r->meaning = JMAP_LATER;
	if (r->meaning == JMAP_EXISTS &&
	    take_id(r->id, json_object_get(error, "existingId")) != E_OK)
		r->id[0] = '\0';
	return E_DENIED;
}

static enum err
take_made(
    char id[JMAP_ID], const char *key, struct jmap_error *r, const json_t *args)
{
	const json_t *made =
	    json_object_get(json_object_get(args, "created"), key);

	if (json_is_object(made))
		return take_id(id, json_object_get(made, "id"));
	return take_refusal(
	    r, json_object_get(json_object_get(args, "notCreated"), key));
}

static enum err
read_made(char id[JMAP_ID], const char *method, const char *key,
    struct jmap_error *r, struct slice json)
{
	const json_t *args;
	json_t *root;
	enum err e = open_answer(&root, &args, r, method, json);

	if (e == E_OK)
		e = take_made(id, key, r, args);
	json_decref(root);
	return e;
}

enum err
jmap_made_read(char id[JMAP_ID], struct jmap_error *r, struct slice json)
{
	return read_made(id, "Mailbox/set", "m", r, json);
}

enum err
jmap_import_read(
    char id[JMAP_ID], size_t number, struct jmap_error *r, struct slice json)
{
	char key[32];

	snprintf(key, sizeof(key), "m%zu", number);
	return read_made(id, "Email/import", key, r, json);
}

/* ---- what is there ---- */

static enum err
add_ids(struct api_ids *ids, const json_t *list)
{
	char id[JMAP_ID];
	enum err e = json_is_array(list) ? E_OK : E_FORMAT;

	for (size_t i = 0; e == E_OK && i < json_array_size(list); i++) {
		e = take_id(id, json_array_get(list, i));
		if (e == E_OK)
			e = api_ids_add(ids, id);
	}
	return e;
}

enum err
jmap_changes_read(struct api_ids *ids, char state[JMAP_STATE], bool *more_r,
    struct jmap_error *r, struct slice json)
{
	const json_t *args, *more;
	json_t *root;
	enum err e = open_answer(&root, &args, r, "Email/changes", json);

	if (e == E_OK)
		e = add_ids(ids, json_object_get(args, "created"));
	if (e == E_OK)
		e = take_text(
		    state, JMAP_STATE, json_object_get(args, "newState"));
	if (e == E_OK) {
		more = json_object_get(args, "hasMoreChanges");
		e = json_is_boolean(more) ? E_OK : E_FORMAT;
		*more_r = json_is_true(more);
	}
	json_decref(root);
	return e;
}

enum err
jmap_query_read(struct api_ids *ids, struct jmap_error *r, struct slice json)
{
	const json_t *args;
	json_t *root;
	enum err e = open_answer(&root, &args, r, "Email/query", json);

	if (e == E_OK)
		e = add_ids(ids, json_object_get(args, "ids"));
	json_decref(root);
	return e;
}

static enum err
take_email(struct jmap_email *m, const json_t *args)
{
	const json_t *list = json_object_get(args, "list");
	const json_t *one = json_array_get(list, 0), *name;
	enum err e;

	if (!json_is_array(list))
		return E_FORMAT;
	if (one == NULL)
		return E_NOENT;
	*m = (struct jmap_email){ .message_id = "" };
	m->size = take_number(one, "size", 0);
	name = json_array_get(json_object_get(one, "messageId"), 0);
	if ((e = take_id(m->blob, json_object_get(one, "blobId"))) != E_OK)
		return e;
	if (name != NULL &&
	    take_text(m->message_id, sizeof(m->message_id), name) != E_OK)
		m->message_id[0] = '\0';
	return E_OK;
}

enum err
jmap_email_read(struct jmap_email *m, struct jmap_error *r, struct slice json)
{
	const json_t *args;
	json_t *root;
	enum err e = open_answer(&root, &args, r, "Email/get", json);

	if (e == E_OK)
		e = take_email(m, args);
	json_decref(root);
	return e;
}
