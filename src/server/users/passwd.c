#include "server/users/passwd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "net/cidr.h"
#include "server/conf/auth_conf.h"
#include "server/users/hashes_seen.h"
#include "server/users/scheme.h"

enum { BOM = 3 }; /* octets of a byte order mark */

/* A user and, behind it, its strings.  Or a line that gives none: of `user' there
 * are only name and line then. */
struct entry {
	struct user user;
	const char *refused; /* why; NULL: it gives one */
	size_t size;         /* of text */
	char text[];
};

/* Open addressing; the number of slots is a power of two, at most half of
 * them are in use. */
struct users {
	struct entry **slot;
	size_t n_slots, n_taken, n; /* users, without lines that give none */
	const char *costly;
	struct hashes_seen seen;
};

/* ---- lines ---- */

bool
passwd_line(struct slice *rest, struct slice *line_r)
{
	const char *lf;

	if (rest->n == 0)
		return false;
	lf = memchr(rest->p, '\n', rest->n);
	line_r->p = rest->p;
	line_r->n = lf != NULL ? (size_t)(lf - rest->p) : rest->n;
	rest->p += line_r->n + (lf != NULL);
	rest->n -= line_r->n + (lf != NULL);
	return true;
}

static bool
is_comment(struct slice line)
{
	size_t i = 0;

	while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	return i == line.n || line.p[0] == '#';
}

bool
passwd_split(struct slice line, struct slice field[PASSWD_FIELDS])
{
	const char *colon;

	if (line.n != 0 && line.p[line.n - 1] == '\r')
		line.n--;
	/* Editors put it before the first line, and cat between two. */
	if (line.n >= BOM && memcmp(line.p, "\xef\xbb\xbf", BOM) == 0) {
		line.p += BOM;
		line.n -= BOM;
	}
	if (is_comment(line))
		return false;
	memset(field, 0, PASSWD_FIELDS * sizeof(*field));
	for (int i = 0; i < PASSWD_FIELDS; i++) {
		field[i] = line;
		if (i == PASSWD_FIELDS - 1 ||
		    (colon = memchr(line.p, ':', line.n)) == NULL)
			break;
		field[i].n = (size_t)(colon - line.p);
		line.p += field[i].n + 1;
		line.n -= field[i].n + 1;
	}
	return true;
}

/* ---- the table ---- */

static size_t
slot_of(const struct users *u, const char *name)
{
	size_t i = XXH3_64bits(name, strlen(name)) & (u->n_slots - 1);

	while (u->slot[i] != NULL && strcmp(u->slot[i]->user.name, name) != 0)
		i = (i + 1) & (u->n_slots - 1);
	return i;
}

static enum err
grow(struct users *u)
{
	struct users bigger = *u;

	bigger.n_slots = u->n_slots != 0 ? u->n_slots * 2 : 64;
	bigger.slot = calloc(bigger.n_slots, sizeof(*bigger.slot));
	if (bigger.slot == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < u->n_slots; i++)
		if (u->slot[i] != NULL)
			bigger.slot[slot_of(&bigger, u->slot[i]->user.name)] =
			    u->slot[i];
	free(u->slot);
	*u = bigger;
	return E_OK;
}

static void
entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	explicit_bzero(e->text, e->size);
	free(e);
}

void
users_free(struct users *u)
{
	if (u == NULL)
		return;
	for (size_t i = 0; i < u->n_slots; i++)
		entry_free(u->slot[i]);
	free(u->slot);
	free(u);
}

size_t
users_count(const struct users *u)
{
	return u->n;
}

const struct user *
users_find(const struct users *u, const char *name)
{
	struct entry *e = u->n_slots != 0 ? u->slot[slot_of(u, name)] : NULL;

	return e != NULL && e->refused == NULL ? &e->user : NULL;
}

const struct user *
users_next(const struct users *u, size_t *at)
{
	while (*at < u->n_slots) {
		const struct entry *e = u->slot[(*at)++];

		if (e != NULL && e->refused == NULL)
			return &e->user;
	}
	return NULL;
}

const char *
users_refused(const struct users *u, const char *name, unsigned *line_r)
{
	struct entry *e = u->n_slots != 0 ? u->slot[slot_of(u, name)] : NULL;

	if (e == NULL || e->refused == NULL)
		return NULL;
	*line_r = e->user.line;
	return e->refused;
}

/* Puts it among the n that are there.  They are few, and qsort() asks the kernel
 * for more than auth may. */
static void
put_by_name(const struct user **v, size_t n, const struct user *one)
{
	for (; n > 0 && strcmp(v[n - 1]->name, one->name) > 0; n--)
		v[n] = v[n - 1];
	v[n] = one;
}

static bool
is_of_host(const struct entry *e, const char *host)
{
	const char *at = e != NULL ? strchr(e->user.name, '@') : NULL;

	return at != NULL && strcmp(at + 1, host) == 0;
}

size_t
users_of_host(const struct users *u, const char *host, const struct user **v,
    size_t max, unsigned *refused_r)
{
	size_t n = 0;

	*refused_r = 0;
	for (size_t i = 0; i < u->n_slots; i++) {
		const struct entry *e = u->slot[i];

		if (!is_of_host(e, host))
			continue;
		if (e->refused != NULL) {
			*refused_r = e->user.line;
		} else if (e->user.host[0] == '\0') {
			if (n < max)
				put_by_name(v, n, &e->user);
			n++;
		}
	}
	return n;
}

bool
user_is_allowed_from(const struct user *u, const char *address)
{
	return u->nets[0] == '\0' ||
	       cidr_list_has(
		   (struct slice){ u->nets, strlen(u->nets) }, address);
}

bool
user_is_locked(const struct user *u)
{
	return !u->is_verified_there && scheme_check(u->hash, NULL) == E_DENIED;
}

const char *
user_never(const struct user *u)
{
	if (user_is_locked(u))
		return "the users file locks the user out";
	if (u->permits.no_login)
		return "the users file says nologin";
	if (u->permits.no_pop3)
		return "the users file says malote_pop3=no";
	return NULL;
}

bool
user_is_of_row(const struct user *u)
{
	return u->line == 0;
}

uint32_t
user_login_delay(const struct user *u, uint32_t usual)
{
	return u->login_delay != LOGIN_DELAY_UNSET ? u->login_delay : usual;
}

const char *
users_costly(const struct users *u)
{
	return u->costly;
}

unsigned
users_uses(const struct users *u)
{
	return u->seen.uses;
}

uint32_t
users_iterations(const struct users *u, const struct sasl_mechanism *m)
{
	return hashes_seen_iterations(&u->seen, m);
}

/* ---- parsing ---- */

struct parser {
	struct users *users;
	const struct name_rule *rule;
	users_complain *complain;
	void *arg;
	unsigned line;
};

static void PRINTF(3, 4)
    complain(struct parser *p, enum users_fault fault, const char *fmt, ...)
{
	struct errbuf eb;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(eb.text, sizeof(eb.text), fmt, ap);
	va_end(ap);
	p->complain(p->arg, fault, p->line, eb.text);
}

/* Both ids or none. */
static enum err
take_ids(const struct slice *f, struct user *u, struct errbuf *eb)
{
	u->uid = u->gid = AUTH_NO_UID;
	if (f[PASSWD_UID].n == 0 && f[PASSWD_GID].n == 0)
		return E_OK;
	if (str_to_u32(f[PASSWD_UID], &u->uid) && u->uid != AUTH_NO_UID &&
	    str_to_u32(f[PASSWD_GID], &u->gid) && u->gid != AUTH_NO_UID)
		return E_OK;
	return err_set(
	    eb, E_CONFIG, "uid and gid must be numbers, or both be empty");
}

static enum err
check_home(struct slice home, struct errbuf *eb)
{
	return home.n == 0 || home.p[0] == '/'
		   ? E_OK
		   : err_set(eb, E_CONFIG,
			 "the home directory must begin with \"/\"");
}

/* The copy of s behind what the entry holds already. */
static const char *
entry_put(struct entry *e, size_t *at, struct slice s)
{
	char *copy = e->text + *at;

	if (s.n != 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	*at += s.n + 1;
	return copy;
}

static struct entry *
entry_with(size_t size)
{
	struct entry *e = malloc(sizeof(*e) + size);

	if (e == NULL)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->size = size;
	return e;
}

static struct entry *
entry_of(const char *name, const struct slice *f, const struct extra *x)
{
	size_t n = strlen(name), at = 0;
	struct entry *e = entry_with(n + f[PASSWD_HASH].n + f[PASSWD_HOME].n +
				     x->mail.n + x->nets.n + x->host.n + 6);

	if (e == NULL)
		return NULL;
	e->user.name = entry_put(e, &at, (struct slice){ name, n });
	e->user.hash = entry_put(e, &at, f[PASSWD_HASH]);
	e->user.home = entry_put(e, &at, f[PASSWD_HOME]);
	e->user.mail = entry_put(e, &at, x->mail);
	e->user.nets = entry_put(e, &at, x->nets);
	e->user.host = entry_put(e, &at, x->host);
	e->user.permits = x->permits;
	e->user.retention = x->retention;
	e->user.login_delay = x->login_delay;
	return e;
}

/* One of the entry's own strings. */
static void
lower(struct entry *e, const char *s)
{
	for (char *p = e->text + (s - e->text); *p != '\0'; p++)
		*p = str_lower1(*p);
}

static enum err
entry_new(struct entry **e_r, const char *name, const struct slice *f,
    const struct extra *x, const struct name_rule *rule, struct errbuf *eb)
{
	struct user ids;
	enum err e;

	if ((e = check_home(f[PASSWD_HOME], eb)) != E_OK ||
	    (e = take_ids(f, &ids, eb)) != E_OK)
		return e;
	if ((*e_r = entry_of(name, f, x)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if (rule->lower)
		lower(*e_r, (*e_r)->user.host);
	(*e_r)->user.uid = ids.uid;
	(*e_r)->user.gid = ids.gid;
	return E_OK;
}

enum err
user_new(struct user **u_r, const char *name,
    const struct slice field[PASSWD_FIELDS], const struct extra *x,
    const struct name_rule *rule, struct errbuf *eb)
{
	struct entry *entry;
	enum err e = entry_new(&entry, name, field, x, rule, eb);

	if (e == E_OK)
		*u_r = &entry->user;
	return e;
}

void
user_free(struct user *u)
{
	entry_free((struct entry *)u); /* whose first member it is */
}

static void
complain_twice(struct parser *p, const char *name, unsigned line)
{
	char shown[128];

	complain(p, USERS_TWICE,
	    "the user %s stands on line %u already, which counts: take one of "
	    "the two out",
	    str_escape(shown, sizeof(shown), name, strlen(name)), line);
}

/* Where the entry of that name is, or is to be.  NULL: memory. */
static struct entry **
place_of(struct users *u, const char *name)
{
	if (u->n_taken * 2 >= u->n_slots && grow(u) != E_OK)
		return NULL;
	return &u->slot[slot_of(u, name)];
}

/* Takes the entry, and gives up what was there. */
static void
put(struct users *u, struct entry **at, struct entry *e)
{
	u->n_taken += *at == NULL;
	entry_free(*at);
	*at = e;
}

/* A line that gives no user is remembered, for who asks why there is none. */
static enum err
refuse(struct parser *p, const char *name, const struct errbuf *why)
{
	size_t n = strlen(name), m = strlen(why->text), at = 0;
	struct entry **to = place_of(p->users, name), *e;

	complain(p, USERS_LINE, "%s", why->text);
	if (to == NULL)
		return E_NOMEM;
	if (*to != NULL)
		return E_OK;
	if ((e = entry_with(n + m + 2)) == NULL)
		return E_NOMEM;
	e->user.name = entry_put(e, &at, (struct slice){ name, n });
	e->refused = entry_put(e, &at, (struct slice){ why->text, m });
	e->user.line = p->line;
	put(p->users, to, e);
	return E_OK;
}

/* Takes the entry. */
static enum err
add(struct parser *p, struct entry *e)
{
	struct users *u = p->users;
	struct entry **to = place_of(u, e->user.name);
	struct errbuf eb;
	enum err fault;

	if (to == NULL) {
		entry_free(e);
		return E_NOMEM;
	}
	if (*to != NULL && (*to)->refused == NULL) {
		complain_twice(p, e->user.name, (*to)->user.line);
		entry_free(e);
		return E_OK;
	}
	if ((fault = scheme_check(e->user.hash, &eb)) == E_CONFIG)
		complain(p, USERS_LINE, "%s", eb.text);
	if (fault == E_OK)
		hashes_seen_note(&u->seen, e->user.hash);
	if (fault == E_OK && u->costly == NULL &&
	    scheme_is_costly(e->user.hash))
		u->costly = e->user.hash;
	put(u, to, e);
	u->n++;
	return E_OK;
}

static enum err
parse_line(struct parser *p, struct slice line)
{
	char name[NAME_MAX_OCTETS + 1];
	struct slice f[PASSWD_FIELDS];
	struct entry *entry;
	struct extra extra;
	struct errbuf eb;
	enum err e;

	if (!passwd_split(line, f))
		return E_OK;
	if (memchr(line.p, '\0', line.n) != NULL) {
		complain(p, USERS_LINE, "there is a NUL in it");
		return E_OK;
	}
	if ((e = name_normalize(p->rule, f[PASSWD_NAME], name, &eb)) != E_OK) {
		if (e == E_FORMAT)
			complain(
			    p, USERS_LINE, "this is no user name: %s", eb.text);
		return e == E_FORMAT ? E_OK : e;
	}
	if (f[PASSWD_HASH].p == NULL)
		e = err_set(&eb, E_CONFIG, "there is no \":\" behind the name");
	/* What restricts a user must not be passed over in silence. */
	if (e == E_OK)
		e = extra_parse(&extra, f[PASSWD_EXTRA], &eb);
	if (e == E_OK)
		e = entry_new(&entry, name, f, &extra, p->rule, &eb);
	if (e == E_CONFIG)
		return refuse(p, name, &eb);
	if (e != E_OK)
		return e;
	entry->user.line = p->line;
	entry->user.row = XXH3_64bits(line.p, line.n);
	return add(p, entry);
}

enum err
users_parse(struct users **users_r, struct slice text,
    const struct name_rule *rule, users_complain *complain_fn, void *arg)
{
	struct parser p = { calloc(1, sizeof(*p.users)), rule, complain_fn, arg,
		0 };
	enum err e = p.users != NULL ? E_OK : E_NOMEM;
	struct slice line;

	while (e == E_OK && passwd_line(&text, &line)) {
		p.line++;
		e = parse_line(&p, line);
	}
	if (e != E_OK) {
		users_free(p.users);
		return e;
	}
	*users_r = p.users;
	return E_OK;
}
