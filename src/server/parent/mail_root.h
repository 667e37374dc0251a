/*
 * mail_root.h - is the mail root the one that it was, or is its file system not
 * mounted?  Then there is an empty folder instead, maildrops would be made in
 * it, and programs that see an empty maildrop forget what they have collected.
 *
 * So each mail root has a marker, MAIL_ROOT_MARKER, which is made when the root
 * is served for the first time; a root that once had it (known_roots.h) and has
 * none now is not served, until it is back or the admin accepts what is there.
 * So have the file systems that are mounted below it, if they belong to root or to
 * who owns the mail root: in the folder of one that is not mounted a store makes no
 * maildrops (store/unmounted.h).
 */
#ifndef SERVER_PARENT_MAIL_ROOT_H
#define SERVER_PARENT_MAIL_ROOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "server/conf/mail_marker.h"

/* All zero at first. */
struct mail_root {
	unsigned serial; /* of what mail_root_look() finds: a change counts */
	bool absent;     /* not to be served */
	bool there;      /* a folder is there: */
	uint32_t dev_major, dev_minor;
	uint64_t ino;
};

/* It had a marker, and has none now?  Changes nothing. */
bool mail_root_is_missed(const char *path);

/* Looks again, at the cost of one statx(2) while nothing has changed. */
void mail_root_look(struct mail_root *r, const char *path);

/* What may be missed below the root, for the stores and for --check: as
 * known_roots_below(), and logged if it does not fit. */
void mail_root_mounts(const char *path, char *out, size_t size);

/* The same as mail_root_accept() for one of those; path: its whole one. */
enum err mail_root_accept_mount(
    const char *root, const char *path, struct errbuf *eb) NODISCARD;

/* For the admin, who says that a root which has lost its marker is the right one:
 * makes a marker, which the next look finds.  Fails if the root is served, if no
 * folder is there, or if the marker cannot be made. */
enum err mail_root_accept(
    struct mail_root *r, const char *path, struct errbuf *eb) NODISCARD;

#endif
