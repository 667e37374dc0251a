#include "base/module.h"

#include <dlfcn.h>
#include <stdio.h>

const void *
module_find(const char *name, const char *symbol)
{
	char file[64];
	void *module;

	snprintf(file, sizeof(file), "malote-%s.so", name);
	module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	return module != NULL ? dlsym(module, symbol) : NULL;
}
