/*
 * PAM: see verify_driver.h.  It is a module, as libpam is not everywhere.
 */
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include "server/helper/verify_machine.h"

enum { MESSAGES_MAX = 32 };

/* What is asked for without an echo is the password, by whichever module. */
static const char *
reply_to(const struct pam_message *m, const struct verify_question *q)
{
	switch (m->msg_style) {
	case PAM_PROMPT_ECHO_OFF: return q->password;
	case PAM_PROMPT_ECHO_ON: return q->name;
	default: return NULL;
	}
}

static int
forget(struct pam_response *r, int n)
{
	for (int i = 0; i < n; i++)
		if (r[i].resp != NULL) {
			explicit_bzero(r[i].resp, strlen(r[i].resp));
			free(r[i].resp);
		}
	free(r);
	return PAM_BUF_ERR;
}

static int
converse(
    int n, const struct pam_message **m, struct pam_response **r_r, void *arg)
{
	struct pam_response *r;

	if (n <= 0 || n > MESSAGES_MAX)
		return PAM_CONV_ERR;
	if ((r = calloc((size_t)n, sizeof(*r))) == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		const char *reply = reply_to(m[i], arg);

		if (reply == NULL)
			continue;
		/* The module wipes and frees it. */
		if ((r[i].resp = strdup(reply)) == NULL)
			return forget(r, n);
	}
	*r_r = r;
	return PAM_SUCCESS;
}

/* Failures cost time elsewhere: auth knows how many there were. */
static void
no_delay(int result, unsigned usec, void *arg)
{
}

static int
begin(const struct pam_conf *c, const struct verify_question *q,
    pam_handle_t **pam_r)
{
	static struct pam_conv conv = { .conv = converse };
	int r;

	conv.appdata_ptr = (void *)q;
	r = pam_start(c->service, q->name, &conv, pam_r);
	if (r == PAM_SUCCESS)
		r = pam_set_item(*pam_r, PAM_TTY, "pop3");
	if (r == PAM_SUCCESS && q->peer[0] != '\0')
		r = pam_set_item(*pam_r, PAM_RHOST, q->peer);
	if (r == PAM_SUCCESS)
		r = pam_set_item(*pam_r, PAM_FAIL_DELAY, (void *)no_delay);
	return r;
}

/* A module may make another name of the one that it was asked for: that would be
 * somebody else. */
static bool
is_same_user(pam_handle_t *pam, const char *name)
{
	const void *user = NULL;

	return pam_get_item(pam, PAM_USER, &user) == PAM_SUCCESS &&
	       user != NULL && strcmp(user, name) == 0;
}

/* What the first phase says of the password.  known: the machine has such a user:
 * else who is refused may be somebody whom PAM does not know, as many modules do not
 * say which of the two it is. */
static enum lookup_result
result_of(int r, bool known)
{
	switch (r) {
	case PAM_SUCCESS: return LOOKUP_FOUND;
	case PAM_USER_UNKNOWN: return LOOKUP_NOBODY;
	case PAM_AUTH_ERR:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_CRED_INSUFFICIENT:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED: return known ? LOOKUP_WRONG : LOOKUP_NOBODY;
	default: return LOOKUP_FAILED;
	}
}

/* The second: may the account be used? */
static void
check_account(pam_handle_t *pam, struct verify_answer *a)
{
	int r = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);

	switch (r) {
	case PAM_SUCCESS: return;
	case PAM_ACCT_EXPIRED:
	case PAM_AUTH_ERR:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_PERM_DENIED:
	case PAM_USER_UNKNOWN:
		if (machine_lock(a, pam_strerror(pam, r)) == E_OK)
			return;
		break;
	default:
		err_set(&a->why, E_AGAIN, "account: %s", pam_strerror(pam, r));
		break;
	}
	a->result = LOOKUP_FAILED;
}

static void
ask(const struct pam_conf *c, const struct verify_question *q, bool known,
    struct verify_answer *a)
{
	pam_handle_t *pam = NULL;
	int r = begin(c, q, &pam);

	if (r != PAM_SUCCESS) {
		err_set(&a->why, E_CONFIG, "service %s: %s", c->service,
		    pam_strerror(pam, r));
		if (pam != NULL)
			pam_end(pam, r);
		return;
	}
	if (q->has_password)
		r = pam_authenticate(
		    pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	a->result = result_of(r, known);
	if (a->result == LOOKUP_FAILED) {
		err_set(&a->why, E_AGAIN, "%s", pam_strerror(pam, r));
	} else if (!is_same_user(pam, q->name)) {
		a->result = LOOKUP_FAILED;
		err_set(&a->why, E_CONFIG,
		    "a module has made another name of that of the user");
	} else if (a->result == LOOKUP_FOUND) {
		check_account(pam, a);
	}
	pam_end(pam, r); /* wipes what it was told */
}

static void
verify(const struct pam_conf *c, const struct verify_question *q,
    struct verify_answer *a)
{
	const struct passwd *pw;
	enum err e = machine_find(c, q->name, &a->row, &pw, &a->why);

	/* Whom only PAM knows is there when the password is right. */
	if (e == E_DENIED || (e == E_NOENT && !q->has_password))
		a->result = LOOKUP_NOBODY;
	else if (e == E_OK || e == E_NOENT)
		ask(c, q, e == E_OK, a);
}

/* pam_start() loads the modules, which takes as long as all the rest.  Where it has
 * been called and nothing was ended they stay, and the processes of the questions
 * begin with them; what the service names is read anew by each. */
static enum err
keep_modules(const struct pam_conf *c, struct errbuf *eb)
{
	static const struct pam_conv conv = { .conv = converse };
	static pam_handle_t *kept;
	int r = pam_start(c->service, NULL, &conv, &kept);

	if (r == PAM_SUCCESS)
		return E_OK;
	return err_set(
	    eb, E_CONFIG, "service %s: %s", c->service, pam_strerror(NULL, r));
}

extern const struct verify_driver verify_pam;
const struct verify_driver verify_pam = { .prepare = keep_modules,
	.verify = verify };
