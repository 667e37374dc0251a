#include "base/module.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What goes to and fro may look different in another version. */
static bool
is_of_this_version(void *module)
{
	const char *mark = dlsym(module, "module_mark");

	return mark != NULL && strcmp(mark, MALOTE_VERSION) == 0;
}

const void *
module_find(const char *name, const char *symbol)
{
	char file[64];
	void *module;

	snprintf(file, sizeof(file), "malote-%s.so", name);
	module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (module == NULL || !is_of_this_version(module))
		return NULL;
	return dlsym(module, symbol);
}
