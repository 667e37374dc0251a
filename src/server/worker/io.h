/*
 * io.h - the octets of a session: its socket and its files.
 */
#ifndef SERVER_WORKER_IO_H
#define SERVER_WORKER_IO_H

#include "server/worker/session_state.h"

enum { READ_PIECE = 4096 }; /* octets that session_fill() reads at most */

/* Sends what there is.  E_OK: all of it is with the kernel. */
enum err session_flush(struct session *s) NODISCARD;

/* The same when nothing will follow: under TLS its end leaves with it. */
enum err session_flush_last(struct session *s) NODISCARD;

/* Reads commands.  E_OK if something was read or there is nothing now. */
enum err session_fill(struct session *s) NODISCARD;

/* Octets of a file: at least one, or all `len` if `whole`.  GO_ON: they are
 * at *p_r, borrowed until the next call.  GO_WAIT: call again later with the
 * same arguments.  GO_FAIL: it cannot be read, and nothing was done. */
enum go session_read(struct session *s, int fd, uint64_t off, size_t len,
    bool whole, const char **p_r, size_t *n_r);

/* The same at once, or not: true if all of it was in memory, and is at `to`. */
bool session_read_now(int fd, uint64_t off, size_t len, char *to);

/* True while a thread reads: it needs the descriptor and the memory. */
bool session_is_reading(const struct session *s);

/* True if session_read() has what it was waiting for. */
bool session_has_read(const struct session *s);

/* Appends to what is sent, or sends at once where that spares a copy. */
enum err session_send(struct session *s, const char *p, size_t n) NODISCARD;

/* Sends at once what the connection takes, *took_r octets; s->out is not
 * looked at. */
enum err session_offer(
    struct session *s, const char *p, size_t n, size_t *took_r) NODISCARD;

/* Begins TLS, and asks for a certificate where the listener does. */
enum err session_start_tls(struct session *s) NODISCARD;

#endif
