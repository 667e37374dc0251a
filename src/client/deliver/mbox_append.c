/* One message appended to an mbox, or on an error what was there before. */
#include <errno.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/mbox.h"

struct appending {
	const struct mbox *m;
	uint64_t at;
};

static enum err
append_some(void *arg, const char *p, size_t n, struct errbuf *eb)
{
	struct appending *a = arg;

	while (n > 0) {
		ssize_t done = pwrite(a->m->fd, p, n, (off_t)a->at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(eb, disk_err(), _("cannot write to %s"),
			    a->m->where);
		a->at += (uint64_t)done;
		p += done;
		n -= (size_t)done;
	}
	return E_OK;
}

enum err
mbox_append(struct mbox *m, int file, uint64_t offset, uint64_t length,
    struct errbuf *eb)
{
	struct appending a = { m, offset };
	unsigned lead;
	enum err e;

	if ((e = mbox_lead(m, offset, &lead, eb)) != E_OK)
		return e;
	e = mbox_render(file, lead, append_some, &a, eb);
	if (e == E_OK && a.at != offset + length)
		e = err_set(eb, E_IO, _("a new message in the spool changed"));
	if (e != E_OK && ftruncate(m->fd, (off_t)offset) != 0)
		err_sys(eb, e, _("%s has a torn message at its end"), m->where);
	return e;
}
