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

struct stat;
struct unpack_format;

/* wire: octets on the wire.  stamp: of the file that was measured. */
struct measure {
	uint64_t wire, stamp;
};

/* Of what the kernel says of a file, all that changes when somebody writes to
 * it or puts another in its place, and whether it is compressed.  A file that
 * has the stamp of a measurement has its size. */
uint64_t maildir_stamp(const struct stat *st, bool packed);

/* E_NOENT: it has gone; E_FORMAT: it is no message, or one that will not be
 * unpacked (eb says why); E_IO, E_NOMEM. */
enum err maildir_measure(int dir, const char *file, struct measure *m_r,
    struct errbuf *eb) NODISCARD;

/* Reads the first `stored` octets of fd: what is added to it later does not
 * count.  *packed_r: not NULL if they are compressed, and then nothing has been
 * counted. */
enum err maildir_count(int fd, uint64_t stored, uint64_t *wire_r,
    const struct unpack_format **packed_r, struct errbuf *eb) NODISCARD;

#endif
