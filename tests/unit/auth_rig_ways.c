/* Ways to sign in, for auth_rig.h: SASL, APOP, app passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "auth_rig.h"

/* ---- SASL ---- */

void
sasl_with(uint64_t sid, const char *mechanism, struct slice certificate,
    const void *initial, size_t n)
{
	begin_sign_in(0, IPC_SASL, sid, "192.0.2.1");
	ipc_put_str(rig.pop3[0], mechanism);
	ipc_put_u8(rig.pop3[0], 0);
	ipc_put_u8(rig.pop3[0], 0);
	ipc_put_bytes(rig.pop3[0], certificate.p, certificate.n);
	ipc_put_u8(rig.pop3[0], initial != NULL);
	ipc_put_bytes(rig.pop3[0], initial != NULL ? initial : "", n);
	sent(rig.pop3[0]);
}

void
sasl(uint64_t sid, const char *mechanism, const void *initial, size_t n)
{
	sasl_with(sid, mechanism, (struct slice){ "", 0 }, initial, n);
}

void
sasl_step(uint64_t sid, const void *p, size_t n)
{
	ipc_begin(rig.pop3[0], IPC_SASL_STEP);
	ipc_put_u64(rig.pop3[0], sid);
	ipc_put_bytes(rig.pop3[0], p, n);
	sent(rig.pop3[0]);
}

struct challenge {
	uint64_t sid;
	char text[64];
};

static enum err
take_challenge(void *arg, struct ipc_in *in)
{
	struct challenge *c = arg;

	c->sid = ipc_get_u64(in);
	ipc_get_str(in, c->text, sizeof(c->text));
	return ipc_get_end(in);
}

void
expect_challenge(uint64_t sid, const char *text)
{
	struct challenge c;

	skip_served(rig.pop3_fd[0], SOON);
	assert_int_equal(ipc_wait_one(rig.pop3_fd[0], IPC_CHALLENGE, SOON,
			     take_challenge, &c),
	    E_OK);
	assert_int_equal(c.sid, sid);
	assert_string_equal(c.text, text);
}

/* ---- SCRAM ---- */

static enum err
take_said(void *arg, struct ipc_in *in)
{
	struct said *s = arg;
	struct slice text;

	s->sid = ipc_get_u64(in);
	text = ipc_get_slice(in);
	assert_true(text.n <= sizeof(s->text));
	memcpy(s->text, text.p, text.n);
	s->n = text.n;
	return ipc_get_end(in);
}

struct slice
await_said(uint64_t sid, struct said *s)
{
	skip_served(rig.pop3_fd[0], SOON);
	assert_int_equal(
	    ipc_wait_one(rig.pop3_fd[0], IPC_CHALLENGE, SOON, take_said, s),
	    E_OK);
	assert_int_equal(s->sid, sid);
	return (struct slice){ s->text, s->n };
}

void
guess(const char *how, uint64_t sid, char name)
{
	char text[64];
	int n;

	if (strcmp(how, "PASS") == 0) {
		pass(sid, (char[]){ name, '\0' }, "wrong");
	} else if (strcmp(how, "PLAIN") == 0) {
		n = snprintf(text, sizeof(text), "%c%c%cwrong", 0, name, 0);
		sasl(sid, how, text, (size_t)n);
	} else {
		struct said said;

		sasl(sid, how, NULL, 0);
		await_said(sid, &said);
		n = snprintf(text, sizeof(text), "%c %032d", name, 0);
		sasl_step(sid, text, (size_t)n);
	}
}

/* ---- APOP ---- */

void
apop(unsigned pop3, uint64_t sid, const char *name, const char *timestamp,
    const char *password)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_md5(), NULL), 1);
	EVP_DigestUpdate(ctx, timestamp, strlen(timestamp));
	EVP_DigestUpdate(ctx, password, strlen(password));
	EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	begin_sign_in(pop3, IPC_APOP, sid, "192.0.2.1");
	ipc_put_str(rig.pop3[pop3], name);
	ipc_put_str(rig.pop3[pop3], timestamp);
	ipc_put_bytes(rig.pop3[pop3], digest, APOP_DIGEST);
	sent(rig.pop3[pop3]);
}

/* ---- app passwords ---- */

static void
add_app(struct app_database *db, const char *user, const char *label,
    const char *typed, const char *networks, uint64_t until,
    const char *protocol)
{
	uint8_t digest[APP_DIGEST];
	char secret[APP_SECRET];

	assert_true(
	    app_secret_read(secret, (struct slice){ typed, strlen(typed) }));
	app_secret_digest(digest, app_database_salt(db), secret);
	assert_int_equal(app_database_add(db,
			     &(struct app_row){ user, label, protocol, networks,
				 1, until, digest },
			     NULL),
	    E_OK);
}

void
replace_apps(const char *label)
{
	struct app_database *db;
	char tmp[96], *image;
	unsigned removed;
	size_t n;
	FILE *f;

	assert_int_equal(app_database_init(), E_OK);
	assert_int_equal(
	    app_database_open(&db, (struct slice){ NULL, 0 }, NULL), E_OK);
	add_app(db, "anna", "phone", PHONE, "", 0, "");
	add_app(db, "bob@b.org", "laptop", LAPTOP, "192.0.2.0/24", 0, "");
	add_app(db, "anna", "old", OLD, "", 1000, "");
	add_app(db, "anna", "reading", READING, "", 0, "pop3");
	add_app(db, "anna", "sending", SENDING, "", 0, "smtp");
	add_app(db, "zed", "phone", "dddd-dddd-dddd-dddd-dddd-dddd-dddd", "", 0,
	    "");
	if (label != NULL)
		assert_int_equal(
		    app_database_remove(db, "anna", label, &removed, NULL),
		    E_OK);
	assert_int_equal(app_database_image(db, &image, &n, NULL), E_OK);
	app_database_close(db);
	snprintf(tmp, sizeof(tmp), "%s.new", rig.apps);
	f = fopen(tmp, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(image, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(tmp, rig.apps), 0);
	free(image);
}
