/*
 * The blocks `sasl` of a configuration: sockets at which other programs ask who
 * signs in to them.  See check.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sasl/sasl.h"
#include "server/conf/check.h"
#include "server/conf/socket_path.h"
#include "server/conf/spelling.h"

#define COMPLAIN_OF(l, s, ...) conf_error(&(l)->text, (s)->line, __VA_ARGS__)

/* ---- mechanisms ---- */

/* TLS, and what a client shows there, ends in the program that asks us; tickets
 * are for the service pop; and nobody in particular may send mail. */
static bool
is_for_services(const struct sasl_mechanism *m)
{
	return m != NULL &&
	       (m->asks == SASL_PASSWORD || m->asks == SASL_LOOKUP ||
		   m->asks == SASL_TOKEN) &&
	       !(m->flags & SASL_NEEDS_BINDING);
}

static const char *
list_usable(char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; sasl_mechanisms[i] != NULL && n < size; i++)
		if (is_for_services(sasl_mechanisms[i]))
			n += (size_t)snprintf(
			    out + n, size - n, " %s", sasl_mechanisms[i]->name);
	return out;
}

/* Of the names in p those that can be used, as sasl_find() knows them.  says:
 * the block names them itself, so each must be one. */
static void
choose_mechanisms(struct conf_service *s, const char *p, bool says,
    const struct conf_lines *l)
{
	char out[sizeof(s->mechanisms)] = "", may[128];
	size_t n = 0;

	while (*(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };
		const struct sasl_mechanism *m = sasl_find(name);

		p += name.n;
		if (is_for_services(m) && !str_has_word(out, m->name))
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s",
			    n != 0 ? " " : "", m->name);
		else if (says && !is_for_services(m))
			COMPLAIN_OF(l, s,
			    "sasl \"%s\" cannot have the mechanism %.*s; write "
			    "some of:%s",
			    s->name, (int)name.n, name.p,
			    list_usable(may, sizeof(may)));
	}
	if (n == 0)
		COMPLAIN_OF(l, s,
		    "sasl \"%s\" has no mechanism; write some of:%s", s->name,
		    list_usable(may, sizeof(may)));
	memcpy(s->mechanisms, out, sizeof(out));
}

static void
check_mechanisms(
    struct conf_service *s, const struct conf *c, const struct conf_lines *l)
{
	char says[sizeof(s->mechanisms)];

	memcpy(says, s->mechanisms, sizeof(says));
	if (says[0] != '\0')
		choose_mechanisms(s, says, true, l);
	else
		choose_mechanisms(s, c->mechanisms, false, l);
}

/* ---- the socket ---- */

static void
check_mode(struct conf_service *s, const struct conf_lines *l)
{
	size_t digits = strspn(s->mode, "01234567");

	s->mode_bits = (uint16_t)strtoul(s->mode, NULL, 8);
	if (digits < 3 || digits > 4 || s->mode[digits] != '\0' ||
	    (s->mode_bits & ~0666u) != 0 || (s->mode_bits & 0222u) == 0)
		COMPLAIN_OF(l, s,
		    "sasl \"%s\": mode = \"%s\" says nothing about who may ask "
		    "at a socket; write 0660, or 0600 or 0666",
		    s->name, s->mode);
	else if ((s->mode_bits & 2) != 0)
		conf_warn(&l->text, s->line,
		    "sasl \"%s\": every user of this machine may try "
		    "passwords at %s, and say which address they come from; "
		    "write mode = \"0660\" and group = \"GROUP\"",
		    s->name, s->socket);
}

static void
check_folder(const struct conf_service *s, const struct conf_lines *l)
{
	const char *name;
	struct stat st;

	if (socket_path_folder(s->socket, &st, &name))
		return;
	if (errno == ENOENT || errno == ENOTDIR)
		COMPLAIN_OF(l, s,
		    "sasl \"%s\": there is no folder %.*s for the socket; "
		    "install the mail server first, or write another path",
		    s->name, (int)(name - s->socket), s->socket);
	else
		COMPLAIN_OF(l, s, "sasl \"%s\": %.*s: %s", s->name,
		    (int)(name - s->socket), s->socket, strerror(errno));
}

/* What is no socket is never removed; one of maloted is, if nobody listens. */
static void
check_free(const struct conf_service *s, const struct conf_lines *l)
{
	struct stat st;

	if (s->socket[strlen(s->socket) - 1] == '/')
		COMPLAIN_OF(l, s,
		    "sasl \"%s\": %s is a folder; write the path of the socket "
		    "that is to be made in it",
		    s->name, s->socket);
	else if (lstat(s->socket, &st) == 0 && !S_ISSOCK(st.st_mode))
		COMPLAIN_OF(l, s,
		    "sasl \"%s\": what is at %s is no socket; remove it, or "
		    "write another path",
		    s->name, s->socket);
}

static void
check_socket(const struct conf_service *s, const struct conf *c,
    const struct conf_lines *l)
{
	char where[CONF_LINE_WORDS];

	if (s->socket[0] != '/') {
		COMPLAIN_OF(l, s,
		    "sasl \"%s\" needs an absolute path for its socket; write "
		    "for example socket = "
		    "\"/var/spool/postfix/private/auth-malote\"",
		    s->name);
		return;
	}
	if (socket_path_is_same(s->socket, c->control_socket))
		COMPLAIN_OF(l, s,
		    "sasl \"%s\": %s is the control socket; write another path",
		    s->name, s->socket);
	for (const struct conf_service *o = c->service; o < s; o++)
		if (socket_path_is_same(s->socket, o->socket))
			COMPLAIN_OF(l, s,
			    "sasl \"%s\" is at %s, where sasl \"%s\" of %s is; "
			    "write another path",
			    s->name, s->socket, o->name,
			    conf_line_words(where, &l->text, o->line, s->line));
	for (unsigned i = 0; i < c->n_listeners; i++)
		if (c->listener[i].socket[0] != '\0' &&
		    socket_path_is_same(s->socket, c->listener[i].socket))
			COMPLAIN_OF(l, s,
			    "sasl \"%s\" is at %s, where listener \"%s\" is; "
			    "write another path",
			    s->name, s->socket, c->listener[i].name);
	check_folder(s, l);
	check_free(s, l);
}

static void
check_service(const struct conf_service *s, const struct conf_lines *l)
{
	if (!text_is_service(s->service) || strcmp(s->service, "pop3") == 0)
		COMPLAIN_OF(l, s,
		    "sasl \"%s\": service = \"%s\" is no name for what people "
		    "sign in to; write \"smtp\", or other lower-case letters, "
		    "but not \"pop3\"",
		    s->name, s->service);
}

/* ---- all of them ---- */

/* What the two processes are told.  The descriptors are the parent's. */
static void
tell_processes(struct conf *c)
{
	c->sasl.role.n = c->n_services != 0;
	c->sasl.n_services = c->auth.n_services = (uint16_t)c->n_services;
	c->sasl.login_timeout = c->worker.login_timeout;
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct conf_service *s = &c->service[i];

		c->sasl.service[i].plain_passwords = s->plaintext_login;
		memcpy(c->sasl.service[i].mechanisms, s->mechanisms,
		    sizeof(s->mechanisms));
		memcpy(c->sasl.service[i].name, s->service, SERVICE_MAX);
		memcpy(c->auth.service[i].name, s->service, SERVICE_MAX);
	}
}

void
conf_check_services(struct conf *c, const struct conf_lines *l)
{
	for (unsigned i = 0; i < c->n_services; i++) {
		struct conf_service *s = &c->service[i];

		check_socket(s, c, l);
		check_mode(s, l);
		check_service(s, l);
		check_mechanisms(s, c, l);
	}
	tell_processes(c);
}
