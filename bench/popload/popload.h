/*
 * popload.h - a load generator for POP3: what its files share.
 *
 *	main.c		options, the loop, the report
 *	session.c	what a session says and hears
 *	conn.c		its octets: TCP, TLS, resumption
 */
#ifndef POPLOAD_H
#define POPLOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { OUT_MAX = 16 * 1024, COMMAND_MAX = 600, CHUNK = 256 * 1024 };
enum { STEPS_MAX = 32, USER_MAX = 64 };

enum kind {
	KIND_ONCE,  /* one command */
	KIND_EACH,  /* one for each message */
	KIND_LOGIN, /* USER and PASS */
	KIND_STLS,
	KIND_HOLD,
	KIND_STALL,
};

struct word {
	const char *name, *verb;
	enum kind kind;
	bool lines; /* the reply has many */
};

/* A word of the command line. */
struct step {
	const struct word *word;
	uint32_t limit; /* of messages */
};

enum reading { READING_GREETING, READING_FIRST_LINE, READING_DATA };

struct conn {
	int fd;
	SSL *ssl;
	char out[OUT_MAX];
	size_t out_off, out_len;
	unsigned watched; /* epoll's events */
	bool connected;

	unsigned slot, round; /* which user it is */
	size_t step;
	uint32_t sent;    /* commands of this step */
	uint32_t waiting; /* replies that are to come */
	uint32_t count;   /* messages, after STAT */
	enum reading reading;
	char line[512]; /* the first line so far */
	size_t line_len;
	char carry[4]; /* the last octets of data */
	size_t carry_len;
	uint64_t start; /* microseconds */
};

struct options {
	unsigned connections, users, first_user, depth, top_lines;
	unsigned long sessions;
	const char *password;
	uint16_t port;
	bool tls, resume;
	struct step steps[STEPS_MAX];
	size_t n_steps;
};

/* What all sessions together came to. */
struct totals {
	unsigned long started, finished, failed, resumed;
	uint64_t octets, messages;
	unsigned opening; /* no greeting yet */
	unsigned holding;
	uint32_t *took; /* microseconds of each session */
};

extern struct options opt;
extern struct totals sum;

uint64_t now(void);
void die(const char *what) __attribute__((noreturn));

/* conn.c.  conn_init() is called once. */
void conn_init(void);
bool conn_has_ticket(void);
void conn_watch_input(int fd); /* its events come with a NULL */
void conn_unwatch_input(int fd);
/* Waits; the number of events, whose connections are in ready. */
int conn_wait(struct conn *ready[], int max, int milliseconds);
void conn_open(struct conn *c);
void conn_start_tls(struct conn *c);
void conn_close(struct conn *c, bool rudely);
/* Octets read; 0 if it would wait; -1 at the end or on error. */
ssize_t conn_read(struct conn *c, char *p, size_t n);
/* Sends what is to be sent; false if the connection broke. */
bool conn_flush(struct conn *c);
void conn_stop_reading(struct conn *c);

/* session.c */
bool step_parse(struct step *step, const char *text);
void session_start(struct conn *c);
/* The connection can be read or written. */
void session_ready(struct conn *c, char *chunk);
/* Those that hold go on. */
void session_release(struct conn *c);

#endif
