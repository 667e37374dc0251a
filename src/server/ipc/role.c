#include "server/ipc/role.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"

void
role_put(struct ipc_chan *c, const struct role *r)
{
	ipc_put_u16(c, r->index);
	ipc_put_u32(c, r->uid);
	ipc_put_u32(c, r->gid);
	ipc_put_u8(c, r->sandbox_required);
}

void
role_get(struct ipc_in *in, struct role *r)
{
	r->index = ipc_get_u16(in);
	r->uid = ipc_get_u32(in);
	r->gid = ipc_get_u32(in);
	r->sandbox_required = ipc_get_u8(in) != 0;
}

void
role_enter(const struct role *r, const char *root)
{
	const char *lacking;
	struct errbuf eb;

	/* The way to it may be closed to the role's user. */
	if (root != NULL && chdir(root) < 0)
		fatal("ev=start error=\"%s: %s\"", root, strerror(errno));
	if (sandbox_become(r->uid, r->gid, root == NULL, &eb) != E_OK ||
	    sandbox_files(root != NULL ? "." : NULL, &lacking, &eb) != E_OK)
		fatal("ev=sandbox error=\"%s\"", eb.text);
	if (lacking != NULL && r->sandbox_required)
		fatal("ev=sandbox error=\"the kernel cannot confine %s, and "
		      "sandbox = require\"",
		    lacking);
	if (lacking != NULL)
		log_line(LOG_WARNING, "ev=sandbox unconfined=\"%s\"", lacking);
}

void
role_limit(const char *const *calls, size_t n)
{
	struct errbuf eb;

	if (sandbox_calls(calls, n, &eb) != E_OK)
		fatal("ev=sandbox error=\"%s\"", eb.text);
}
