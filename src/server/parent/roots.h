/*
 * roots.h - the mail roots of the settings, as the parent has found them.
 *
 * Each is looked at alone: one that is not mounted keeps nobody from the mail in
 * the others.
 */
#ifndef SERVER_PARENT_ROOTS_H
#define SERVER_PARENT_ROOTS_H

#include "server/parent/parent_state.h"

/* Of that number; NULL: the settings have none such, or nobody's mail is there. */
const struct conf_root *roots_conf(const struct parent *p, uint32_t number);

/* Looks at all that users have mail in: mail_root_look(). */
void roots_look(struct parent *p);

/* At the start, and when other settings hold: what was found of those that are
 * still there stays, and all are looked at. */
void roots_follow(struct parent *p);

/* A store is about to be started: the settings of stores become those of its root.
 * False: that is in the settings no more. */
bool roots_fit(struct child *store);

/* Is the store in a folder that is not its mail root any more? */
bool roots_is_other(const struct child *store);

/* For the admin: the root of that path, or a file system mounted below one of them,
 * or with an empty path the only root, or the one that is missed, is the right one
 * as it is.  It is put into path.  Fails with words. */
enum err roots_accept(
    struct parent *p, char *path, size_t size, struct errbuf *eb) NODISCARD;

#endif
