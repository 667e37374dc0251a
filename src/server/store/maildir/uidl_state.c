#include "server/store/maildir/uidl_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/maildir/dir.h"
#include "server/store/maildir/foreign.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/lock.h"
#include "server/store/maildir/uidlfile.h"

#define OLD_NAME UIDLFILE_NAME ".old"

/* ---- showing ---- */

static void
show_file(const struct uidlfile *u, struct control_uidl *out)
{
	size_t n = 0;

	snprintf(out->decided, sizeof(out->decided), "%s",
	    uidlfile_decision(u->decided));
	out->written = u->n;
	out->bad = u->bad;
	for (enum store_uidl i = UIDL_DOVECOT; i <= UIDL_COURIER; i++)
		if ((u->ignored & 1u << i) != 0)
			n += (size_t)snprintf(out->ignored + n,
			    sizeof(out->ignored) - n, "%s%s", n != 0 ? " " : "",
			    foreign_name(i));
}

/* How many messages the last sign-in found. */
static void
show_index(int root, const char *name, struct control_uidl *out)
{
	struct index_trailer t;
	struct errbuf eb;
	struct stat st;
	int fd;

	if (maildir_file(root, name, O_RDONLY, false, &fd, &st, &eb) != E_OK)
		return;
	if (indexfile_trailer(fd, (uint64_t)st.st_size, false, &t) == E_OK) {
		out->listed = true;
		out->messages = t.count;
	}
	close(fd);
}

enum err
maildir_uidl_show(const struct store_conf *conf, const char *path,
    struct control_uidl *out, struct errbuf *eb)
{
	struct uidlfile u;
	enum err e;
	int root;

	snprintf(out->setting, sizeof(out->setting), "%s",
	    conf->uidl == UIDL_AUTO ? "auto" : uidlfile_decision(conf->uidl));
	snprintf(out->format, sizeof(out->format), "%s", conf->uidl_format);
	if ((e = maildir_open_dir(AT_FDCWD, path, false, &root, eb)) != E_OK)
		return maildir_about(e, "the Maildir", eb);
	uidlfile_init(&u);
	if ((e = uidlfile_load(&u, root, eb)) == E_OK) {
		show_file(&u, out);
		show_index(root, indexfile_name(conf->utf8_messages), out);
		if (!out->listed)
			show_index(root, INDEXFILE_NAME, out);
	}
	uidlfile_free(&u);
	close(root);
	return e;
}

/* ---- forgetting ---- */

static enum err
failed(const char *name, struct errbuf *eb)
{
	return err_sys(eb, E_IO, "%s", name);
}

/* The indexes first: without them malote-uidl still gives every message its
 * unique-id, so whoever is killed here has forgotten nothing or all. */
static enum err
forget(int root, struct errbuf *eb)
{
	for (enum store_utf8 i = UTF8_PASS; i <= UTF8_REFUSE; i++)
		if (unlinkat(root, indexfile_name(i), 0) < 0 && errno != ENOENT)
			return failed(indexfile_name(i), eb);
	if (fsync(root) < 0)
		return failed("the Maildir", eb);
	if (renameat(root, UIDLFILE_NAME, root, OLD_NAME) < 0 &&
	    errno != ENOENT)
		return failed(UIDLFILE_NAME, eb);
	return fsync(root) == 0 ? E_OK : failed("the Maildir", eb);
}

enum err
maildir_uidl_forget(const char *path, struct holder *holder, struct errbuf *eb)
{
	return maildir_by_hand(path, holder, forget, eb);
}
