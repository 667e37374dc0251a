/*
 * commands.h - the commands of malotectl: a row of the table in malotectl.c and
 * a function here.
 *
 * E_OK, or words in eb and the exit status that malotectl.c makes of the error.
 */
#ifndef SERVER_CTL_COMMANDS_H
#define SERVER_CTL_COMMANDS_H

#include "server/conf/conf.h"
#include "server/users/name.h"

struct options {
	const char *config, *users, *scheme, *uid, *gid, *home, *mail;
	const char *database; /* user: a block of the configuration; or NULL */
	const char *label, *protocol, *networks, *until; /* app-password */
	bool json;                                       /* for programs */
	bool off, octets;                                /* trace */
	const char *second;      /* word behind the name; or NULL */
	const char *log, *since; /* log */
	bool yes;                /* do not ask */
	bool is_servers;         /* `users' is the file of the configuration */
	/* Of the configuration; NULL if none is read. */
	const struct conf *conf;
	const char *socket; /* of the server */
	struct name_rule rule;
};

/* user.c, with a server or without one; name: as it was typed. */
enum err user_add(const struct options *o, const char *name, struct errbuf *eb);
enum err user_passwd(
    const struct options *o, const char *name, struct errbuf *eb);
enum err user_delete(
    const struct options *o, const char *name, struct errbuf *eb);
enum err user_list(
    const struct options *o, const char *none, struct errbuf *eb);

/* app_password.c, with a server or without one. */
enum err app_password_add(
    const struct options *o, const char *user, struct errbuf *eb);
enum err app_password_list(
    const struct options *o, const char *user, struct errbuf *eb);
enum err app_password_revoke(
    const struct options *o, const char *user, struct errbuf *eb);
/* For a user who is deleted; name: by the rule. */
enum err app_password_revoke_all(
    const struct options *o, const char *name, struct errbuf *eb) NODISCARD;

/* client_settings.c, of the configuration. */
enum err client_settings(
    const struct options *o, const char *user, struct errbuf *eb);

/* history.c, of the log. */
enum err history(const struct options *o, const char *user, struct errbuf *eb);

/* Of a server that runs: sign_ins.c, status.c, unique_ids.c, expirations.c,
 * restarting.c, root.c, sessions.c, settings.c, trace.c, messages.c. */
enum err user_show(
    const struct options *o, const char *user, struct errbuf *eb);
enum err user_test(
    const struct options *o, const char *user, struct errbuf *eb);
enum err auth_failures(
    const struct options *o, const char *none, struct errbuf *eb);
enum err status(const struct options *o, const char *none, struct errbuf *eb);
enum err uidl_show(
    const struct options *o, const char *user, struct errbuf *eb);
enum err uidl_forget(
    const struct options *o, const char *user, struct errbuf *eb);
enum err expire_show(
    const struct options *o, const char *user, struct errbuf *eb);
enum err expire_accept(
    const struct options *o, const char *user, struct errbuf *eb);
enum err reload(const struct options *o, const char *none, struct errbuf *eb);
enum err restart(const struct options *o, const char *none, struct errbuf *eb);
enum err root_accept(
    const struct options *o, const char *path, struct errbuf *eb);
/* name: a user, or the number of a session. */
enum err sessions_who(
    const struct options *o, const char *name, struct errbuf *eb);
enum err sessions_kick(
    const struct options *o, const char *name, struct errbuf *eb);
enum err maildrop_list(
    const struct options *o, const char *user, struct errbuf *eb);
/* o->second: the number of a message. */
enum err maildrop_show(
    const struct options *o, const char *user, struct errbuf *eb);
enum err maildrop_check(
    const struct options *o, const char *user, struct errbuf *eb);
enum err trace(const struct options *o, const char *name, struct errbuf *eb);

#endif
