/*
 * In the place of the process that looks at tickets, where maloted is built
 * without MIT's library; maloted --check has said so.
 */
#include "base/log.h"
#include "server/kerberos/kerberos.h"

int
kerberos_main(int ctl)
{
	fatal("ev=start error=\"built without Kerberos\"");
}
