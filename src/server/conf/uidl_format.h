/*
 * uidl_format.h - what a unique-id may be (RFC 1939 s7), and the setting
 * pop3_uidl_format, by which Dovecot made its own.
 */
#ifndef SERVER_CONF_UIDL_FORMAT_H
#define SERVER_CONF_UIDL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "server/ipc/index.h"

struct uid {
	size_t n;
	char s[INDEX_UID_MAX];
};

static inline struct slice
uid_slice(const struct uid *u)
{
	return (struct slice){ u->s, u->n };
}

static inline bool
uid_is(struct slice a, struct slice b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* 1-70 octets of 0x21-0x7e.  False leaves *u_r as it was. */
bool uid_set(struct uid *u_r, struct slice s);

/* What Dovecot's pop3_uidl_format may ask for. */
struct uid_vars {
	uint32_t uid, validity;
	struct slice file; /* base name */
	struct slice guid;
};

/* Expands Dovecot's pop3_uidl_format.  False if the format is not one that
 * we know, or if the result is none that POP3 permits. */
bool uid_format(
    struct uid *u_r, const char *format, const struct uid_vars *vars);

#endif
