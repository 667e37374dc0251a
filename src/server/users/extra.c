#include "server/users/extra.h"

#include <stddef.h>
#include <string.h>

#include "net/cidr.h"
#include "server/conf/retention_text.h"
#include "server/conf/spelling.h"

const struct extra extra_none = { .retention = RETENTION_UNSET,
	.login_delay = LOGIN_DELAY_UNSET };

/* Words that Dovecot refuses users by, and we do not know how to. */
static const char *const refused[] = { "allow_real_nets", "nopassword" };

/* Switches.  One without `=' is on. */
static const struct {
	const char *name;
	size_t at;
	bool off_means; /* "no" is what sets the flag */
} switches[] = {
	{ "malote_pop3", offsetof(struct permits, no_pop3), true },
	{ "malote_tls", offsetof(struct permits, tls_only), false },
	{ "malote_read_only", offsetof(struct permits, read_only), false },
	{ "malote_master", offsetof(struct permits, master), false },
};

static bool
is_on(struct slice value)
{
	return value.p == NULL || slice_eq(value, "yes") ||
	       slice_eq(value, "y") || slice_eq(value, "1");
}

static bool
is_off(struct slice value)
{
	return slice_eq(value, "no") || slice_eq(value, "n") ||
	       slice_eq(value, "0");
}

static enum err
take_switch(struct permits *out, struct slice key, struct slice value,
    struct errbuf *eb)
{
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		if (!slice_eq(key, switches[i].name))
			continue;
		if (!is_on(value) && !is_off(value))
			return err_set(eb, E_CONFIG, "%s must be yes or no",
			    switches[i].name);
		*(bool *)((char *)out + switches[i].at) =
		    is_on(value) != switches[i].off_means;
		return E_OK;
	}
	return err_set(eb, E_CONFIG,
	    "of the words that begin with malote_ there are malote_pop3, "
	    "malote_tls, malote_read_only, malote_master, malote_host, "
	    "malote_expire and malote_login_delay");
}

/* A list that cannot be read, or of which there are two, could let in whom the
 * admin wants outside. */
static enum err
take_nets(struct extra *out, struct slice value, struct errbuf *eb)
{
	if (out->nets.p != NULL)
		return err_set(eb, E_CONFIG, "allow_nets stands there twice");
	if (!cidr_list_is_good(value))
		return err_set(eb, E_CONFIG,
		    "allow_nets must be networks with commas between, such as "
		    "192.0.2.0/24,2001:db8::/32");
	out->nets = value;
	return E_OK;
}

static enum err
take_host(struct extra *out, struct slice value, struct errbuf *eb)
{
	if (out->host.p != NULL)
		return err_set(eb, E_CONFIG, "malote_host stands there twice");
	if (value.p == NULL || value.n > NAME_MAX_OCTETS ||
	    !text_is_part(value.p, value.n, ""))
		return err_set(eb, E_CONFIG,
		    "malote_host must be what stands behind the @ in the names "
		    "of its users");
	out->host = value;
	return E_OK;
}

static enum err
take_expire(struct extra *out, struct slice value, struct errbuf *eb)
{
	if (out->retention != RETENTION_UNSET)
		return err_set(
		    eb, E_CONFIG, "malote_expire stands there twice");
	if (value.p == NULL || !retention_parse(value, &out->retention))
		return err_set(
		    eb, E_CONFIG, "malote_expire must be " RETENTION_WORDS);
	return E_OK;
}

static enum err
take_login_delay(struct extra *out, struct slice value, struct errbuf *eb)
{
	if (out->login_delay != LOGIN_DELAY_UNSET)
		return err_set(
		    eb, E_CONFIG, "malote_login_delay stands there twice");
	if (value.p == NULL || !str_to_u32(value, &out->login_delay) ||
	    out->login_delay > LOGIN_DELAY_MAX)
		return err_set(eb, E_CONFIG,
		    "malote_login_delay must be seconds, 0 to %d",
		    LOGIN_DELAY_MAX);
	return E_OK;
}

/* Words that were put, with six colons, behind the six that the line ended in:
 * passed over, they would restrict nobody. */
static enum err
check_colons(struct slice word, struct errbuf *eb)
{
	size_t n = 0;

	while (n < word.n && word.p[n] == ':')
		n++;
	return n == 0 || n == word.n
		   ? E_OK
		   : err_set(eb, E_CONFIG,
			 "there are too many colons before %.*s",
			 (int)(word.n - n), word.p + n);
}

enum err
extra_take(
    struct extra *out, struct slice key, struct slice value, struct errbuf *eb)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (slice_eq(key, refused[i]))
			return err_set(eb, E_CONFIG,
			    "%s is not supported: nobody can sign in by this "
			    "line",
			    refused[i]);
	if (slice_eq(key, "userdb_mail") && value.p != NULL &&
	    out->mail.p == NULL)
		out->mail = value;
	else if (slice_eq(key, "nologin"))
		out->permits.no_login = true; /* whatever its value */
	else if (slice_eq(key, "allow_nets"))
		return take_nets(out, value, eb);
	else if (slice_eq(key, "malote_host"))
		return take_host(out, value, eb);
	else if (slice_eq(key, "malote_expire"))
		return take_expire(out, value, eb);
	else if (slice_eq(key, "malote_login_delay"))
		return take_login_delay(out, value, eb);
	else if (key.n >= 7 && memcmp(key.p, "malote_", 7) == 0)
		return take_switch(&out->permits, key, value, eb);
	else
		return E_NOENT;
	return E_OK;
}

enum err
extra_parse(struct extra *out, struct slice text, struct errbuf *eb)
{
	enum err e = E_OK;

	*out = extra_none;
	while (e == E_OK && text.n != 0) {
		const char *space = memchr(text.p, ' ', text.n);
		size_t n = space != NULL ? (size_t)(space - text.p) : text.n;
		struct slice key = { text.p, n }, value = { NULL, 0 };
		const char *is = memchr(text.p, '=', n);

		if (is != NULL) {
			key.n = (size_t)(is - text.p);
			value = (struct slice){ is + 1, n - key.n - 1 };
		}
		e = check_colons(key, eb);
		if (e == E_OK)
			e = extra_take(out, key, value, eb);
		if (e == E_NOENT)
			e = E_OK;
		text.p += n + (space != NULL);
		text.n -= n + (space != NULL);
	}
	return e;
}
