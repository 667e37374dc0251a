/*
 * sending.h - what the commands share that send: a message read from where it
 * comes from, a run of the outbox, and what the person is told.
 */
#ifndef CLIENT_COMMAND_SENDING_H
#define CLIENT_COMMAND_SENDING_H

#include "base/buf.h"
#include "client/command/options.h"
#include "client/conf/client_conf.h"
#include "client/send/outbox.h"

struct sending {
	const struct options *o;
	const struct client_conf *conf;
	bool terminal; /* a person can be asked */
	bool insist;   /* what was refused is tried again; on a terminal, too */
	bool retries;  /* what waits even then is a failure */
	bool tells;    /* also of what was sent */
	bool logs;     /* what needs the person goes to the system's log, too */
	/* Of what it came to, EX_OK at first: the gravest. */
	int code;
};

/* Reads all of fd.  E_FULL, E_IO, with words. */
enum err sending_read(
    struct buf *text, int fd, size_t max, struct errbuf *eb) NODISCARD;
/* The largest outbox of all accounts: no message can be larger. */
size_t sending_bound(const struct client_conf *conf);

/* Sends item, or, if there is nothing in it, what is due; takes both over. */
void sending_run(
    struct sending *s, struct outbox *outbox, struct outbox_item *item);

/* The exit code; with --json an object is printed. */
int sending_end(const struct sending *s);

/* Sends what is due, if there is anything: costs nothing where nothing was ever
 * sent.  The exit code, of a run that has ended with `code`. */
int sending_flush(const struct options *o, const struct client_conf *conf,
    bool terminal, int code);

/* What has become of one message, to standard error, and to the log. */
void sending_tell(struct sending *s, const struct outgoing *o);

/* E_CONFIG is EX_CONFIG, and so on. */
int sending_exit_code(enum err e);

#endif
