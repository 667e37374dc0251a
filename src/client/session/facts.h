/*
 * facts.h - what a session that only tries has found out, and the kinds of
 * failures that a person, or a program that helps one, can do something about.
 */
#ifndef CLIENT_SESSION_FACTS_H
#define CLIENT_SESSION_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"
#include "net/resolve.h"
#include "net/tls_client.h"
#include "pop3/client.h"

/* Names are for programs: cause_name(). */
#define CAUSES(ROW) \
	ROW(CAUSE_NONE, "none") \
	ROW(CAUSE_OTHER, "other") \
	ROW(CAUSE_SETTINGS, "settings") \
	ROW(CAUSE_SECRET, "no-password") \
	ROW(CAUSE_NO_SUCH_HOST, "no-such-host") \
	ROW(CAUSE_NO_NAME_SERVICE, "no-name-service") \
	ROW(CAUSE_PROXY, "proxy") \
	ROW(CAUSE_REFUSED, "connection-refused") \
	ROW(CAUSE_NO_ANSWER, "no-answer") \
	ROW(CAUSE_UNREACHABLE, "unreachable") \
	ROW(CAUSE_HUNG_UP, "hung-up") \
	ROW(CAUSE_OTHER_PROTOCOL, "other-protocol") \
	ROW(CAUSE_WANTS_TLS, "wants-tls") \
	ROW(CAUSE_WANTS_STARTTLS, "wants-starttls") \
	ROW(CAUSE_NO_STARTTLS, "no-starttls") \
	ROW(CAUSE_TLS, "tls") \
	ROW(CAUSE_CERTIFICATE_NAME, "certificate-name") \
	ROW(CAUSE_CERTIFICATE_EXPIRED, "certificate-expired") \
	ROW(CAUSE_CERTIFICATE_NOT_YET, "certificate-not-yet-valid") \
	ROW(CAUSE_CERTIFICATE_ISSUER, "certificate-issuer") \
	ROW(CAUSE_CERTIFICATE_PIN, "certificate-fingerprint") \
	ROW(CAUSE_INTERCEPTED, "intercepted") \
	ROW(CAUSE_PASSWORD, "password") \
	ROW(CAUSE_APP_PASSWORD, "app-password") \
	ROW(CAUSE_OAUTH, "oauth") \
	ROW(CAUSE_TOKEN, "token") \
	ROW(CAUSE_NO_OAUTH, "no-oauth") \
	ROW(CAUSE_MECHANISM, "mechanism") \
	ROW(CAUSE_POP_OFF, "pop-disabled") \
	ROW(CAUSE_IN_USE, "in-use") \
	ROW(CAUSE_TOO_OFTEN, "too-often") \
	ROW(CAUSE_BLOCKED, "blocked") \
	ROW(CAUSE_DESTINATION, "destination") \
	ROW(CAUSE_SPACE, "space")

#define CAUSE_ENUM(constant, name) constant,
enum cause { CAUSES(CAUSE_ENUM) };
#undef CAUSE_ENUM

const char *cause_name(enum cause c);

/* What a session that only tries gets to, in this order; with starttls POINT_TLS
 * comes behind POINT_CAPA. */
enum point {
	POINT_SECRET,
	POINT_NAMES,
	POINT_CONNECT,
	POINT_TLS,
	POINT_GREETING,
	POINT_CAPA,
	POINT_SIGN_IN,
	POINT_STAT,
	POINT_UIDL,
	POINT_TOP,
	POINTS
};

/* What a refusal means, by its words and its code (visit_code()). */
enum cause cause_of_refusal(struct slice text, enum pop3_code code);
enum cause cause_of_dial(enum err e); /* see dial_done */
enum cause cause_of_tls(enum tls_fault fault);

struct facts {
	enum point failed_at; /* of a session that has failed */
	char addresses[RESOLVE_MAX][ADDR_TEXT];
	unsigned n_addresses;
	char peer[ADDR_TEXT];  /* that was connected to: the proxy's, if any */
	struct tls_found tls;  /* version empty: there was no handshake */
	struct pop3_capa capa; /* the last one; known: there was one */
	char sign_in[32];      /* "SCRAM-SHA-256"; empty: none was accepted */
	bool counted;          /* the next two */
	uint32_t count;
	uint64_t octets;
	bool has_uidl, has_top; /* both were tried */
	uint64_t space;         /* octets, for the mail; 0: it was not asked */
	bool place_is_new;      /* where mail goes is still to be made */
};

#endif
