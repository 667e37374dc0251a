/*
 * measure.h - the size of a message as POP3 says it, exactly and always: from
 * the file's name where that can be believed, else by reading the file once.
 */
#ifndef SERVER_STORE_MAILDIR_MEASURE_H
#define SERVER_STORE_MAILDIR_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What POP3 says of a file.  E_NOENT: it has gone; E_FORMAT: it is no message
 * (eb says why); E_IO. */
struct measure {
	uint64_t wire, stored;
};
enum err maildir_measure(int dir, const char *file, bool trust_name,
    struct measure *m_r, struct errbuf *eb) NODISCARD;
/* The octets that the name says (",S="); false if it says none. */
bool maildir_named_octets(const char *file, uint64_t *octets_r);
/* Reads the first `stored` octets of fd: what is added to it later does not
 * count. */
enum err maildir_count(
    int fd, uint64_t stored, uint64_t *wire_r, struct errbuf *eb) NODISCARD;

#endif
