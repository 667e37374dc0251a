#include "server/helper/db_start.h"

#include <netdb.h>
#include <pwd.h>
#include <time.h>
#include <unistd.h>

#include "base/module.h"

extern const struct db_driver db_sqlite;

void
db_warm_up(void)
{
	struct addrinfo *found;

	tzset();
	getpwuid(geteuid());
	if (getaddrinfo("localhost", "1", NULL, &found) == 0)
		freeaddrinfo(found);
}

/* All but SQLite's, which auth has anyway, are modules. */
const struct db_driver *
db_driver_load(enum user_driver_kind kind)
{
	const struct user_driver *d = &user_drivers[kind];

	db_warm_up();
	return d->module == NULL ? &db_sqlite
				 : module_find(d->module, d->symbol);
}
