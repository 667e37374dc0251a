#include "server/conf/user_driver.h"

#include <string.h>

#define SYMBOL(asks, n) (asks) == DRIVER_ASKS_PAM ? "verify_" n : "db_" n

#define ROW(NAME, n, word, built, of, who, has, needs, takes) \
	[DRIVER_##NAME] = { .name = word, \
		.is_built = built, \
		.module = of, \
		.symbol = SYMBOL(who, #n), \
		.asker = who, \
		.can = has, \
		.must = needs, \
		.may = takes },

const struct user_driver user_drivers[USER_DRIVER_KINDS] = { USER_DRIVERS(
    ROW) };

enum user_driver_kind
user_driver_find(const char *name)
{
	unsigned i = 0;

	while (i < USER_DRIVER_KINDS && strcmp(user_drivers[i].name, name) != 0)
		i++;
	return (enum user_driver_kind)i;
}
