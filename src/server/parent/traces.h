/*
 * traces.h - `malotectl trace': what is said in the sessions of one user, in a
 * file.
 *
 * The workers say the lines; the parent writes them to a file that only it opens,
 * under a name that only it chooses, in a folder of its own: $STATE_DIRECTORY and
 * below it TRACES_FOLDER.  A trace has an end: an hour, or so many octets of
 * the file, and there are few at a time; so a worker that was broken into can put
 * lies into a trace that somebody has asked for, and no more.
 *
 * While one maloted takes another's place a user may have sessions in both: then
 * each writes what its sessions say, to the end of the same file.
 */
#ifndef SERVER_PARENT_TRACES_H
#define SERVER_PARENT_TRACES_H

#include "server/parent/child.h"

#define TRACES_FOLDER "traces"

/* Who has asked, and for what. */
struct trace_wish {
	const char *user; /* by its rule */
	bool octets;      /* mail, too */
	uint32_t uid, pid;
};

/* From now on.  path: the file's.  E_BUSY: the user is traced already, into
 * `path'; E_FULL: there are too many; or words in eb. */
enum err traces_begin(struct parent *p, const struct trace_wish *w,
    char path[PATH_MAX], struct errbuf *eb) NODISCARD;

/* False: the user was not traced. */
bool traces_end(struct parent *p, const char *user);

/* To a worker that has just been started. */
void traces_tell(struct child *worker);

/* IPC_TRACED. */
void traces_line(struct child *worker, uint32_t number, uint64_t sid,
    enum trace_says who, uint32_t lost, struct slice line);

/* The server ends. */
void traces_close(struct parent *p);

/* Those that there are go on in the heir, too. */
void traces_hand_over(const struct parent *p, int heir);
/* HANDOVER_TRACE.  Takes fd, or -1. */
void traces_told(struct parent *p, const struct handover_message *m, int fd);

#endif
