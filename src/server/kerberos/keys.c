#include "server/kerberos/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <gssapi/gssapi_ext.h>
#include <profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY "MEMORY:pop"
#define COPY   "krb5.conf" /* in the folder */

void
keys_why(const struct keys *k, krb5_error_code code, char *out, size_t size)
{
	const char *words = krb5_get_error_message(k->krb5, code);

	snprintf(out, size, "%s", words);
	krb5_free_error_message(k->krb5, words);
}

static enum err
why(const struct keys *k, krb5_error_code code, const char *what,
    struct errbuf *eb)
{
	char words[200];

	keys_why(k, code, words, sizeof(words));
	return err_set(eb, E_CONFIG, "%s: %s", what, words);
}

/* ---- which keys are ours ---- */

static bool
is_text(const krb5_data *d, const char *text)
{
	return slice_eq((struct slice){ d->data, d->length }, text);
}

static bool
is_permitted(const struct keys *k, krb5_enctype type)
{
	krb5_enctype *list, *p;
	bool found;

	if (krb5_get_permitted_enctypes(k->krb5, &list) != 0)
		return false;
	for (p = list; *p != 0 && *p != type; p++)
		;
	found = *p != 0;
	krb5_free_enctypes(k->krb5, list);
	return found;
}

/* pop/HOST, and a kind of key that the library's configuration permits. */
static bool
is_ours(const struct keys *k, const krb5_keytab_entry *entry)
{
	const krb5_principal_data *p = entry->principal;

	return p->length == 2 && is_text(&p->data[0], "pop") &&
	       is_permitted(k, entry->key.enctype);
}

static bool
has_realm(const struct keys *k, const krb5_data *realm)
{
	for (const char *p = k->realms; *p != '\0'; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == realm->length && memcmp(p, realm->data, n) == 0)
			return true;
		p += n;
	}
	return false;
}

static void
note_realm(struct keys *k, const krb5_data *realm)
{
	size_t n = strlen(k->realms);

	if (has_realm(k, realm) || realm->length == 0 ||
	    memchr(realm->data, ' ', realm->length) != NULL ||
	    n + 1 + realm->length >= sizeof(k->realms))
		return;
	snprintf(k->realms + n, sizeof(k->realms) - n, "%s%.*s",
	    n != 0 ? " " : "", (int)realm->length, realm->data);
}

static krb5_error_code
take_entry(struct keys *k, krb5_keytab_entry *entry)
{
	krb5_error_code code = 0;

	if (is_ours(k, entry)) {
		code = krb5_kt_add_entry(k->krb5, k->keytab, entry);
		if (code == 0 && k->service == NULL)
			code = krb5_copy_principal(
			    k->krb5, entry->principal, &k->service);
		if (code == 0)
			note_realm(k, &entry->principal->realm);
	}
	krb5_free_keytab_entry_contents(k->krb5, entry);
	return code;
}

static krb5_error_code
take_all(struct keys *k, krb5_keytab from)
{
	krb5_keytab_entry entry;
	krb5_kt_cursor at;
	krb5_error_code code = krb5_kt_start_seq_get(k->krb5, from, &at);

	if (code != 0)
		return code;
	while ((code = krb5_kt_next_entry(k->krb5, from, &entry, &at)) == 0)
		if ((code = take_entry(k, &entry)) != 0)
			break;
	krb5_kt_end_seq_get(k->krb5, from, &at);
	return code == KRB5_KT_END ? 0 : code;
}

static enum err
load_keytab(struct keys *k, const char *path, struct errbuf *eb)
{
	char name[MAIL_PATH_MAX + 8];
	krb5_keytab from;
	krb5_error_code code = krb5_kt_resolve(k->krb5, MEMORY, &k->keytab);

	snprintf(name, sizeof(name), "FILE:%s", path);
	if (code == 0 && (code = krb5_kt_resolve(k->krb5, name, &from)) == 0) {
		code = take_all(k, from);
		krb5_kt_close(k->krb5, from);
	}
	return code != 0 ? why(k, code, path, eb) : E_OK;
}

/* ---- for GSSAPI ---- */

/* Kerberos by its own name only, and none of the mechanisms around it. */
static enum err
acquire(struct keys *k, struct errbuf *eb)
{
	static gss_OID_desc krb5 = { 9,
		(void *)"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
	gss_OID_set_desc only = { 1, &krb5 };
	gss_key_value_element_desc element[] = { { "keytab", MEMORY },
		{ "rcache", KEYS_SEEN } };
	gss_key_value_set_desc from = { 2, element };
	OM_uint32 minor;
	OM_uint32 major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME,
	    GSS_C_INDEFINITE, &only, GSS_C_ACCEPT, &from, &k->cred, NULL, NULL);

	return GSS_ERROR(major)
		   ? why(k, (krb5_error_code)minor, "credentials", eb)
		   : E_OK;
}

/* ---- the configuration ---- */

/* Of what stands twice the first counts.  What plug-ins know of a ticket is not
 * asked for, and they could not be read. */
#define FIRST "[libdefaults]\n\tplugin_base_dir = /nonexistent\n"

static bool
write_all(int fd, const char *text)
{
	size_t n = strlen(text);

	return write(fd, text, n) == (ssize_t)n;
}

/* A new file, as the folder is not root's; it is read by whose it is. */
static enum err
write_copy(const char *text, struct errbuf *eb)
{
	enum err e = E_OK;
	int fd;

	unlink(COPY);
	fd = open(COPY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !write_all(fd, FIRST) || !write_all(fd, text) ||
	    fchmod(fd, 0444) < 0)
		e = err_sys(eb, E_IO, COPY);
	if (fd >= 0)
		close(fd);
	return e;
}

/* The library's GSSAPI reads the configuration anew for each client.  What it
 * shall read then is what there is now, with all that it includes. */
static enum err
copy_configuration(struct keys *k, struct errbuf *eb)
{
	profile_t profile;
	char *text = NULL;
	krb5_error_code code = krb5_get_profile(k->krb5, &profile);
	enum err e;

	if (code != 0)
		return why(k, code, "krb5.conf", eb);
	code = (krb5_error_code)profile_flush_to_buffer(profile, &text);
	profile_abandon(profile);
	e = write_copy(code == 0 && text != NULL ? text : "", eb);
	profile_free_buffer(NULL, text);
	setenv("KRB5_CONFIG", COPY, 1);
	return e;
}

enum err
keys_load(struct keys *k, const struct kerberos_conf *c, struct errbuf *eb)
{
	krb5_error_code code;
	enum err e;

	if (c->krb5_conf[0] != '\0')
		setenv("KRB5_CONFIG", c->krb5_conf, 1);
	setenv("KRB5RCACHENAME", KEYS_SEEN, 1);
	if ((code = krb5_init_context(&k->krb5)) != 0)
		return why(k, code, "krb5.conf", eb);
	if ((e = copy_configuration(k, eb)) != E_OK ||
	    (e = load_keytab(k, c->keytab, eb)) != E_OK)
		return e;
	return k->realms[0] != '\0' ? acquire(k, eb) : E_OK;
}
