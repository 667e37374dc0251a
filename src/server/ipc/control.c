#include "server/ipc/control.h"

#define STR(T, m) FIELD_STR(struct control_##T, m)
#define F(T, m)   FIELD(struct control_##T, m)

static const struct ipc_field about[] = { STR(about, what) };
const struct ipc_fields control_about_fields = FIELDS(about);

static const struct ipc_field server[] = {
	STR(server, version),
	STR(server, phase),
	F(server, pid),
	F(server, uid),
	F(server, since),
};
const struct ipc_fields control_server_fields = FIELDS(server);

static const struct ipc_field process[] = {
	STR(process, role),
	STR(process, state),
	F(process, index),
	F(process, pid),
	F(process, uid),
	F(process, since),
	F(process, answers),
	F(process, sessions),
};
const struct ipc_fields control_process_fields = FIELDS(process);

static const struct ipc_field listener[] = {
	STR(listener, name),
	STR(listener, at),
	STR(listener, tls),
	F(listener, plaintext_login),
};
const struct ipc_fields control_listener_fields = FIELDS(listener);

static const struct ipc_field certificate[] = {
	STR(certificate, name),
	STR(certificate, file),
	STR(certificate, names),
	STR(certificate, key),
	F(certificate, expires),
	F(certificate, ocsp_until),
	F(certificate, soon),
	STR(certificate, problem),
};
const struct ipc_fields control_certificate_fields = FIELDS(certificate);

static const struct ipc_field root[] = {
	STR(root, path),
	F(root, served),
};
const struct ipc_fields control_root_fields = FIELDS(root);

static const struct ipc_field note[] = { STR(note, words) };
const struct ipc_fields control_note_fields = FIELDS(note);

static const struct ipc_field uidl[] = {
	STR(uidl, decided),
	STR(uidl, setting),
	STR(uidl, format),
	STR(uidl, ignored),
	F(uidl, listed),
	F(uidl, messages),
	F(uidl, written),
	F(uidl, bad),
};
const struct ipc_fields control_uidl_fields = FIELDS(uidl);

static const struct ipc_field credentials[] = {
	STR(credentials, what),
	STR(credentials, password),
};
const struct ipc_fields control_credentials_fields = FIELDS(credentials);

static const struct ipc_field fact[] = {
	F(fact, row),
	FIELD_ENUM(struct control_fact, kind, FACT_KINDS - 1),
	STR(fact, name),
	F(fact, number),
	STR(fact, text),
};
const struct ipc_fields control_fact_fields = FIELDS(fact);

static const struct ipc_field done[] = {
	FIELD_ENUM(struct control_done, outcome, CONTROL_OUTCOMES - 1),
	STR(done, words),
};
const struct ipc_fields control_done_fields = FIELDS(done);

static const struct ipc_field expire[] = {
	STR(expire, user),
	F(expire, days),
	F(expire, since),
	F(expire, looked),
	F(expire, next),
	FIELD_ENUM(struct control_expire, held, EXPIRE_HELDS - 1),
	F(expire, due),
	F(expire, of),
};
const struct ipc_fields control_expire_fields = FIELDS(expire);

static const struct ipc_field which[] = {
	STR(which, user),
	F(which, worker),
	F(which, sid),
};
const struct ipc_fields control_which_fields = FIELDS(which);

static const struct ipc_field session[] = {
	F(session, worker),
	F(session, sid),
	STR(session, user),
	STR(session, peer),
	STR(session, tls),
	STR(session, method),
	STR(session, state),
	F(session, since),
	F(session, commands),
	F(session, messages),
	F(session, marked),
	F(session, retrieved),
	F(session, in),
	F(session, out),
};
static const struct ipc_fields session_fields = FIELDS(session);

static const struct ipc_field sessions[] = {
	F(sessions, next),
	FIELD_ROWS(struct control_sessions, session, n, &session_fields),
};
const struct ipc_fields control_sessions_fields = FIELDS(sessions);

static const struct ipc_field trace[] = {
	STR(trace, user),
	F(trace, off),
	F(trace, octets),
};
const struct ipc_fields control_trace_fields = FIELDS(trace);

static const struct ipc_field number[] = {
	STR(number, user),
	F(number, number),
};
const struct ipc_fields control_number_fields = FIELDS(number);

static const struct ipc_field message[] = {
	F(message, number),
	F(message, date),
	F(message, octets),
	STR(message, uid),
	STR(message, id),
};
static const struct ipc_fields message_fields = FIELDS(message);

static const struct ipc_field messages[] = {
	F(messages, next),
	FIELD_ROWS(struct control_messages, message, n, &message_fields),
};
const struct ipc_fields control_messages_fields = FIELDS(messages);

static const struct ipc_field drain[] = {
	STR(drain, version),
	F(drain, pid),
	F(drain, since),
	F(drain, sessions),
};
const struct ipc_fields control_drain_fields = FIELDS(drain);

static const struct ipc_field count[] = {
	STR(count, name),
	F(count, is_now),
	F(count, total),
	F(count, lately),
	F(count, seconds),
};
const struct ipc_fields control_count_fields = FIELDS(count);
