/*
 * dest.h - where the mail of an account goes: the setting `deliver`.
 */
#ifndef CLIENT_CONF_DEST_H
#define CLIENT_CONF_DEST_H

#include <stdbool.h>
#include <stdint.h>

struct destination;

/* The kinds of delivery, a row each: ROW(MAILDIR, maildir, path) stands for
 *
 *	DEST_MAILDIR   the constant
 *	"maildir:"     in the configuration
 *	path_form      how what follows is written: conf/value_dest.c
 *	kind_maildir   what is done, in a file of its own: deliver/kind.h
 */
#define DEST_KINDS(ROW) \
	ROW(MAILDIR, maildir, path) \
	ROW(MBOX, mbox, path) \
	ROW(COMMAND, command, command) \
	ROW(LMTP, lmtp, lmtp) \
	ROW(IMAP, imap, imap) \
	ROW(IMAPS, imaps, imap) \
	ROW(GMAIL, gmail, gmail) \
	ROW(JMAP, jmap, jmap)

#define DEST_ENUM(KIND, name, form) DEST_##KIND,
enum dest_kind { DEST_KINDS(DEST_ENUM) };
#undef DEST_ENUM

/* deliver = "maildir:~/Mail/x", "mbox:/var/mail/ana", "command:/usr/bin/procmail
 * -d ana" (cut at white space, quotation marks hold together, no shell),
 * "lmtp:/run/dovecot/lmtp" or "lmtp:host:24", a recipient may follow;
 * "imap://ana@host:143/Lists" (STARTTLS) or "imaps://ana@host:993/Lists";
 * "gmail:ana@gmail.com/Lists" (by its API); "jmap:ana@example.org/Lists". */
struct dest {
	enum dest_kind kind;
	char *text;  /* as configured */
	char *path;  /* MAILDIR, MBOX: absolute; LMTP: socket, or NULL */
	char **argv; /* COMMAND: ends with NULL */
	char *host;  /* LMTP by TCP, IMAP, GMAIL; JMAP: the domain */
	uint16_t port;
	char *recipient; /* LMTP: else the account's address */
	char *user;      /* IMAP, GMAIL, JMAP; NULL: the destination's */
	char *mailbox;   /* IMAP, JMAP, and the label of GMAIL: UTF-8 */
	/* IMAP, GMAIL, JMAP: how to sign in there.  Borrowed from the configuration. */
	const struct destination *at;
};

void dest_clear(struct dest *d);

/* Does somebody sign in there, by a block "destination"? */
bool dest_signs_in(const struct dest *d);

/* Are they one place?  However the path is written. */
bool dest_same(const struct dest *a, const struct dest *b);

#endif
