#include "server/users/name.h"

#include <string.h>

#include "server/conf/spelling.h"

struct name_rule
name_rule_of(const struct auth_conf *c)
{
	return (struct name_rule){
		.lower = c->login_lower,
		.domain = c->default_domain,
		.more = c->login_characters,
		.separators = c->login_separators,
	};
}

/* One part, or two with an @ between them.  A users file would take what begins
 * with a # for a comment. */
static bool
is_name(const char *name, const char *more)
{
	const char *at = strchrnul(name, '@');

	return name[0] != '#' &&
	       text_is_part(name, (size_t)(at - name), more) &&
	       (*at == '\0' || text_is_part(at + 1, strlen(at + 1), ""));
}

/* Puts an @ in the place of the last separator. */
static void
put_at(char *name, const char *separators)
{
	for (size_t i = strlen(name); i-- > 0;)
		if (strchr(separators, name[i]) != NULL) {
			name[i] = '@';
			break;
		}
}

static enum err
put_domain(
    char name[NAME_MAX_OCTETS + 1], const char *domain, struct errbuf *eb)
{
	size_t n = strlen(name), more = strlen(domain);

	if (n + 1 + more > NAME_MAX_OCTETS)
		return err_set(eb, E_FORMAT,
		    "with its domain the name has more than %d octets",
		    NAME_MAX_OCTETS);
	name[n] = '@';
	memcpy(name + n + 1, domain, more + 1);
	return E_OK;
}

/* A small letter and the mark behind it may be one letter where a capital and
 * that mark are two: so it is prepared once more. */
static enum err
make_lower(char name[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	char lower[NAME_MAX_OCTETS + 1];
	size_t n = strlen(name);
	bool ascii = true;

	for (size_t i = 0; i < n; i++) {
		lower[i] = str_lower1(name[i]);
		ascii = ascii && (unsigned char)name[i] < 0x80;
	}
	if (!ascii)
		return text_name((struct slice){ lower, n }, name, eb);
	memcpy(name, lower, n);
	return E_OK;
}

enum err
name_normalize(const struct name_rule *rule, struct slice in,
    char out[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	enum err e = text_name(in, out, eb);

	if (e == E_OK && strchr(out, '@') == NULL)
		put_at(out, rule->separators);
	if (e == E_OK && strchr(out, '@') == NULL && rule->domain[0] != '\0')
		e = put_domain(out, rule->domain, eb);
	if (e != E_OK)
		return e;
	if (!is_name(out, rule->more))
		return err_set(eb, E_FORMAT,
		    "letters, digits and .-_@+=& make a name, and what "
		    "login_characters adds before the @; no part of it may be "
		    "empty or begin with a dot");
	return rule->lower ? make_lower(out, eb) : E_OK;
}

/* ---- the maildrop ---- */

static const char prefix[] = "maildir:";

enum { PREFIX = sizeof(prefix) - 1 };

struct path {
	char *out;
	size_t n;
	bool full;
};

static void
path_put(struct path *p, const char *s, size_t n)
{
	if (p->n + n >= MAIL_PATH_MAX) {
		p->full = true;
		return;
	}
	memcpy(p->out + p->n, s, n);
	p->n += n;
	p->out[p->n] = '\0';
}

static enum err
put_home(struct path *p, const char *home, struct errbuf *eb)
{
	if (home[0] == '\0')
		return err_set(eb, E_CONFIG,
		    "the user has no home directory; name one in the sixth "
		    "field of the line, by malotectl --home DIR");
	path_put(p, home, strlen(home));
	return E_OK;
}

/* What stands behind a %. */
static enum err
put_variable(struct path *p, char which, const char *name, const char *home,
    struct errbuf *eb)
{
	const char *at = strchr(name, '@');
	size_t n = strlen(name);

	switch (which) {
	case 'u': path_put(p, name, n); return E_OK;
	case 'n':
		path_put(p, name, at != NULL ? (size_t)(at - name) : n);
		return E_OK;
	case 'd':
		/* Left empty, "a" and "a@b" would get maildrops of which one
		 * is within the other. */
		if (at == NULL)
			return err_set(eb, E_CONFIG,
			    "%%d in the mail location, but the name has no "
			    "domain (and there is no default_domain)");
		path_put(p, at + 1, strlen(at + 1));
		return E_OK;
	case 'h': return put_home(p, home, eb);
	case '%': path_put(p, "%", 1); return E_OK;
	default:
		return err_set(
		    eb, E_CONFIG, "only %%u %%n %%d %%h %%%% are known");
	}
}

static enum err
expand(struct path *p, const char *mail, const char *name, const char *home,
    struct errbuf *eb)
{
	enum err e = E_OK;

	if (mail[0] == '~' && (mail[1] == '/' || mail[1] == '\0')) {
		e = put_home(p, home, eb);
		mail++;
	}
	for (; e == E_OK && *mail != '\0'; mail++)
		if (*mail == '%')
			e = put_variable(p, *++mail, name, home, eb);
		else
			path_put(p, mail, 1);
	if (e == E_OK && p->full)
		e = err_set(eb, E_CONFIG, "the mail location is too long");
	return e;
}

static enum err
check(const char *path, const char *root, struct errbuf *eb)
{
	size_t n = strlen(root);

	if (path[0] != '/')
		return err_set(eb, E_CONFIG, "not an absolute path");
	for (const char *p = path; *p != '\0'; p++) {
		size_t dots = p[0] != '/' ? 0 : strspn(p + 1, ".");

		if ((dots == 1 || dots == 2) &&
		    (p[1 + dots] == '/' || p[1 + dots] == '\0'))
			return err_set(eb, E_CONFIG, ". or .. in the path");
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == ':')
			return err_set(eb, E_CONFIG,
			    "a colon or a control character in the path");
	}
	while (n > 0 && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) != 0 || path[n] != '/' ||
	    path[n + 1] == '\0')
		return err_set(eb, E_CONFIG, "not below mail_root");
	return E_OK;
}

enum err
name_mail(char out[MAIL_PATH_MAX], const char *mail, const char *root,
    const char *name, const char *home, struct errbuf *eb)
{
	struct path p = { .out = out };
	enum err e;

	if (strncmp(mail, prefix, PREFIX) != 0)
		return err_set(eb, E_CONFIG,
		    "the mail location must begin with %s", prefix);
	path_put(&p, prefix, PREFIX);
	if ((e = expand(&p, mail + PREFIX, name, home, eb)) != E_OK)
		return e;
	str_squeeze_slashes(out + PREFIX);
	return check(out + PREFIX, root, eb);
}
