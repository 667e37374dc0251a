/*
 * The users and groups that a configuration names, as numbers, and whether they
 * may be what they are named for.  See check.h.
 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "server/conf/check.h"
#include "server/conf/role_table.h"

struct ids {
	uint32_t uid, gid;
	bool has_gid; /* a number that no user has comes without a group */
};

static bool
number(const char *name, uint32_t *v_r)
{
	return str_to_u32((struct slice){ name, strlen(name) }, v_r) &&
	       *v_r != UINT32_MAX;
}

static bool
find_user(const char *name, struct ids *out)
{
	bool is_number = number(name, &out->uid);
	const struct passwd *pw =
	    is_number ? getpwuid(out->uid) : getpwnam(name);

	out->has_gid = pw != NULL;
	if (pw != NULL) {
		out->uid = pw->pw_uid;
		out->gid = pw->pw_gid;
	}
	return pw != NULL || is_number;
}

static bool
find_group(const char *name, uint32_t *gid_r)
{
	const struct group *gr;

	if (number(name, gid_r))
		return true;
	if ((gr = getgrnam(name)) == NULL)
		return false;
	*gid_r = gr->gr_gid;
	return true;
}

/* The user of a role that is started by root. */
static void
check_role_user(struct conf *c, enum ipc_role r, const struct conf_lines *l)
{
	const char *setting = role_table[r].user;
	const char *name = (const char *)c + role_table[r].user_at;
	struct ids id;

	if (!find_user(name, &id)) {
		COMPLAIN(l, setting,
		    "there is no user %s; make it: useradd --system "
		    "--user-group --no-create-home --shell /usr/sbin/nologin "
		    "%s (or systemd-sysusers, if malote is installed), or "
		    "write %s = \"NAME\"",
		    name, name, setting);
		return;
	}
	if (id.uid == 0 && r != ROLE_PAM) {
		COMPLAIN(l, setting,
		    "%s = \"%s\" is root; write a user who may do nothing",
		    setting, name);
		return;
	}
	role_conf(c, r)->uid = id.uid;
	role_conf(c, r)->gid = id.has_gid ? id.gid : id.uid;
}

/* mail_user; what it is not said is that of the user who starts us, unless
 * that is root. */
static void
check_mail_user(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	struct ids id = { .uid = env->uid, .gid = env->gid, .has_gid = true };

	if (c->mail_user[0] == '\0' && env->uid == 0) {
		if (c->mail_group[0] != '\0')
			COMPLAIN(l, "mail_group",
			    "there is a mail_group but no mail_user; write "
			    "mail_user = \"NAME\"");
		return;
	}
	if (c->mail_user[0] != '\0' && !find_user(c->mail_user, &id)) {
		COMPLAIN(l, "mail_user",
		    "there is no user %s; make it: useradd --system "
		    "--user-group --no-create-home --shell /usr/sbin/nologin "
		    "%s",
		    c->mail_user, c->mail_user);
		return;
	}
	if (c->mail_group[0] != '\0') {
		id.has_gid = true;
		if (!find_group(c->mail_group, &id.gid))
			COMPLAIN(l, "mail_group",
			    "there is no group %s; make it: groupadd --system "
			    "%s",
			    c->mail_group, c->mail_group);
	}
	if (!id.has_gid)
		COMPLAIN(l, "mail_user",
		    "user %u has no group of its own; write mail_group = "
		    "\"GROUP\"",
		    id.uid);
	if (id.uid == 0 && env->uid == 0 && !env->root_mail)
		COMPLAIN(l, "mail_user",
		    "mail_user = \"%s\" is root; write a user who owns the "
		    "mail and nothing else",
		    c->mail_user);
	if (env->uid != 0 && (id.uid != env->uid || id.gid != env->gid))
		COMPLAIN(l, "mail_user",
		    "only root can become %u:%u; start maloted as root, or "
		    "leave mail_user and mail_group out",
		    id.uid, id.gid);
	c->auth.mail_uid = id.uid;
	c->auth.mail_gid = id.gid;
}

static void
warn_of_shared_user(struct conf *c, enum ipc_role a, const struct conf_lines *l)
{
	for (enum ipc_role b = ROLE_PARENT + 1; b < a; b++)
		if (role_conf(c, a)->uid != 0 &&
		    role_conf(c, a)->uid == role_conf(c, b)->uid)
			WARN(l, role_table[a].user,
			    "%s and %s are the same; two users keep the "
			    "processes apart better",
			    role_table[b].user, role_table[a].user);
}

/* Who may use the control socket beside root. */
static void
check_control_group(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	c->control_gid = AUTH_NO_UID;
	if (c->control_group[0] == '\0')
		return;
	if (!find_group(c->control_group, &c->control_gid))
		COMPLAIN(l, "control_group",
		    "there is no group %s; make it: groupadd --system %s",
		    c->control_group, c->control_group);
	if (env->uid != 0)
		COMPLAIN(l, "control_group",
		    "only root can give a socket to a group; start maloted "
		    "as root, or leave control_group out");
}

/* Who may ask at the socket of a block `sasl`, beside root. */
static void
check_service_groups(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	for (unsigned i = 0; i < c->n_services; i++) {
		struct conf_service *s = &c->service[i];

		s->gid = AUTH_NO_UID;
		if (s->group[0] == '\0')
			continue;
		if (!find_group(s->group, &s->gid))
			conf_error(&l->text, s->line,
			    "sasl \"%s\": there is no group %s; write that of "
			    "the mail server, as postfix or Debian-exim",
			    s->name, s->group);
		else if (env->uid != 0 && s->gid != env->gid)
			conf_error(&l->text, s->line,
			    "sasl \"%s\": only root can give a socket to a "
			    "group; start maloted as root, or leave group out",
			    s->name);
	}
}

/* Who may connect to the socket of a listener, beside root. */
static void
check_listener_groups(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	for (unsigned i = 0; i < c->n_listeners; i++) {
		struct conf_listener *of = &c->listener[i];

		of->gid = AUTH_NO_UID;
		if (of->group[0] == '\0')
			continue;
		if (of->socket[0] == '\0')
			conf_error(&l->text, of->line,
			    "listener \"%s\" has a group but no socket; write "
			    "socket = \"/run/malote/pop3\"",
			    of->name);
		else if (!find_group(of->group, &of->gid))
			conf_error(&l->text, of->line,
			    "listener \"%s\": there is no group %s; write that "
			    "of the webmail, as www-data",
			    of->name, of->group);
		else if (env->uid != 0 && of->gid != env->gid)
			conf_error(&l->text, of->line,
			    "listener \"%s\": only root can give a socket to a "
			    "group; start maloted as root, or leave group out",
			    of->name);
	}
}

/* The store's user is mail_user; those of the other roles matter only if root
 * starts the server. */
void
conf_check_ids(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	c->auth.mail_uid = c->auth.mail_gid = AUTH_NO_UID;
	for (enum ipc_role r = ROLE_PARENT + 1; r < ROLE_END; r++) {
		bool is_optional = r == ROLE_KERBEROS || r == ROLE_DB ||
				   r == ROLE_PAM || r == ROLE_SASL ||
				   r == ROLE_NET || r == ROLE_METRICS;

		if (r == ROLE_STORE || (is_optional && role_conf(c, r)->n == 0))
			continue;
		role_conf(c, r)->uid = env->uid;
		role_conf(c, r)->gid = env->gid;
		if (env->uid == 0) {
			check_role_user(c, r, l);
			warn_of_shared_user(c, r, l);
		}
	}
	check_mail_user(c, env, l);
	check_control_group(c, env, l);
	check_listener_groups(c, env, l);
	check_service_groups(c, env, l);
	c->store.role.uid = c->auth.mail_uid;
	c->store.role.gid = c->auth.mail_gid;
}
