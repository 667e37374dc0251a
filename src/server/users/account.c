#include "server/users/account.h"

static enum err
find_owner(struct account *out, const struct auth_conf *conf,
    const struct user *u, const char **why_r, struct errbuf *eb)
{
	if (u->uid == AUTH_NO_UID || u->uid == conf->mail_uid) {
		out->uid = conf->mail_uid;
		out->gid = conf->mail_gid;
		*why_r = "no-uid";
		return out->uid != AUTH_NO_UID
			   ? E_OK
			   : err_set(eb, E_CONFIG,
				 "the user has no uid of its own; give it one, "
				 "or set mail_user");
	}
	out->uid = u->uid;
	out->gid = u->gid;
	*why_r = "uid-out-of-range";
	if (u->uid == 0)
		return err_set(
		    eb, E_CONFIG, "uid 0 is root's, who never owns mail");
	if (u->uid < conf->first_uid || u->uid > conf->last_uid)
		return err_set(eb, E_CONFIG,
		    "uid %u is not between first_uid = %u and last_uid = %u",
		    u->uid, conf->first_uid, conf->last_uid);
	return E_OK;
}

enum err
account_find(struct account *out, const struct auth_conf *conf,
    const struct user *u, const char **why_r, struct errbuf *eb)
{
	*why_r = "mail-location";
	if (name_mail(out->mail, u->mail[0] != '\0' ? u->mail : conf->mail,
		conf->mail_root, u->name, u->home, eb) != E_OK)
		return E_CONFIG;
	return find_owner(out, conf, u, why_r, eb);
}
