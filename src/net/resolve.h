/*
 * resolve.h - the addresses of a name, by DNS, in the loop.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct ev_loop;
struct resolve;

enum { RESOLVE_MAX = 16 };

/* Called once from the loop.  E_OK: v has n addresses (1 to RESOLVE_MAX)
 * with the port set, families in turn (RFC 8305 s4), borrowed during the
 * call. E_NOENT: there are none; E_IO: nobody could tell; `why` in words,
 * translated. */
typedef void resolve_done(void *arg, enum err e,
    const struct sockaddr_storage *v, size_t n, const char *why);

/* servers: "127.0.0.1:53,..." in place of the system's; NULL. */
enum err resolve_start(struct resolve **r_r, struct ev_loop *loop,
    const char *servers, const char *name, uint16_t port, resolve_done *done,
    void *arg, struct errbuf *eb) NODISCARD;

/* Also from within resolve_done; NULL is a no-op. */
void resolve_free(struct resolve *r);

#endif
