/*
 * err.h - the one set of results that fallible functions return.
 *
 * Words for people travel beside it in an errbuf that the caller owns; the
 * peer's words never get into one unescaped.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

enum err {
	E_OK,
	E_NOMEM,  /* out of memory */
	E_IO,     /* the kernel said no: see the errbuf */
	E_FULL,   /* a bound of ours was reached */
	E_NOENT,  /* it is not there */
	E_BUSY,   /* somebody else has it */
	E_FORMAT, /* the input is not what it must be */
	E_DENIED, /* not permitted, or credentials that do not match */
	E_CLOSED, /* the other end has gone */
	E_AGAIN,  /* not now: wait until it is ready, then call again */
	E_CONFIG, /* a person must mend the configuration */
};

#define NODISCARD    __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

struct errbuf {
	char text[256];
};

/* A word or two for the log; static. */
const char *err_str(enum err e);

/* Writes the words and returns e, so that `return err_set(...)` reads well.
 * eb may be NULL. */
enum err err_set(struct errbuf *eb, enum err e, const char *fmt, ...)
    PRINTF(3, 4);

/* The same, with ": " and the text of errno behind the words. */
enum err err_sys(struct errbuf *eb, enum err e, const char *fmt, ...)
    PRINTF(3, 4);

#endif
