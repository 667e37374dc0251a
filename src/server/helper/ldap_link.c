#include "server/helper/ldap_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { SLACK_MS = 100 /* the library's clock is not ours */ };

/* ---- where it is ---- */

static bool
is_by(const struct ldap_place *p, const char *scheme)
{
	return strncmp(p->uri, scheme, strlen(scheme)) == 0;
}

static enum err
check_place(const struct ldap_place *p, struct errbuf *eb)
{
	if (!is_by(p, "ldap://") && !is_by(p, "ldaps://") &&
	    !is_by(p, "ldapi://"))
		return err_set(eb, E_CONFIG,
		    "connection: uri must begin with ldap://, ldaps:// or "
		    "ldapi://");
	/* A directory takes that for somebody who says no name. */
	if ((p->user[0] != '\0') != (p->password[0] != '\0'))
		return err_set(eb, E_CONFIG,
		    "connection: user and password are both needed, or none");
	return db_tls_check(&p->tls, "tls", eb);
}

enum err
ldap_place_read(struct ldap_place *p, const char *words, struct errbuf *eb)
{
	const struct db_word known[] = {
		{ "uri", p->uri },
		{ "base", p->base },
		{ "user", p->user },
		{ "password", p->password },
		{ "tls", p->tls.how },
		{ "tls_ca", p->tls.authorities },
	};
	enum err e;

	*p = (struct ldap_place){ .uri = "" };
	db_tls_default(&p->tls);
	e = db_words_take(words, known, sizeof(known) / sizeof(known[0]), eb);
	return e == E_OK ? check_place(p, eb) : e;
}

/* Several, with spaces or commas between, are asked one after the other. */
void
ldap_place_reach(const struct ldap_place *p, struct db_reach *r)
{
	char words[DB_WORD_MAX], *rest = words, *word;
	LDAPURLDesc *u;

	memcpy(words, p->uri, sizeof(words));
	while ((word = strsep(&rest, " ,")) != NULL) {
		if (ldap_url_parse(word, &u) != LDAP_URL_SUCCESS)
			continue;
		if (strcmp(u->lud_scheme, "ldapi") != 0)
			db_reach_port(r, (uint32_t)u->lud_port);
		ldap_free_urldesc(u);
	}
}

/* ---- waiting ---- */

/* Of what this thread asks now. */
static _Thread_local uint64_t deadline;

/* What is below TLS: the library's own timeouts do not hold in a handshake, nor
 * in the middle of a record. */
static int
await(Sockbuf_IO_Desc *io, short events)
{
	struct pollfd p = { .events = events };
	uint64_t now = clock_ms();
	int r;

	ber_sockbuf_ctrl(io->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
	do
		r = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;
	while (r < 0 && errno == EINTR && (now = clock_ms()) < deadline);
	if (r == 0)
		errno = ETIMEDOUT;
	return r > 0 ? 0 : -1;
}

static ber_slen_t
read_in_time(Sockbuf_IO_Desc *io, void *to, ber_len_t n)
{
	return await(io, POLLIN) == 0 ? LBER_SBIOD_READ_NEXT(io, to, n) : -1;
}

static ber_slen_t
write_in_time(Sockbuf_IO_Desc *io, void *from, ber_len_t n)
{
	return await(io, POLLOUT) == 0 ? LBER_SBIOD_WRITE_NEXT(io, from, n)
				       : -1;
}

static int
pass_on(Sockbuf_IO_Desc *io, int what, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(io, what, arg);
}

static Sockbuf_IO in_time = { .sbi_ctrl = pass_on,
	.sbi_read = read_in_time,
	.sbi_write = write_in_time };

static int
wait_in_time(LDAP *ld)
{
	Sockbuf *sb;

	if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sb) != LDAP_SUCCESS ||
	    ber_sockbuf_add_io(
		sb, &in_time, LBER_SBIOD_LEVEL_PROVIDER + 1, NULL) != 0)
		return LDAP_LOCAL_ERROR;
	return LDAP_SUCCESS;
}

void
ldap_link_deadline(uint64_t until)
{
	deadline = until;
}

struct timeval
ldap_link_span(uint64_t until)
{
	uint64_t now = clock_ms();
	uint64_t ms = until > now ? until - now : 1;

	return (struct timeval){ (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };
}

/* ---- connecting ---- */

enum err
ldap_link_fail(LDAP *ld, int r, uint64_t until, struct errbuf *eb)
{
	bool is_late = clock_ms() + SLACK_MS >= until;
	char *words = NULL;
	enum err e = r == LDAP_SERVER_DOWN || r == LDAP_CONNECT_ERROR ||
			     r == LDAP_UNAVAILABLE || r == LDAP_BUSY
			 ? E_CLOSED
			 : E_CONFIG;

	if (r == LDAP_TIMEOUT || r == LDAP_TIMELIMIT_EXCEEDED ||
	    (e == E_CLOSED && is_late))
		return err_set(eb, E_AGAIN, "it does not answer");
	ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &words);
	err_set(eb, e, "%s%s%s", ldap_err2string(r),
	    words != NULL && words[0] != '\0' ? ": " : "",
	    words != NULL ? words : "");
	ldap_memfree(words);
	return e;
}

static int
set_tls(LDAP *ld, const struct ldap_place *p)
{
	int hard = LDAP_OPT_X_TLS_HARD, client = 0;
	int least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;

	if (ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &hard) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least) != 0 ||
	    ldap_set_option(
		ld, LDAP_OPT_X_TLS_CACERTFILE, p->tls.authorities) != 0)
		return LDAP_CONNECT_ERROR;
	return ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
}

static int
set_options(LDAP *ld, const struct db_conf *conf)
{
	/* Of two addresses that its name has, the second one has its time, too. */
	const struct timeval span = { conf->timeout, 0 },
			     half = { (conf->timeout + 1) / 2, 0 };
	int version = LDAP_VERSION3;

	/* It is asked, and no other that it names. */
	if (ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &half) != 0)
		return LDAP_LOCAL_ERROR;
	return ldap_set_option(ld, LDAP_OPT_TIMEOUT, &span);
}

int
ldap_link_bind(LDAP *ld, const char *dn, const char *password)
{
	struct berval secret = { strlen(password), (char *)password };

	return ldap_sasl_bind_s(
	    ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
}

static int
begin_tls(LDAP *ld, const struct ldap_place *p)
{
	return is_by(p, "ldap://") && db_tls_is_used(&p->tls)
		   ? ldap_start_tls_s(ld, NULL, NULL)
		   : LDAP_SUCCESS;
}

enum err
ldap_link_dial(LDAP **ld_r, const struct ldap_place *p,
    const struct db_conf *conf, uint64_t until, struct errbuf *eb)
{
	int r = ldap_initialize(ld_r, p->uri);
	enum err e = E_OK;

	if (r != LDAP_SUCCESS) {
		*ld_r = NULL;
		return err_set(
		    eb, E_CONFIG, "connection: uri: %s", ldap_err2string(r));
	}
	if ((r = wait_in_time(*ld_r)) != LDAP_SUCCESS ||
	    (r = set_options(*ld_r, conf)) != LDAP_SUCCESS ||
	    (r = set_tls(*ld_r, p)) != LDAP_SUCCESS ||
	    (r = begin_tls(*ld_r, p)) != LDAP_SUCCESS)
		e = ldap_link_fail(*ld_r, r, until, eb);
	if (e != E_OK) {
		ldap_unbind_ext_s(*ld_r, NULL, NULL);
		*ld_r = NULL;
	}
	return e;
}
