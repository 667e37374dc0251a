#include "server/ctl/show.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

char *
show_clean(char *out, size_t size, const char *words)
{
	return str_quote(out, size, words, strlen(words));
}

json_t *
show_text(const char *words)
{
	json_t *j = json_string(words);
	char clean[4096];

	if (j != NULL)
		return j;
	return json_string(
	    str_escape(clean, sizeof(clean), words, strlen(words)));
}

enum err
show_json(const json_t *j, struct errbuf *eb)
{
	if (j == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if (json_dumpf(j, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)) < 0)
		return err_set(eb, E_IO, "standard output");
	putchar('\n');
	return E_OK;
}
