#include "server/store/maildir/maildir.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/maildir/uidlfile.h"

struct maildir *
maildir_new(const struct hold_open *o)
{
	size_t n = strlen(o->tag) + 1;
	struct maildir *m = calloc(1, sizeof(*m) + n);

	if (m == NULL)
		return NULL;
	m->hold.conf = o->conf;
	m->hold.tag = memcpy(m->tag, o->tag, n);
	m->hold.user = o->user;
	m->path = o->path;
	m->utf8 = o->utf8 ? UTF8_PASS : o->conf->utf8_messages;
	m->lock_fd = m->index_fd = -1;
	m->hold.read_only = o->read_only;
	m->hold.shared = m->keeps_index = o->conf->shared || o->read_only;
	return m;
}

void
maildir_doubt(struct hold *hold, uint32_t msgno)
{
	struct maildir *m = (struct maildir *)hold;

	hold->doubted = true;
	for (unsigned i = 0; i < m->n_doubt; i++)
		if (m->doubt[i] == msgno)
			return;
	if (m->doubt == NULL)
		m->doubt = calloc(DOUBTS_MAX, sizeof(*m->doubt));
	if (msgno == 0 || m->doubt == NULL || m->n_doubt == DOUBTS_MAX)
		m->damaged = true;
	else
		m->doubt[m->n_doubt++] = msgno;
}

void
maildir_close(struct hold *hold)
{
	struct maildir *m = (struct maildir *)hold;

	if (m->lock_fd >= 0)
		close(m->lock_fd);
	if (m->index_fd >= 0)
		close(m->index_fd);
	if (m->names != NULL)
		names_free(m->names);
	free(m->names);
	if (m->doubles != NULL)
		uidlfile_free(m->doubles);
	free(m->doubles);
	free(m->blocks);
	free(m->doubt);
	free(m);
}
