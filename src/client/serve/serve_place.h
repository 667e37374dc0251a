/*
 * serve_place.h - what `malote serve` keeps from one start to the next, in the
 * folder `serve` of the state: its port, and its password.
 */
#ifndef CLIENT_SERVE_SERVE_PLACE_H
#define CLIENT_SERVE_SERVE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SERVE_PASSWORD_MAX = 128, SERVE_PORT_MIN = 1024 };

struct serve_place {
	char dir[PATH_MAX];
	int lock; /* -1: not ours */
	uint16_t port;
	char password[SERVE_PASSWORD_MAX + 1];
};

/* Makes the folder, and a port and a password that are not there yet.  E_CONFIG,
 * E_DENIED: what stands there is none.  To be closed whatever it returns. */
enum err serve_place_open(
    struct serve_place *p, const char *state_dir, struct errbuf *eb) NODISCARD;
/* Wipes the password; ends the lock. */
void serve_place_close(struct serve_place *p);

/* For who serves: one process at a time.  E_BUSY: another one does. */
enum err serve_place_lock(struct serve_place *p, struct errbuf *eb) NODISCARD;

/* Another port, from now on. */
enum err serve_place_set_port(
    struct serve_place *p, uint16_t port, struct errbuf *eb) NODISCARD;
/* Does nobody listen there? */
bool serve_port_is_free(uint16_t port);

/* "DIR/name"; false: it is too long. */
bool serve_place_path(
    const struct serve_place *p, char out[PATH_MAX], const char *name);
/* Writes a file there that only its owner can read; whole, or not at all. */
enum err serve_place_write(const struct serve_place *p, const char *name,
    const char *text, size_t n, struct errbuf *eb) NODISCARD;

#endif
