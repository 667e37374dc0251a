/*
 * The certificates of a configuration: each is read as the server will use it.  See
 * check.h.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/slurp.h"
#include "server/conf/check.h"

/* The line that says it: of a block its own. */
static unsigned
line_of(const struct conf_certificate *of, const struct conf_lines *l,
    const char *setting)
{
	return of->name[0] != '\0' ? of->line : l->line(l, setting);
}

static const char *
key_or_file(const struct conf_lines *l)
{
	return l->line(l, "key") != 0 ? "key" : "certificate";
}

/* Of two files only the first is read if that fails; the second is then tried
 * here, so that both are named at once. */
static void
check_second(const struct conf_certificate *of, const struct conf_lines *l)
{
	struct errbuf eb;
	struct stat st;
	int fd;

	if (slurp_open(of->key, &fd, &st, &eb) == E_OK)
		close(fd);
	else
		conf_error(&l->text, line_of(of, l, "key"),
		    "%s: %s; name a PEM file that maloted can read", of->key,
		    eb.text);
}

static void
warn(const struct conf_certificate *of, const struct conf_lines *l,
    const char *setting, const struct errbuf *note)
{
	if (note->text[0] != '\0')
		conf_warn(&l->text, line_of(of, l, setting), "%s", note->text);
}

/* The server works in /: a relative path would mean another file there. */
static void
check_absolute(const struct conf_certificate *of, const struct conf_lines *l,
    const char *setting, const char *path)
{
	if (path[0] != '\0' && path[0] != '/')
		conf_error(&l->text, line_of(of, l, setting),
		    "%s = \"%s\" is not an absolute path; begin it with /",
		    of->name[0] != '\0' && strcmp(setting, "certificate") == 0
			? "file"
			: setting,
		    path);
}

static void
check_one(struct conf_certificate *of, const struct conf_lines *l)
{
	struct certificate_files files = { of->file, of->key, of->ocsp };
	struct certificate_notes notes;
	struct errbuf eb;
	bool about_key;

	check_absolute(of, l, "certificate", of->file);
	check_absolute(of, l, "key", of->key);
	check_absolute(of, l, "ocsp", of->ocsp);
	if (of->key[0] == '\0')
		memcpy(of->key, of->file, sizeof(of->key));
	if (certificate_read(&files, &of->read, &notes, &about_key, &eb) !=
	    E_OK) {
		conf_error(&l->text,
		    line_of(of, l, about_key ? key_or_file(l) : "certificate"),
		    "%s", eb.text);
		if (!about_key && strcmp(of->key, of->file) != 0)
			check_second(of, l);
		return;
	}
	warn(of, l, "certificate", &notes.validity);
	warn(of, l, key_or_file(l), &notes.key);
	warn(of, l, "certificate", &notes.names);
	warn(of, l, "ocsp", &notes.ocsp);
}

/* Of the same names and kind of key the first one only is shown. */
static void
check_twice(const struct conf *c, unsigned i, const struct conf_lines *l)
{
	const struct conf_certificate *of = &c->certificates[i];

	for (unsigned k = 0; k < i && of->read.names != NULL; k++) {
		const struct certificate *other = &c->certificates[k].read;

		if (other->names == NULL ||
		    strcmp(other->names, of->read.names) != 0 ||
		    strncmp(other->kind, of->read.kind,
			strcspn(other->kind, " ") + 1) != 0)
			continue;
		conf_warn(&l->text, of->line,
		    "%s is never shown, as %s has the same names; leave one of "
		    "them",
		    of->file, c->certificates[k].file);
		return;
	}
}

static void
check_host_name(const struct conf *c, const struct conf_lines *l)
{
	if (l->line(l, "hostname") == 0 || c->n_certificates == 0 ||
	    strpbrk(c->worker.host, " <>@\"\\") != NULL)
		return; /* nobody has said that clients use it, or it is none */
	for (unsigned i = 0; i < c->n_certificates; i++)
		if (c->certificates[i].read.names == NULL ||
		    certificate_is_for(
			&c->certificates[i].read, c->worker.host))
			return;
	WARN(l, "hostname",
	    "no certificate is for %s; clients that are set up with that name "
	    "will refuse the server: have one made for it",
	    c->worker.host);
}

/* The settings without a block come first. */
static void
put_settings_first(struct conf *c, const struct conf_lines *l)
{
	struct conf_certificate *to = &c->certificates[0];

	if (c->certificate[0] == '\0') {
		if (c->key[0] != '\0')
			COMPLAIN(l, "key",
			    "there is a key but no certificate; write "
			    "certificate = \"FILE\"");
		if (c->ocsp[0] != '\0')
			COMPLAIN(l, "ocsp",
			    "there is ocsp but no certificate; write "
			    "certificate = \"FILE\"");
		return;
	}
	memmove(to + 1, to, c->n_certificates * sizeof(*to));
	memset(to, 0, sizeof(*to));
	memcpy(to->file, c->certificate, sizeof(to->file));
	memcpy(to->key, c->key, sizeof(to->key));
	memcpy(to->ocsp, c->ocsp, sizeof(to->ocsp));
	to->line = l->line(l, "certificate");
	c->n_certificates++;
}

void
conf_check_certificates(struct conf *c, const struct conf_lines *l)
{
	struct errbuf eb;

	if (certificate_ciphers(c->worker.tls_ciphers, &eb) != E_OK)
		COMPLAIN(l, "tls_ciphers",
		    "tls_ciphers: %s; write what openssl ciphers -v accepts",
		    eb.text);
	put_settings_first(c, l);
	for (unsigned i = 0; i < c->n_certificates; i++) {
		struct conf_certificate *of = &c->certificates[i];

		if (of->file[0] != '\0')
			check_one(of, l);
		else
			conf_error(&l->text, of->line,
			    "certificate \"%s\" has no file; write file = "
			    "\"FILE\"",
			    of->name);
		check_twice(c, i, l);
	}
	check_host_name(c, l);
	c->worker.n_certificates = (uint16_t)c->n_certificates;
}
