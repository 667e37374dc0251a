/*
 * host_names.h - getaddrinfo(3) in bounded time, for libraries that call it and do
 * not let us ask a resolver ourselves.
 *
 * A program that is linked with this has a getaddrinfo() of its own, which comes
 * before libc's for its libraries, too.  It is libc's, but for a thread with a
 * deadline: what such a one asks is asked by one of a few other threads, which are
 * left alone with it when the time is over.  So a resolver that does not answer
 * has these few, and nobody else.
 */
#ifndef NET_HOST_NAMES_H
#define NET_HOST_NAMES_H

#include <stdint.h>

#include "base/err.h"

/* Starts those threads.  Once; before it no deadline means anything. */
enum err host_names_begin(struct errbuf *eb) NODISCARD;

/* Of all that this thread asks from now on; clock_ms(). */
void host_names_deadline(uint64_t until);

#endif
