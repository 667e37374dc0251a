/* What Gmail's API answers: whatever it is, what is taken from it can stand in a URL
 * or in a line that is shown. */
#include <stdlib.h>
#include <string.h>

#include "client/deliver/gmail_answer.h"

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
	check(id[0] != '\0' && strlen(id) < GMAIL_ID &&
	      strpbrk(id, "/.?#%&\r\n ") == NULL);
}

static void
try_lists(struct slice in)
{
	struct api_ids ids = { .n = 0 };
	char page[GMAIL_PAGE];

	if (gmail_list_read(&ids, page, in) == E_OK)
		check(strlen(page) < GMAIL_PAGE);
	if (gmail_history_read(&ids, page, in) == E_OK)
		check(strlen(page) < GMAIL_PAGE);
	for (size_t i = 0; i < ids.n; i++) {
		check_id(ids.v[i]);
		check(api_ids_has(&ids, ids.v[i]));
	}
	api_ids_free(&ids);
}

static void
try_message(struct slice in)
{
	char name[GMAIL_MESSAGE_ID], *octets = NULL;
	size_t n;

	if (gmail_message_id_read(name, in) == E_OK)
		for (const char *p = name; *p != '\0'; p++)
			check(*p > ' ' && *p <= '~');
	if (gmail_raw_read(&octets, &n, in) == E_OK) {
		check(n <= in.n);
		free(octets);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct gmail_error r;
	char id[GMAIL_ID];
	uint64_t history;

	if (size == 0)
		return 0;
	gmail_error_read(&r, 400 + data[0] % 128, in);
	for (const char *p = r.words; *p != '\0'; p++)
		check((unsigned char)*p >= ' ' && *p != '"');
	if (gmail_id_read(id, in) == E_OK)
		check_id(id);
	if (gmail_label_read(id, "Lists", in) == E_OK)
		check_id(id);
	if (gmail_profile_read(&history, in) == E_OK)
		check(history != 0 && history <= INT64_MAX);
	try_lists(in);
	try_message(in);
	return 0;
}
