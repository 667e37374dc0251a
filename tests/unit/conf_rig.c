#include "conf_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

char dir[] = "/tmp/malote-conf-XXXXXX";
char said[4096];
struct conf conf;

/* ---- files ---- */

void
write_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* A certificate that ends after so many seconds, and its key. */
static void
write_certificate(const char *cert, const char *key, long seconds)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_EXTENSION *names;
	char path[256];
	FILE *f;

	X509_gmtime_adj(X509_getm_notBefore(x), -1000000);
	X509_gmtime_adj(X509_getm_notAfter(x), seconds);
	X509_set_pubkey(x, k);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	names = X509V3_EXT_conf_nid(
	    NULL, NULL, NID_subject_alt_name, "DNS:test.example");
	X509_add_ext(x, names, -1);
	X509_EXTENSION_free(names);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s/%s", dir, cert);
	f = fopen(path, "w");
	PEM_write_X509(f, x);
	fclose(f);
	snprintf(path, sizeof(path), "%s/%s", dir, key);
	f = fopen(path, "w");
	PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	chmod(path, 0600);
	X509_free(x);
	EVP_PKEY_free(k);
}

int
make_files(void **state)
{
	char path[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/mail", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("mail", path), 0);
	write_file("users", "", 0600);
	write_file("open-users", "", 0644);
	write_file("junk", "junk\n", 0600);
	write_file("keytab", "\5\2", 0600);
	write_certificate("cert", "key", 2000000);
	write_certificate("old-cert", "old-key", -1000);
	write_certificate("cert2", "open-key", 2000000);
	snprintf(path, sizeof(path), "%s/open-key", dir);
	chmod(path, 0644);
	return 0;
}

int
remove_files(void **state)
{
	static const char *const names[] = { "users", "open-users", "junk",
		"cert", "key", "old-cert", "old-key", "cert2", "open-key",
		"keytab", "link", "t.conf" };
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/mail", dir);
	rmdir(path);
	return rmdir(dir);
}

const char *
with_dir(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n + 1 < size; text++) {
		if (strncmp(text, "$D", 2) == 0) {
			n += (size_t)snprintf(out + n, size - n, "%s", dir);
			text++;
		} else {
			out[n++] = *text;
		}
	}
	out[n] = '\0';
	return out;
}

/* ---- reading ---- */

void
say(void *arg, const char *line)
{
	size_t n = strlen(said);

	(void)arg;
	snprintf(said + n, sizeof(said) - n, "%s\n", line);
}

enum err
read_text(const char *text, struct conf_env env)
{
	static const char *const needed[][2] = {
		{ "certificate", "certificate = \"$D/cert\"\n" },
		{ "key", "key = \"$D/key\"\n" },
		{ "users", "users = \"$D/users\"\n" },
		{ "mail", "mail = \"maildir:$D/mail/%u\"\n" },
	};
	struct conf_report report = { .say = say };
	char all[4096], out[8192], path[256];

	snprintf(all, sizeof(all), "%s", text);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		char here[32];

		snprintf(here, sizeof(here), "%s =", needed[i][0]);
		if (strstr(text, here) == NULL)
			strncat(
			    all, needed[i][1], sizeof(all) - strlen(all) - 1);
	}
	write_file("t.conf", with_dir(out, sizeof(out), all), 0600);
	snprintf(path, sizeof(path), "%s/t.conf", dir);
	said[0] = '\0';
	conf_free(&conf);
	return conf_read(&conf, path, &env, &report);
}

const struct conf_env user = {
	.uid = 4444, .gid = 4444, .cores = 4, .nofile = 20000
};
const struct conf_env root = { .cores = 4, .nofile = 20000 };

void
expect_said(const char *text, const char *right)
{
	char want[4096] = "", out[4096];
	const char *p = right;

	while (*p != '\0') {
		size_t n = strlen(want), all = strcspn(p, "\n");
		bool numbered = p[0] != '-';

		snprintf(want + n, sizeof(want) - n, "$D/t.conf%s%.*s\n",
		    numbered ? ":" : "", (int)(numbered ? all : all - 1),
		    numbered ? p : p + 1);
		p += all + (p[all] == '\n');
	}
	with_dir(out, sizeof(out), want);
	if (strcmp(said, out) != 0)
		fail_msg("of:\n%s\nis said:\n%swanted:\n%s", text, said, out);
}
