/*
 * unpack.h - messages that Dovecot's zlib plugin has compressed, and those that
 * its mail_crypt plugin has encrypted, which are found so as not to be sent.
 *
 * A file's first octets say which format it is in, as they do for Dovecot: its
 * name need not.  Whoever owns the mail may have written the file, so a
 * message may become only so large (UNPACK_MAX, and UNPACK_RATIO times its
 * file), and a decoder may take only so much memory.
 */
#ifndef SERVER_STORE_UNPACK_UNPACK_H
#define SERVER_STORE_UNPACK_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	UNPACK_MAGIC = 15, /* so many octets tell all formats apart */
	UNPACK_MAX = 128 << 20,
	UNPACK_RATIO = 1000,
	UNPACK_FREE = 16 << 20, /* whatever the ratio */
};

struct unpack_format;

/* The format of a file that begins with these octets; NULL: it is not
 * compressed. */
const struct unpack_format *unpack_find(const void *p, size_t n);

/* Takes the next octets of the message. */
typedef enum err (*unpack_put)(
    void *arg, const void *p, size_t n, struct errbuf *eb);

/* Hands the whole message over, piece by piece.  fd has `stored` octets.
 * E_FORMAT: it is damaged, cut off or too large, or this build has no decoder
 * for the format; E_IO: it cannot be read; E_NOMEM; or what put() says. */
enum err unpack(const struct unpack_format *f, int fd, uint64_t stored,
    unpack_put put, void *arg, struct errbuf *eb) NODISCARD;

#endif
