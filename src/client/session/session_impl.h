/*
 * session_impl.h - what the parts of a session share.
 *
 *	session.c   the table of steps, what happens to the line, life
 *	core.c      the result, the way, the dialogue
 *	line.c      the socket, TLS, deadlines
 *	capa.c      capabilities, STLS
 *	sign_in.c   the secret, the choice of a sign-in
 *	listing.c   STAT, LIST, UIDL
 *	headers.c   TOP
 *	ask.c       RETR, DELE: what is asked for
 *	retrieve.c  RETR, DELE: what comes
 *	fence.c     which answer is whose
 *	items.c     batches, what is put on record, the end
 *	trouble.c   messages that could not be had
 */
#ifndef CLIENT_SESSION_SESSION_IMPL_H
#define CLIENT_SESSION_SESSION_IMPL_H

#include "client/session/core.h"

/* ---- the steps ---- */

void secret_enter(struct session *s);
void sign_in_leave(struct session *s, enum step next);
void sign_in_enter(struct session *s);
void sign_in_take(struct session *s, const struct pop3_event *ev);
void capa_enter(struct session *s);
void capa_take(struct session *s, const struct pop3_event *ev);
void stls_enter(struct session *s);
void stls_take(struct session *s, const struct pop3_event *ev);
void recapa_enter(struct session *s);
void recapa_take(struct session *s, const struct pop3_event *ev);
void listing_enter(struct session *s);
void listing_take(struct session *s, const struct pop3_event *ev);
void headers_enter(struct session *s);
void headers_take(struct session *s, const struct pop3_event *ev);
void headers_writable(struct session *s);
void retrieve_enter(struct session *s);
void retrieve_take(struct session *s, const struct pop3_event *ev);
void retrieve_writable(struct session *s);
void retrieve_leave(struct session *s, enum step next);
void fence_leave(struct session *s, enum step next);
void save_enter(struct session *s);

/* ---- ask.c ---- */

/* For so many octets; false: it has failed, but may go on. */
bool session_has_space(struct session *s, uint64_t octets);

/* ---- fence.c ---- */

/* Sends a command that is answered with what is known of a message: the last one
 * that was asked for since the last fence, or item i.  False, here and below: the
 * session has failed. */
bool session_fence(struct session *s, size_t i);
/* Before item i is asked for. */
bool session_fence_is_due(const struct session *s, size_t i);
/* The last that was asked for is to have nothing else outstanding. */
bool session_is_alone(const struct session *s);
/* RETR or TOP was sent. */
void session_asked(struct session *s, size_t i);
/* Nothing more can be sent now: fences what was. */
bool session_fence_last(struct session *s);
/* Until the next fence is in step. */
void session_hold(struct session *s, const struct held *h);
void session_drop_held(struct session *s);
/* True: it was a fence's; session_told() gives what it told apart, if it was in
 * step. */
bool session_take_fence(struct session *s, const struct pop3_event *ev);
/* The next one that was told apart.  To be called until it is false. */
bool session_told(struct session *s, struct held *h_r);
/* Looks whether what is coming may have ended; to be called when all that has
 * come was looked at. */
void session_doubt(struct session *s);
void session_doubt_init(struct session *s);

/* ---- items.c ---- */

/* Writes what has changed; false: nothing has. */
bool session_save(struct session *s, bool finally);
/* What is in `unsaved` may be deleted now. */
void session_delete_unsaved(struct session *s);
/* A parcel that is complete; false: memory. */
bool session_store_add(struct session *s, size_t i, struct parcel *p) NODISCARD;
void session_store(struct session *s); /* what is complete, unless busy */
bool session_store_is_due(const struct session *s);
bool session_store_is_long(const struct session *s); /* ask for no more yet */
/* Begins to try the destination; nothing is asked for until that is over. */
void session_try(struct session *s);
/* The destination takes nothing: not one octet more. */
void session_destination_failed(struct session *s, enum err e, const char *why);
/* Room for what will be done about the listing. */
bool session_items_new(struct session *s) NODISCARD;
void session_items_free(struct session *s);

/* ---- trouble.c ---- */

/* breaks: it may have been the reason why the line was lost.  False: it was in
 * trouble before. */
bool session_trouble(struct session *s, size_t i, bool breaks, const char *why);
bool session_is_troubled(const struct session *s, const struct listed *l);
void session_trouble_clear(struct session *s, size_t i);
/* Those that are not listed any more trouble nobody. */
void session_troubles_prune(struct session *s);
/* Fails if there are some; says which, and since when. */
void session_troubles_report(struct session *s);
/* A message that may have broken a session gets one of its own, at each run at
 * first, later once a day.  In the others not even its header is asked for. */
bool session_is_shunned(struct session *s, const struct listed *l);
/* May it be collected in this session? */
bool session_is_for_now(struct session *s, const struct listed *l);

#endif
