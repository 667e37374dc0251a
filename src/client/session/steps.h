/*
 * steps.h - what the steps do; the table is in visit.c.
 *
 * The first part of each name is the step, the last one the column (see
 * core.h).  What a step needs and cannot have, as memory is short, ends the
 * session.
 */
#ifndef CLIENT_SESSION_STEPS_H
#define CLIENT_SESSION_STEPS_H

#include "client/session/core.h"

/* ---- sign_in.c: the secret, the choice of a sign-in ---- */

void secret_enter(struct visit *v);
void sign_in_enter(struct visit *v);
void sign_in_take(struct visit *v, const struct pop3_event *ev);
/* Of all steps up to the sign-in: wipes the secret once it is over. */
void sign_in_leave(struct visit *v, enum step next);

/* ---- capa.c: capabilities, STLS ---- */

void capa_enter(struct visit *v);
void capa_take(struct visit *v, const struct pop3_event *ev);
void capa_leave(struct visit *v, enum step next);
void stls_enter(struct visit *v);
void stls_take(struct visit *v, const struct pop3_event *ev);
void recapa_enter(struct visit *v);
void recapa_take(struct visit *v, const struct pop3_event *ev);
void recapa_leave(struct visit *v, enum step next);

/* ---- language.c: UTF8, LANG ---- */

void language_enter(struct visit *v);
void language_take(struct visit *v, const struct pop3_event *ev);
void language_leave(struct visit *v, enum step next);

/* ---- listing.c: STAT, LIST, UIDL; makes the plan ---- */

void listing_enter(struct visit *v);
void listing_take(struct visit *v, const struct pop3_event *ev);
void listing_leave(struct visit *v, enum step next);
/* Rows of LIST and UIDL that have come. */
size_t listing_rows(const struct visit *v);

/* ---- headers.c: TOP ---- */

void headers_enter(struct visit *v);
void headers_take(struct visit *v, const struct pop3_event *ev);
void headers_writable(struct visit *v);
void headers_leave(struct visit *v, enum step next);
/* Does the server give headers, as far as that is known? */
bool headers_has_top(const struct visit *v);
/* The same, of messages that are to be deleted. */
void verify_enter(struct visit *v);
void verify_take(struct visit *v, const struct pop3_event *ev);

/* ---- envelope.c: *ENV ---- */

void envelope_enter(struct visit *v);
void envelope_take(struct visit *v, const struct pop3_event *ev);
void envelope_writable(struct visit *v);

/* ---- ask.c: RETR: what is asked for ---- */

void retrieve_enter(struct visit *v);
void retrieve_writable(struct visit *v);

/* ---- retrieve.c: RETR: what comes ---- */

void retrieve_take(struct visit *v, const struct pop3_event *ev);
void retrieve_leave(struct visit *v, enum step next);

/* ---- delete.c: DELE ---- */

void delete_enter(struct visit *v);
void delete_take(struct visit *v, const struct pop3_event *ev);
void delete_writable(struct visit *v);

/* ---- save.c ---- */

/* Entered until nothing is under way any more. */
void save_enter(struct visit *v);

#endif
