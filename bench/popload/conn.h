/*
 * conn.h - a connection of popload: its octets, by TCP or TLS.
 *
 * Knows epoll and OpenSSL; does not know what is said over it.  What must not
 * fail (a socket, memory) ends the program.
 */
#ifndef CONN_H
#define CONN_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { OUT_MAX = 16 * 1024 };

struct conn {
	void *owner; /* what conn_wait() gives for it */
	int fd;
	SSL *ssl;
	char out[OUT_MAX]; /* what is to be sent: out_len octets at out_off */
	size_t out_off, out_len;
	unsigned watched; /* epoll's events */
	bool connected;   /* set by the owner, once it was ready */
};

/* How every connection is made. */
struct conn_way {
	uint16_t port;      /* of 127.0.0.1 */
	bool resume;        /* TLS sessions are */
	bool small_buffer;  /* a server soon notices who does not read */
	bool other_address; /* connects from 127.0.0.2, so that very many
			       connections use up the ports of nobody else */
};

/* Once, before all others. */
void conn_init(const struct conn_way *way);

/* Whether the server gave anything by which TLS can be resumed. */
bool conn_has_ticket(void);

/* Its events come from conn_wait() as NULL. */
void conn_watch_input(int fd);
void conn_unwatch_input(int fd);

/* Waits; the number of events, whose owners are in ready. */
int conn_wait(void *ready[], int max, int milliseconds);

void conn_open(struct conn *c, void *owner);
void conn_start_tls(struct conn *c);

/* Whether its TLS session was a resumed one.  Rudely: by a reset. */
bool conn_close(struct conn *c, bool rudely);

/* Octets read; 0 if it would wait; -1 at the end or on error. */
ssize_t conn_read(struct conn *c, char *p, size_t n);

/* Sends what is to be sent; false if the connection broke. */
bool conn_flush(struct conn *c);

void conn_stop_reading(struct conn *c);

#endif
