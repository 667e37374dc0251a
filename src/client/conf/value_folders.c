/* Names of folders: the setting `folders`. */
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/conf/value.h"

#define BETWEEN " \t,"

void
value_names_free(char **names)
{
	for (char **p = names; p != NULL && *p != NULL; p++)
		free(*p);
	free(names);
}

static bool
is_there(char **names, const char *name)
{
	for (; *names != NULL; names++)
		if (slice_caseeq((struct slice){ name, strlen(name) }, *names))
			return true;
	return false;
}

static enum err
check_folder(
    char **names, const char *name, const char *folder, struct errbuf *eb)
{
	char shown[VALUE_SHOWN];
	size_t n = strlen(folder);

	if (folder[0] == '@' || folder[n - 1] == '@')
		return err_set(eb, E_CONFIG,
		    _("%s: \"%s\" is nobody's; write an address, or what "
		      "stands before its @"),
		    name, value_shown(shown, folder));
	if (!account_folder_is_good(folder))
		return err_set(eb, E_CONFIG,
		    _("%s: \"%s\" cannot be a folder's name; it may have no / "
		      "and not begin with a dot"),
		    name, value_shown(shown, folder));
	if (is_there(names, folder))
		return err_set(eb, E_CONFIG,
		    _("%s: \"%s\" stands there twice; leave one of them"), name,
		    value_shown(shown, folder));
	return E_OK;
}

/* Takes the folder. */
static enum err
add_folder(
    char **names, size_t n, const char *name, char *folder, struct errbuf *eb)
{
	enum err e;

	if (folder == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = check_folder(names, name, folder, eb)) == E_OK)
		names[n] = folder;
	else
		free(folder);
	return e;
}

enum err
value_folders(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	char **names = calloc(strlen(value) / 2 + 2, sizeof(*names));
	enum err e = E_OK;
	size_t n = 0;

	if (names == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	for (value += strspn(value, BETWEEN); e == E_OK && *value != '\0';
	     value += strspn(value, BETWEEN)) {
		size_t len = strcspn(value, BETWEEN);

		e = add_folder(names, n, name, strndup(value, len), eb);
		n += e == E_OK;
		value += len;
	}
	if (e == E_OK && (n == 0 || n > ACCOUNT_FOLDERS_MAX))
		e = err_set(eb, E_CONFIG, _("%s must be 1 to %d names"), name,
		    ACCOUNT_FOLDERS_MAX);
	if (e == E_OK)
		*(char ***)field = names;
	else
		value_names_free(names);
	return e;
}
