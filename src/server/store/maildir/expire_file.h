/*
 * expire_file.h - malote-expire: what the owner of a Maildir was told of how long
 * mail stays, and how things stood when it was looked at last.
 *
 * It is there only where mail goes after a number of days, and the index says so
 * (struct index_trailer), so that nobody else looks for it.  A line of text with
 * a check:
 *
 *	malote-expire 1
 *	<check> <self> <days> <since> <looked> <boot> <next> <accepted> <held>
 *	    <due> <of> <user>
 *
 * <self> is a digest of the file's own inode and birth: a copy, or what a backup
 * has brought back, is not believed.  Whatever is lost of it makes all mail as
 * young as the next time that its owner is told.
 */
#ifndef SERVER_STORE_MAILDIR_EXPIRE_FILE_H
#define SERVER_STORE_MAILDIR_EXPIRE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "server/ipc/control.h"

#define EXPIREFILE_NAME "malote-expire"

enum { EXPIREFILE_MAX = 1024 }; /* octets */

/* Times are seconds since 1970. */
struct expire_state {
	char user[NAME_MAX_OCTETS + 1]; /* who was told */
	uint32_t days;                  /* of what */
	uint64_t since;                 /* and when */
	/* When it was looked at last, and when the machine had been started by
	 * the same clock. */
	uint64_t looked, boot;
	uint64_t next;     /* before that nothing is due */
	uint64_t accepted; /* what was due then may go, however much it is */
	enum expire_held held;
	uint32_t due, of; /* EXPIRE_HELD_SHARE: so many of so many messages */
};

/* For expire_load() and tests: all of the file, which is `self`. */
enum err expire_parse(
    struct expire_state *s, struct slice text, uint64_t self) NODISCARD;

/* E_NOENT: there is none that can be believed. */
enum err expire_load(
    struct expire_state *s, int root, struct errbuf *eb) NODISCARD;

/* Replaces it, synced. */
enum err expire_save(
    const struct expire_state *s, int root, struct errbuf *eb) NODISCARD;

/* Nobody was told anything any more; synced. */
enum err expire_forget(int root, struct errbuf *eb) NODISCARD;

/* Is there one? */
bool expire_is_kept(int root);

#endif
