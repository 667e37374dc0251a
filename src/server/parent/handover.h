/*
 * handover.h - between two maloteds of which one takes the other's place.
 *
 * The one that serves (the elder) starts the program's file anew (the heir), with
 * the sockets that connections arrive at and one end of a channel.  On that they
 * say, in this order:
 *
 *	heir	HANDOVER_FAILED, any number of times, then it ends: and the elder
 *		serves on as if nothing had been
 *	heir	HANDOVER_READY: all its processes serve, but accept nobody yet
 *	elder	HANDOVER_GO: it accepts nobody any more; the heir does from now on
 *	elder	HANDOVER_DRAINS, again and again: how many sessions it still has
 *	heir	HANDOVER_STOP: they shall end soon, as the heir has to
 *
 * and at any time
 *	both	HANDOVER_TRACE: a trace that begins, or ends, there too
 *	heir	HANDOVER_ASK: a client of the control socket asks about the elder's
 *		sessions
 *
 * The two may be of different versions.  A message has the same form for ever: what
 * a version does not know it passes over, and one of another HANDOVER_FORM is
 * refused.
 */
#ifndef SERVER_PARENT_HANDOVER_H
#define SERVER_PARENT_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { HANDOVER_FORM = 1 };

enum handover_kind {
	HANDOVER_FAILED = 1, /* words: why */
	HANDOVER_READY,
	HANDOVER_GO,     /* number: HANDOVER_ACTIVATED or 0; octets: the keys of
	                  * TLS tickets, size of them; more: CONTROL_FORM */
	HANDOVER_DRAINS, /* pid, version, since, number of sessions */
	HANDOVER_STOP,   /* number: of seconds */
	HANDOVER_ASK,    /* pid, number: the uid of who asks; its connection */
	HANDOVER_TRACE, /* number: HANDOVER_TRACE_ bits; octets: the user, size of
	                  * them; more: seconds; the file, unless it ends */
};

/* systemd has the sockets, too. */
enum { HANDOVER_ACTIVATED = 1 };

enum { HANDOVER_TRACE_ON = 1, HANDOVER_TRACE_OCTETS = 2 };

struct handover_message {
	uint32_t form, kind;
	uint32_t pid, number;
	uint64_t since; /* seconds since 1970 */
	uint32_t size, more;
	char version[32];
	union {
		char words[512];
		uint8_t octets[512];
	};
};

/* Remembers how this program was started, before anything is changed: its
 * arguments, its working directory, its file. */
void handover_remember(char **argv);

/* Starts the file of this program as it is now, with the same arguments, in the
 * same directory; it is our brother and not our child, so that who has started us
 * sees what becomes of it.  It gets n - 1 sockets as systemd would hand them
 * (LISTEN_FDS of sd_listen_fds(3)); the last descriptor is its channel. */
enum err handover_start(
    int *fd, size_t n, pid_t *pid_r, struct errbuf *eb) NODISCARD;

/* The channel to the elder: -1 if there is none, and nobody's place is taken.  To
 * be called once, at the start; it stays open and is handed to nobody. */
int handover_channel(void);

/* Without waiting.  What cannot be said is dropped: then the other end has gone,
 * which is noticed there.  A channel of -1 is nobody. */
void handover_say(int channel, const struct handover_message *m);
void handover_fail(int channel, const char *words);
/* The same with a descriptor, which stays the caller's; -1: without one.  False:
 * nobody will hear it. */
bool handover_pass(int channel, const struct handover_message *m, int fd);

/* E_AGAIN: there is nothing now.  E_CLOSED: the other end has gone.  E_FORMAT: it
 * is of a version that we do not understand.  *fd_r: what came with it, and is the
 * caller's; or -1. */
enum err handover_hear(
    int channel, struct handover_message *m, int *fd_r) NODISCARD;

#endif
