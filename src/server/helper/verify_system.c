/*
 * The machine's users, with the passwords of shadow(5): see verify_driver.h.
 */
#include <shadow.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/helper/verify_machine.h"
#include "server/users/scheme.h"

enum { DAY = 24 * 3600 };

/* Of a password that nobody knows: a name that nobody has costs as much. */
static const char of_nobody[] =
    "{CRYPT}$6$6ed060a6c3413092$ewFkufDI8nQ51MBkIvVzC7ElYYHJCVq8UvzRt6k2ewBczQ."
    "QzECNk/gE46wbDIx9BeBJL7/ZC88ol0kPLoDQb.";

/* In days since 1970.  NULL: nothing stands against a sign-in.  A password that is to be
 * changed cannot be changed here. */
static const char *
why_expired(const struct spwd *sp, long today)
{
	if (sp->sp_expire > 0 && today >= sp->sp_expire)
		return "the account has expired";
	if (sp->sp_lstchg == 0)
		return "the password must be changed first";
	if (sp->sp_lstchg > 0 && sp->sp_max >= 0 &&
	    today > sp->sp_lstchg + sp->sp_max)
		return "the password has expired";
	return NULL;
}

static enum err
compare(const char *hash, const char *password)
{
	char stored[SCHEME_STORED_MAX];
	int n = snprintf(stored, sizeof(stored), "{CRYPT}%s", hash);
	enum err e = E_DENIED;

	if (hash[0] != '\0' && n > 0 && (size_t)n < sizeof(stored))
		e = scheme_verify(stored, password);
	explicit_bzero(stored, sizeof(stored));
	return e;
}

static void
nobody(const struct verify_question *q, struct verify_answer *a)
{
	db_row_clear(&a->row);
	a->result = LOOKUP_NOBODY;
	if (q->has_password && scheme_verify(of_nobody, q->password) == E_NOMEM)
		a->result = LOOKUP_FAILED;
}

static void
judge(const struct passwd *pw, const struct spwd *sp,
    const struct verify_question *q, struct verify_answer *a)
{
	long today = (long)(clock_unix_ms() / 1000 / DAY);
	const char *expired = sp != NULL ? why_expired(sp, today) : NULL;
	enum err e = E_OK;

	if (q->has_password)
		e = compare(
		    sp != NULL ? sp->sp_pwdp : pw->pw_passwd, q->password);
	if (e == E_OK && expired != NULL)
		e = machine_lock(a, expired);
	a->result = e == E_OK      ? LOOKUP_FOUND
		    : e == E_NOMEM ? LOOKUP_FAILED
				   : LOOKUP_WRONG;
}

/* Where the password is said to be in shadow(5) and is not, whether the file or its line
 * is missing, nobody can say that another one is wrong.  (errno is that of the last
 * source of nsswitch.conf.) */
static void
look_and_judge(const struct passwd *pw, const struct verify_question *q,
    struct verify_answer *a)
{
	const struct spwd *sp = getspnam(pw->pw_name);

	if (sp == NULL && strcmp(pw->pw_passwd, "x") == 0)
		err_set(&a->why, E_AGAIN,
		    "a password is not in /etc/shadow, or that cannot be "
		    "read");
	else
		judge(pw, sp, q, a);
}

static void
verify(const struct pam_conf *c, const struct verify_question *q,
    struct verify_answer *a)
{
	const struct passwd *pw;
	enum err e = machine_find(c, q->name, &a->row, &pw, &a->why);

	if (e == E_OK)
		look_and_judge(pw, q, a);
	else if (e == E_NOENT || e == E_DENIED)
		nobody(q, a);
}

static enum err
prepare(const struct pam_conf *c, struct errbuf *eb)
{
	return scheme_init();
}

extern const struct verify_driver verify_system;
const struct verify_driver verify_system = { .prepare = prepare,
	.verify = verify };
