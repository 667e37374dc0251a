/*
 * measure.h - the size of a message as POP3 says it, exactly and always, by
 * reading the file once.  What a file's name says of it (",S=", ",W=") is not
 * believed: to compare it would cost the same.
 */
#ifndef SERVER_STORE_MAILDIR_MEASURE_H
#define SERVER_STORE_MAILDIR_MEASURE_H

#include <stdint.h>

#include "base/err.h"

struct stat;

/* wire: octets on the wire.  stamp: of the file that was measured. */
struct measure {
	uint64_t wire, stamp;
};

/* Of what the kernel says of a file, all that changes when somebody writes to
 * it or puts another in its place.  A file that has the stamp of a measurement
 * has its size. */
uint64_t maildir_stamp(const struct stat *st);

/* E_NOENT: it has gone; E_FORMAT: it is no message (eb says why); E_IO. */
enum err maildir_measure(int dir, const char *file, struct measure *m_r,
    struct errbuf *eb) NODISCARD;

/* Reads the first `stored` octets of fd: what is added to it later does not
 * count. */
enum err maildir_count(
    int fd, uint64_t stored, uint64_t *wire_r, struct errbuf *eb) NODISCARD;

#endif
