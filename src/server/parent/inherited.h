/*
 * inherited.h - listening sockets that this program was started with, by systemd
 * (socket activation, sd_listen_fds(3)) or by the maloted whose place it takes.
 *
 * Those of the configuration are looked for among them before one is made, so
 * whoever waits at one is not lost.
 */
#ifndef SERVER_PARENT_INHERITED_H
#define SERVER_PARENT_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "server/conf/conf.h"
#include "server/parent/unix_socket.h"

enum {
	INHERITED_MAX = WORKERS_MAX * LISTENERS_MAX + SERVICES_MAX + 2,
	INHERITED_PATHS = LISTENERS_MAX + SERVICES_MAX + 2,
};

struct inherited {
	int fd[INHERITED_MAX]; /* -1: it has been taken */
	unsigned n;
	/* Paths of those that nobody has taken. */
	struct {
		char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
		struct unix_made made;
	} left[INHERITED_PATHS];
	unsigned n_left;
};

/* To be called once, at the start.  What is no listening socket, or is there
 * already, is closed.  E_CONFIG: whoever has started us says that there are more
 * than we could use. */
enum err inherited_find(struct inherited *in, struct errbuf *eb) NODISCARD;

/* Takes the sockets of a type that are bound to the address, at most `room`; how
 * many there were. */
unsigned inherited_take(struct inherited *in, int type,
    const struct sockaddr *address, int *fd, unsigned room);
/* The one of that path; -1: there is none. */
int inherited_take_path(struct inherited *in, int type, const char *path);

/* Closes those that nobody has taken, and says which in the log. */
void inherited_close_rest(struct inherited *in);
/* Removes the files of those that had one: when nobody else needs them. */
void inherited_remove_rest(struct inherited *in);

#endif
