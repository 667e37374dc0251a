/*
 * records.h - the MX and SRV records of a name, by DNS, in the loop.
 */
#ifndef NET_RECORDS_H
#define NET_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/host.h"

struct ev_loop;
struct records;

enum { RECORDS_MAX = 16 };

enum records_kind { RECORDS_MX, RECORDS_SRV };

struct record {
	char host[HOST_MAX]; /* lower case, without a dot at the end */
	uint16_t priority;   /* the lowest is the best */
	uint16_t weight;     /* SRV: the highest is the best of one priority */
	uint16_t port;       /* SRV */
};

/* Takes an answer of a name server apart, whatever it is: the best record first.
 * The root for a name says "there is no such service" (RFC 2782, 7505) and is no
 * record.  Returns how many. */
size_t records_parse(struct record v[RECORDS_MAX], enum records_kind kind,
    const unsigned char *answer, int n);

/* Called once from the loop.  E_OK: n records, at least one, borrowed during the
 * call; E_NOENT: there are none; E_IO: nobody could tell. */
typedef void records_done(
    void *arg, enum err e, const struct record *v, size_t n);

/* servers: as for dns_init().  The answer is not sought in other domains. */
enum err records_start(struct records **r_r, struct ev_loop *loop,
    const char *servers, enum records_kind kind, const char *name,
    records_done *done, void *arg, struct errbuf *eb) NODISCARD;

/* Also from within records_done; NULL is a no-op. */
void records_free(struct records *r);

#endif
