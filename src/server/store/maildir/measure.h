/*
 * measure.h - the size of a message as POP3 says it, exactly and always, by
 * reading the file once.  What a file's name says of it (",S=", ",W=") is not
 * believed: to compare it would cost the same.
 */
#ifndef SERVER_STORE_MAILDIR_MEASURE_H
#define SERVER_STORE_MAILDIR_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/conf/store_conf.h"
#include "server/store/surrogate/surrogate.h"

struct stat;
struct unpack_format;

/* wire: octets on the wire.  stamp: of the file that was measured. */
struct measure {
	uint64_t wire, stamp;
};

/* What keeps a file from being sent as it is. */
struct obstacle {
	const struct unpack_format *packed; /* NULL: it is not compressed */
	bool utf8; /* its header needs UTF-8, where that is asked for */
};

/* Of what the kernel says of a file, all that changes when somebody writes to
 * it or puts another in its place, and what keeps it from being sent as it is.
 * A file that has the stamp of a measurement has its size. */
uint64_t maildir_stamp(const struct stat *st, const struct obstacle *o);

/* E_NOENT: it has gone; E_FORMAT: it is no message, or one that will not be
 * unpacked (eb says why); E_IO, E_NOMEM. */
enum err maildir_measure(int dir, const char *file, enum store_utf8 utf8,
    struct measure *m_r, struct errbuf *eb) NODISCARD;

/* Reads the first `stored` octets of fd: what is added to it later does not
 * count.  With UTF8_PASS headers are not looked at.  o_r->packed: nothing more
 * has been found out. */
enum err maildir_count(int fd, uint64_t stored, enum store_utf8 utf8,
    uint64_t *wire_r, struct obstacle *o_r, struct errbuf *eb) NODISCARD;

/* Makes the message that is to be sent instead of such a file, for sink(), and
 * finds out o->utf8.  With UTF8_REFUSE it is only unpacked. */
enum err maildir_transform(int fd, uint64_t stored, enum store_utf8 utf8,
    struct obstacle *o, surrogate_sink sink, void *arg,
    struct errbuf *eb) NODISCARD;

#endif
