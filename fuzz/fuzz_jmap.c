/* What a JMAP server answers: whatever it is, what is taken from it can stand in a URL
 * or in a line that is shown. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/deliver/jmap_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

static void
check_id(const char *id)
{
	check(id[0] != '\0' && strlen(id) < JMAP_ID &&
	      strpbrk(id, "/.?#%&\r\n ") == NULL);
}

static void
check_error(const struct jmap_error *r)
{
	for (const char *p = r->words; *p != '\0'; p++)
		check((unsigned char)*p >= ' ' && *p != '"');
}

static void
try_session(struct slice in)
{
	struct jmap_session s;
	char url[JMAP_URL];

	if (jmap_session_read(&s, "https://h/x", in) != E_OK)
		return;
	check_id(s.account);
	check(strncasecmp(s.api, "https://", 8) == 0 &&
	      strncasecmp(s.upload, "https://", 8) == 0 &&
	      strncasecmp(s.download, "https://", 8) == 0);
	check(s.max_objects != 0);
	if (jmap_url(url, s.download, s.account, s.account))
		check(strlen(url) < JMAP_URL);
}

static void
try_lists(struct slice in)
{
	struct api_ids ids = { .n = 0 };
	char state[JMAP_STATE];
	struct jmap_error r;
	bool more;
	enum err e = jmap_changes_read(&ids, state, &more, &r, in);

	if (e == E_OK)
		check(strlen(state) < JMAP_STATE);
	else if (e == E_DENIED)
		check_error(&r);
	e = jmap_query_read(&ids, &r, in);
	for (size_t i = 0; i < ids.n; i++)
		check_id(ids.v[i]);
	api_ids_free(&ids);
	if (jmap_state_read(state, &r, in) == E_OK)
		check(strlen(state) < JMAP_STATE);
}

static void
try_made(enum err e, const char *id, const struct jmap_error *r)
{
	if (e == E_OK)
		check_id(id);
	else if (e == E_DENIED)
		check_error(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct jmap_error r;
	struct jmap_email m;
	char id[JMAP_ID];

	if (size == 0)
		return 0;
	jmap_error_read(&r, 400 + data[0] % 128, in);
	check_error(&r);
	try_session(in);
	try_lists(in);
	if (jmap_upload_read(id, in) == E_OK)
		check_id(id);
	try_made(jmap_mailbox_read(id, "a/b", &r, in), id, &r);
	try_made(jmap_made_read(id, &r, in), id, &r);
	try_made(jmap_import_read(id, 0, &r, in), id, &r);
	if (jmap_email_read(&m, &r, in) == E_OK)
		check_id(m.blob);
	return 0;
}
