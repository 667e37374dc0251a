/*
 * Password schemes, with hashes of other programs: mkpasswd, openssl passwd,
 * doveadm pw, htpasswd and argon2 of Debian 12.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "server/users/scheme.h"

static const char password[] = "correct horse";

static const char *const known[] = {
	/* mkpasswd */
	"$6$AX9AgEcYHi/5zNHn$ODxeGoINDxi9lWCcllRYpq86UzXMseN3NNOqdn3addBiUJBfS"
	"II76Cz6nHSQzR/H8LsA2xNjtvorbH/Ybn9wy1",
	"$5$PrKd./pREVVWYFs8$l0WGQ5oAdXKFqovLb.mC7FY1s4fcW5MRQLze.WFUv1.",
	"$1$t7aUT0DB$iSOnF14/S9xxZLbbYt.Wh/",
	"$2b$05$kGAlPyLydyEOpfwb2YnQCu2x3FckValdlxR87iQtrotliDAhyR2km",
	"$2a$05$AAxo0.IYThhXuA.l7N2uX.CPRbBvuPbfkh1jMoW682JDB5FHFbNbC",
	"$y$j9T$IlSMvC/kuiKqp9Aj.Z2Ke0$bEC.TMOc/U1UtW77mAMJyxzpcKyLPZeUFWR79OA"
	"3H67",
	"$gy$j9T$Ckz.xm9JK.8jNBwf.iMTV0$i1HA9p9xxxoUPFt46M29E6hos4UfNNtCw2sYF0"
	"7JMJ9",
	"$7$CU..../....EEz2jYHQ7NTG/0xZMpKsu/$V2nYeXFsG4XyGmwflFqCiIVU8sV5ajuN"
	"Tvz31dMsUN.",
	"{CRYPT}XWDQsRQshqrd2",
	"$6$rounds=1000$VoFeLckJkzlyhXFd$LuUeV6PMqLd7bNxfK6gQ8UwZHcHifCklHdWm3"
	"spO2D8vVylCGlCUKxXRoaNXFvOZMUKefnzf3ggoLCY85F21l/",
	/* openssl passwd */
	"$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2"
	"EplzfAqxL5Vvwp2scFtv/uamSo5z0",
	"$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
	"$1$saltsalt$NuzA7WTAelpl95xgBGWN60",
	/* doveadm pw */
	"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$hwdO4klSlsCv5eaNPZePxw$cGmOQ"
	"OYAlqxJIGd4+WS511PUbKltjCN57gHLjGRzrrU",
	"{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$2KzLQKs1yOrvoglvreC5Nw$+Ex3MnzF"
	"eljXMJ2phEQ191n1mHFtxF0vlUOXgOOiYJI",
	"{BLF-CRYPT}$2y$05$l95yJ0qjseQZ6ZV5Y5Yi7uel.TVyIj1BkYAevS8dUGQuMez3rtpM"
	"S",
	"{SHA512-CRYPT}$6$KlLpCQS9XJE6hIAr$7Yk43j8U7kz/0R080QtiP6fNjh/AM/xFqiXv"
	"TNG0j7MZzpvZJ4INeSx.o.Mtbz5wSCSJgfqX4zO68PvTVC9pO.",
	"{SHA256-CRYPT}$5$BCH5KHdgClzCBA9E$jmfDrEdOUfgH0QAK1fSAlCFpDMwvrNRFubj9"
	"3GhZr34",
	"{CRYPT}$2y$05$6QfK419RztZVQBe06rEYDe2PZN0oUbu09Z6fjALHaDulLHVy6XHmO",
	"{MD5-CRYPT}$1$oqf0FDeG$lWhmJ3g/cfISI6SZqn6E5/",
	"{SSHA}k3IzCQcoRRLnAujbIA7GSFqw3XFx17Pq",
	"{SSHA256}MmjjodIESirxXCUr4qb2VNWrpk3xAV8RP/DWaO6zgzHwkELQ",
	"{SSHA512}IyLgHX8x5QTK5OsRx/+X6fDvRzgqj4pN0HxaIt/iGVJwbdX1cY/"
	"MAoH7xAshQRFTufSqupXnnjuVYYzJmvJkuqAcWwc=",
	"{SMD5}cquTUSFq5xjr6Zw7LZrZoz3/If4=",
	"{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
	"{SHA1}L55TUjtiq8FBorTWAZ0jy6g129A=",
	"{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
	"{SHA512}VraY3v7bWkNbY0r+MyC7rz/"
	"c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
	"{LDAP-MD5}PLTnMmMfR+brlh80VUt83g==",
	"{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde",
	"{CRAM-MD5}"
	"38b57fd1a0c4b46c814aa05f20318edd71c455380655f2c0ac35c5b359528d29",
	"{HMAC-MD5}"
	"38b57fd1a0c4b46c814aa05f20318edd71c455380655f2c0ac35c5b359528d29",
	"{DES-CRYPT}roXEUJ2.mKZUg",
	"{PBKDF2}$1$EOLNXyT5SgQjxqph$5000$"
	"1a0514d113d118bb9761306d0842155bfc4cf6ad",
	"{SCRAM-SHA-1}4096,U2JK/to6z/"
	"IFiIxsHO0KAQ==,S2B97iquIAHbmFIjkoD0VQ8qk9g=,2EB0CuKgjo/"
	"4aaHXH2g884lUt4E=",
	"{SCRAM-SHA-256}4096,nGGmvcOXbDR2nhfRxRRAGg==,"
	"lUFOQTrPe5NKFET7NyndKbimKlbDSg7246AYertBfsQ=,"
	"5zYXMvFsp0AiqRfcbK1HTF2245zy7KDc4iSaNYeEEHY=",
	"{SSHA.HEX}638caa369684e0509015dd1a0f628dc9ae29996f7d306852",
	"{SHA256.HEX}"
	"4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631",
	"{SHA512.B64}VraY3v7bWkNbY0r+MyC7rz/"
	"c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
	"{PLAIN.B64}Y29ycmVjdCBob3JzZQ==",
	"{PLAIN.HEX}636f727265637420686f727365",
	"{CRAM-MD5.B64}OLV/0aDEtGyBSqBfIDGO3XHEVTgGVfLArDXFs1lSjSk=",
	"{PLAIN-MD5.B64}PLTnMmMfR+brlh80VUt83g==",
	"{SHA512-CRYPT.B64}"
	"JDYkMDlqUnJjbkRUWTBDUjRNYiRlb3lpL3RCdURLN3ZVWHBjUDRuUXZUWkg3bWp4SFllbX"
	"VLaFg5NC5sc0lrYTRSWTQyejk4ZGloby9CYjg2LjVXbm9iSk5xaWFnS0NsRDdDTkF5bHFT"
	"MQ==",
	"{SCRAM-SHA-256.B64}"
	"NDA5Nix5aDBBZTlpNVZ5SHJCcHVtMWlDNWxnPT0sOTA3U2lTZjI3eitmd1dtckwrV1NXM2"
	"ZrTkNuMDFlZm84ZlVDN2pZUXdJMD0sQXo0K1g1aDZvTExiaGNNMStQMVZWc0xOVjdsL29T"
	"NVlTcmRjMGIzbmIwYz0=",
	"{SHA256}"
	"4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631",
	"{cram-md5}OLV/0aDEtGyBSqBfIDGO3XHEVTgGVfLArDXFs1lSjSk=",
	"{PLAIN}correct horse",
	"{CLEARTEXT}correct horse",
	"{clear}correct horse",
	"{blf-crypt}$2y$05$nZHzr2.n8gJ2Sv.npLS8w.wGl8m6Q6q7PiZRDnC3XxT5smiymQV2"
	"G", /* htpasswd */
	/* argon2: other costs, several lanes */
	"$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ$C1nSQzCTQWzgK9naSl2auLfd0EqDo"
	"FwYFGg9v5LwjIc",
	"{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=4$c29tZXNhbHQ$hGWQW+rLSupPGt1bXB"
	"yyEd1CNgFaQKKQYLKChZ/+3TM",
	"$argon2i$v=19$m=256,t=3,p=2$c29tZXNhbHQ$x/AO8w3tBgvF8dvnRKjLkdDjY+vChk"
	"3y3WXqLHLaylk",
};

static bool
is_cheap(const char *stored)
{
	static const char *const v[] = { "{PLAIN", "{CLEAR", "{SHA1}", "{SHA}",
		"{SHA256}", "{SHA256.", "{SHA512}", "{SHA512.", "{SS", "{SMD5}",
		"{LDAP", "{CRAM", "{HMAC" };

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (strncasecmp(stored, v[i], strlen(v[i])) == 0)
			return true;
	return false;
}

static void
test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct errbuf eb;

		if (scheme_check(known[i], &eb) != E_OK ||
		    scheme_verify(known[i], password) != E_OK)
			fail_msg("not taken: %s", known[i]);
		assert_int_equal(
		    scheme_verify(known[i], "orrect horse"), E_DENIED);
		assert_int_equal(scheme_verify(known[i], ""), E_DENIED);
		assert_int_equal(
		    scheme_is_costly(known[i]), !is_cheap(known[i]));
	}
}

static void
test_wrong_ends(void **state)
{
	(void)state;
	/* DES looks at eight octets: its admins know.  Others do not. */
	assert_int_equal(
	    scheme_verify("{CRYPT}XWDQsRQshqrd2", "correct X"), E_OK);
	assert_int_equal(
	    scheme_verify("{PLAIN}correct horse", "correct horse "), E_DENIED);
	assert_int_equal(scheme_verify(known[0], "correct horse "), E_DENIED);
	assert_int_equal(scheme_verify("{PLAIN} x", " x"), E_OK);
	assert_int_equal(scheme_verify("{PLAIN}*", "*"), E_OK);
	assert_int_equal(scheme_verify("{PLAIN}{x}", "{x}"), E_OK);
}

static void
test_locked(void **state)
{
	static const char *const v[] = { "", "*", "!", "!!", "*LK*", "{CRYPT}",
		"{CRYPT}*", "{CRYPT}!$6$x$y", "{PLAIN}", "{ARGON2ID}!",
		"!$6$x" };

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(scheme_check(v[i], NULL), E_DENIED);
		assert_int_equal(scheme_verify(v[i], ""), E_DENIED);
		assert_int_equal(scheme_verify(v[i], v[i]), E_DENIED);
		assert_false(scheme_is_costly(v[i]));
	}
}

static void
test_refused(void **state)
{
	static const char *const v[] = { "secret", "x",
		"XWDQsRQshqrd2", /* DES without {CRYPT} */
		"{UNKNOWN}x", "{}x", "{PLAIN", "{SSHA}abcd", "{PLAIN.HEX}00",
		"{PLAIN.HEX}6", "{PLAIN.HEX}6x", "{PLAIN.XX}61", "{PLAIN.}a",
		"{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7Vg==",
		"{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE",
		"{CRAM-MD5}38b57fd1a0c4b46c", "{PBKDF2}$2$a$1$b",
		"{BLF-CRYPT}$6$saltsalt$x", "{SHA512-CRYPT}x",
		"{ARGON2ID}$argon2i$v=19$m=256,t=3,p=2$c29tZXNhbHQ$x",
		/* Version 16; Argon2d. */
		"$argon2i$v=16$m=256,t=3,p=1$c29tZXNhbHQ$LPFlun6/AC9GXKNWXLIaHi"
		"vBzqrJPffyUC2zfRbvqBw",
		"$argon2d$v=19$m=256,t=3,p=1$c29tZXNhbHQ$ADBWdQXz6f1cyOb6pYkXxA"
		"E/h3II31k/Ib9HK3v4eCU",
		"$argon2id$v=19$garbage", "$nonsense$x", "$" };

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct errbuf eb = { "" };

		if (scheme_check(v[i], &eb) != E_CONFIG)
			fail_msg("taken: %s", v[i]);
		assert_int_not_equal(eb.text[0], '\0');
		assert_int_equal(scheme_verify(v[i], password), E_CONFIG);
	}
}

/* One that says it takes hours would keep a thread for so long. */
static void
test_enormous_cost(void **state)
{
	static const struct {
		const char *hash;
		bool good;
	} v[] = {
		{ "$6$rounds=10000000$saltsalt$x", true },
		{ "$6$rounds=10000001$saltsalt$x", false },
		{ "{SHA512-CRYPT}$6$rounds=999999999$saltsalt$x", false },
		{ "$5$rounds=999999999$saltsalt$x", false },
		{ "{CRYPT}$md5,rounds=4294967295$saltsalt$x", false },
		{ "$sha1$10000000$saltsalt$x", true },
		{ "$sha1$10000001$saltsalt$x", false },
		{ "$2y$16$RjK/liIK/9onbW73TktZte", true },
		{ "{BLF-CRYPT}$2y$17$RjK/liIK/9onbW73TktZte", false },
		{ "$2b$31$RjK/liIK/9onbW73TktZte", false },
		{ "$y$jFT$35IAsL36laKi6MM6ApVgt0$x", true },
		{ "$y$jGT$35IAsL36laKi6MM6ApVgt0$x", false },
		{ "$gy$jGT$35IAsL36laKi6MM6ApVgt0$x", false },
		{ "$y$jFT/U$35IAsL36laKi6MM6ApVgt0$x", false },
		{ "$7$GU..../....5O6dmCsg2Q8XGt2wkziLS0$x", true },
		{ "$7$HU..../....5O6dmCsg2Q8XGt2wkziLS0$x", false },
		{ "$7$GU...1/....5O6dmCsg2Q8XGt2wkziLS0$x", false },
		{ "$7$GU....z....5O6dmCsg2Q8XGt2wkziLS0$x", false },
		{ "$7$GU..../..z.5O6dmCsg2Q8XGt2wkziLS0$x", false },
		{ "$argon2id$v=19$m=1048576,t=8,p=1$c29tZXNhbHQ$"
		  "LPFlun6/AC9GXKNWXLIaHivBzqrJPffyUC2zfRbvqBw",
		    true },
		{ "$argon2id$v=19$m=1048576,t=9,p=1$c29tZXNhbHQ$"
		  "LPFlun6/AC9GXKNWXLIaHivBzqrJPffyUC2zfRbvqBw",
		    false },
		{ "$argon2i$v=19$m=256,t=4294967295,p=1$c29tZXNhbHQ$"
		  "LPFlun6/AC9GXKNWXLIaHivBzqrJPffyUC2zfRbvqBw",
		    false },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct errbuf eb = { "" };

		if ((scheme_check(v[i].hash, &eb) == E_OK) != v[i].good)
			fail_msg("%s: %s", v[i].hash, eb.text);
		if (!v[i].good) {
			assert_non_null(strstr(eb.text, "too long"));
			assert_int_equal(
			    scheme_verify(v[i].hash, password), E_CONFIG);
		}
	}
}

/* What is too long is called that, whatever its form. */
static void
test_long_stored(void **state)
{
	static const struct {
		const char *scheme;
		size_t n;
		const char *says; /* NULL: it is taken */
	} v[] = {
		{ "{PLAIN}", PASSWORD_MAX, NULL },
		{ "{PLAIN}", PASSWORD_MAX + 1, "1025 octets, and 1024" },
		{ "{PLAIN}", 5000, "behind {PLAIN} has 5000 octets" },
		{ "{PLAIN.hex}", 2 * PASSWORD_MAX, NULL },
		{ "{PLAIN.hex}", 2 * PASSWORD_MAX + 2, "2050 octets" },
		{ "{PLAIN.b64}", 1368, "1026 octets, and 1024" },
		{ "{CRYPT}", 3000, "3000 octets" },
		{ "{SHA512}", 3000, "3000 octets" },
	};
	char stored[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct errbuf eb = { "" };
		size_t n = strlen(v[i].scheme);

		memcpy(stored, v[i].scheme, n);
		memset(stored + n, '6', v[i].n);
		stored[n + v[i].n] = '\0';
		assert_int_equal(scheme_check(stored, &eb),
		    v[i].says == NULL ? E_OK : E_CONFIG);
		if (v[i].says != NULL && !strstr(eb.text, v[i].says))
			fail_msg("%s: %s", v[i].scheme, eb.text);
	}
}

static void
test_long_password(void **state)
{
	char stored[SCHEME_STORED_MAX], p[1025];
	static const char *const v[] = { "ARGON2ID", "YESCRYPT" };

	(void)state;
	memset(p, 'p', sizeof(p) - 1);
	p[1024] = '\0';
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(scheme_verify(known[i], p), E_DENIED);
	for (size_t i = 0; i < 2; i++) {
		p[511] = '\0';
		assert_int_equal(scheme_make(v[i], p, stored, NULL), E_OK);
		assert_int_equal(scheme_verify(stored, p), E_OK);
		p[510] = 'q';
		assert_int_equal(scheme_verify(stored, p), E_DENIED);
		p[510] = p[511] = 'p';
	}
}

static void
test_no_memory(void **state)
{
	/* S-3206-03: that is never the fault of the credentials. */
	static const char huge[] =
	    "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$"
	    "C1nSQzCTQWzgK9naSl2auLfd0EqDoFwYFGg9v5LwjIc";

	(void)state;
	assert_int_equal(scheme_verify(huge, password), E_NOMEM);
}

static void
test_made(void **state)
{
	static const struct {
		const char *scheme, *head;
	} v[] = { { "ARGON2ID", "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$" },
		{ "argon2id", "{ARGON2ID}$argon2id$" },
		{ "BLF-CRYPT", "{BLF-CRYPT}$2y$11$" },
		{ "SHA512-CRYPT", "{SHA512-CRYPT}$6$rounds=100000$" },
		{ "YESCRYPT", "{CRYPT}$y$" },
		{ "SCRAM-SHA-256", "{SCRAM-SHA-256}15000," },
		{ "SCRAM-SHA-1", "{SCRAM-SHA-1}15000," },
		{ "CRAM-MD5", "{CRAM-MD5}38b57fd1a0c4b46c814aa05f20318edd" },
		{ "PLAIN", "{PLAIN}" } };

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char a[SCHEME_STORED_MAX], b[SCHEME_STORED_MAX];

		assert_int_equal(
		    scheme_make(v[i].scheme, password, a, NULL), E_OK);
		assert_memory_equal(a, v[i].head, strlen(v[i].head));
		assert_null(strpbrk(a + 1, ":\n"));
		assert_int_equal(scheme_verify(a, password), E_OK);
		assert_int_equal(scheme_verify(a, "x"), E_DENIED);
		assert_int_equal(
		    scheme_make(v[i].scheme, password, b, NULL), E_OK);
		if (strcmp(v[i].scheme, "PLAIN") != 0 &&
		    strcmp(v[i].scheme, "CRAM-MD5") != 0)
			assert_string_not_equal(a, b); /* salted */
	}
}

/* Which stored passwords are to be made anew. */
static void
test_as_made(void **state)
{
	static const struct {
		const char *scheme, *stored;
		bool is;
	} v[] = {
		{ "ARGON2ID", "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$",
		    true },
		{ "ARGON2ID", "$argon2id$v=19$m=65536,t=3,p=1$", true },
		{ "ARGON2ID", "{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=1$",
		    false },
		{ "ARGON2ID", "{ARGON2I}$argon2i$v=19$m=65536,t=2,p=1$",
		    false },
		{ "ARGON2ID", "{SHA512-CRYPT}$6$rounds=100000$", false },
		{ "BLF-CRYPT", "{BLF-CRYPT}$2y$11$", true },
		{ "BLF-CRYPT", "{CRYPT}$2y$12$", true },
		{ "BLF-CRYPT", "{BLF-CRYPT}$2y$05$", false },
		{ "SHA512-CRYPT", "$6$rounds=100000$x", true },
		{ "SHA512-CRYPT", "{SHA512-CRYPT}$6$x$", false },
		{ "YESCRYPT", "{CRYPT}$y$j9T$", true },
		{ "SCRAM-SHA-256", "{SCRAM-SHA-256}15000,", true },
		{ "SCRAM-SHA-256", "{scram-sha-256}20000,", true },
		{ "SCRAM-SHA-256", "{SCRAM-SHA-256}4096,", false },
		{ "SCRAM-SHA-256", "{SCRAM-SHA-256}99999999999,", false },
		{ "SCRAM-SHA-256", "{SCRAM-SHA-1}15000,", false },
		{ "SCRAM-SHA-256", "{PLAIN}15000,", false },
		{ "SCRAM-SHA-256", "15000,", false },
		{ "SCRAM-SHA-256", "", false },
		{ "PLAIN", "{PLAIN}x", true },
		{ "no", "{PLAIN}x", false },
	};
	char made[SCHEME_STORED_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (scheme_is_as_made(v[i].stored, v[i].scheme) != v[i].is)
			fail_msg("%s as %s", v[i].stored, v[i].scheme);
	/* What is made is not made anew each time. */
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]) - 1; i++) {
		assert_int_equal(
		    scheme_make(v[i].scheme, password, made, NULL), E_OK);
		assert_true(scheme_is_as_made(made, v[i].scheme));
		while (strcmp(v[i].scheme, v[i + 1].scheme) == 0)
			i++;
	}
}

static void
test_not_made(void **state)
{
	char out[SCHEME_STORED_MAX], p[600];

	(void)state;
	assert_int_equal(scheme_make("DES", "x", out, NULL), E_FORMAT);
	assert_int_equal(scheme_make("", "x", out, NULL), E_FORMAT);
	assert_int_equal(scheme_make("PLAIN", "a:b", out, NULL), E_FORMAT);
	memset(p, 'p', sizeof(p));
	p[599] = '\0';
	assert_int_equal(scheme_make("PLAIN", p, out, NULL), E_FORMAT);
	assert_int_equal(scheme_make("YESCRYPT", p, out, NULL), E_FORMAT);
	p[73] = '\0';
	assert_int_equal(scheme_make("BLF-CRYPT", p, out, NULL), E_FORMAT);
	p[72] = '\0';
	assert_int_equal(scheme_make("BLF-CRYPT", p, out, NULL), E_OK);
}

static void
test_apop(void **state)
{
	/* RFC 1939 s7: c4c9334bac560ecc979e58001b3e22fb */
	static const char stamp[] = "<1896.697170952@dbc.mtview.ca.us>";
	uint8_t digest[APOP_DIGEST] = { 0xc4, 0xc9, 0x33, 0x4b, 0xac, 0x56,
		0x0e, 0xcc, 0x97, 0x9e, 0x58, 0x00, 0x1b, 0x3e, 0x22, 0xfb };

	(void)state;
	assert_int_equal(
	    scheme_verify_apop("{PLAIN}tanstaaf", stamp, digest), E_OK);
	assert_int_equal(
	    scheme_verify_apop("{PLAIN}tanstaaF", stamp, digest), E_DENIED);
	assert_int_equal(
	    scheme_verify_apop("{PLAIN}", stamp, digest), E_DENIED);
	assert_int_equal(scheme_verify_apop(known[0], stamp, digest), E_DENIED);
	digest[15] ^= 1;
	assert_int_equal(
	    scheme_verify_apop("{PLAIN}tanstaaf", stamp, digest), E_DENIED);
}

/* An accent typed behind its letter, and the letter that SASLprep makes of the
 * two; digits behind Hebrew, which it refuses; a character of private use. */
#define TYPED    "e\xcc\x81"
#define PREPARED "\xc3\xa9"
#define BIDI     "\xd7\x90\x31"
#define PRIVATE  "\xee\x80\x80"

#define SHA_OF_TYPED \
	"{SHA256.HEX}bf12767b0f2a56b2190075bae8169f656e3ce8d6357d4aff184bc6c7" \
	"ea48f9f6"
#define SHA_OF_PREPARED \
	"{SHA256.HEX}4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e" \
	"2ba69c4c"
#define SCRAM_OF_TYPED \
	"{SCRAM-SHA-256}4096,c2FsdHNhbHRzYWx0c2FsdA==," \
	"BX5lHBJ4Mk2MMtrr0QJppmjf290O3IkQbHOIkgkCuWI=," \
	"ByS5QgYaYkbiujlOOpdgaP8eLFXFoOniMCoRQ+gr9lY="
/* U+0221 is not in Unicode 3.2. */
#define SCRAM_OF_NEW \
	"{SCRAM-SHA-256}4096,c2FsdHNhbHRzYWx0c2FsdA==," \
	"Z9oeUDNuh6vO/PnwssaIFhD2sKpKk0J8IhAqk3d+l0s=," \
	"rqdfq7+LbpBgJIKEKq+ZeTfG+jMJfaKtxnzQdQs57HU="

/* S-4616-02: a password in both its forms, by hashes that were made of either. */
static void
test_forms(void **state)
{
	static const struct {
		const char *stored, *given;
		enum err e;
	} v[] = {
		{ SHA_OF_PREPARED, PREPARED, E_OK },
		{ SHA_OF_PREPARED, TYPED, E_OK },
		{ SHA_OF_TYPED, TYPED, E_OK },
		{ SHA_OF_TYPED, PREPARED, E_DENIED },
		{ SCRAM_OF_TYPED, TYPED, E_OK },
		{ SCRAM_OF_TYPED, PREPARED, E_DENIED },
		{ SCRAM_OF_NEW, "\xc8\xa1", E_OK },
		/* One that can be read is prepared, too. */
		{ "{PLAIN}" TYPED, TYPED, E_OK },
		{ "{PLAIN}" TYPED, PREPARED, E_OK },
		{ "{PLAIN}" PREPARED, TYPED, E_OK },
		{ "{PLAIN}" TYPED, "e", E_DENIED },
		/* What cannot be prepared is as it is. */
		{ "{SHA256.HEX}c2a09a78033b121d8bb0a93140c5cade654c01dd9d1ada5"
		  "f28841d7e98a1d61f",
		    BIDI, E_OK },
		{ "{SHA256.HEX}d3bff2f46df9d97c71c9e1e2b066cfaa50b64c37ac41e9e"
		  "2ec77bf49ccc79a8b",
		    PRIVATE, E_OK },
		{ "{PLAIN}" BIDI, BIDI, E_OK },
		{ "{PLAIN}" BIDI, PRIVATE, E_DENIED },
		{ "{PLAIN}\xff", "\xff", E_OK },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (scheme_verify(v[i].stored, v[i].given) != v[i].e)
			fail_msg("%zu: %s", i, v[i].stored);
}

/* What is made is made of the prepared form, or not at all. */
static void
test_made_prepared(void **state)
{
	static const char *const bad[] = { BIDI, PRIVATE, "\xc2\xad", "\xff",
		"" };
	char out[SCHEME_STORED_MAX];

	assert_int_equal(scheme_make("PLAIN", TYPED, out, NULL), E_OK);
	assert_string_equal(out, "{PLAIN}" PREPARED);
	assert_int_equal(scheme_make("CRAM-MD5", TYPED, out, NULL), E_OK);
	assert_int_equal(scheme_verify(out, PREPARED), E_OK);
	assert_int_equal(scheme_make("SCRAM-SHA-256", TYPED, out, NULL), E_OK);
	assert_int_equal(scheme_verify(out, PREPARED), E_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct errbuf eb = { "" };

		assert_int_equal(
		    scheme_make("ARGON2ID", bad[i], out, &eb), E_FORMAT);
		assert_non_null(strstr(eb.text, "cannot be a password: "));
	}
	/* RFC 5802 s5.1: prepared as what is stored. */
	assert_int_equal(scheme_make("PLAIN", "\xc8\xa1", out, NULL), E_OK);
	assert_int_equal(
	    scheme_make("SCRAM-SHA-256", "\xc8\xa1", out, NULL), E_FORMAT);
}

/* S-6856-07 */
static void
test_apop_forms(void **state)
{
	static const char stamp[] = "<1896.697170952@dbc.mtview.ca.us>";
	static const uint8_t typed[APOP_DIGEST] =
	    "\x5a\x20\x55\x83\xec\x13\x7b\xe6"
	    "\x6d\x17\xab\xfd\xab\x63\x32\xf3";
	static const uint8_t prepared[APOP_DIGEST] =
	    "\x63\x49\xae\x37\x1b\x4b\xa7\x04"
	    "\xdf\x64\x50\x82\xe6\x88\xf9\x37";
	static const char stored[] = "{PLAIN}" TYPED;

	assert_int_equal(scheme_verify_apop(stored, stamp, typed), E_OK);
	assert_int_equal(scheme_verify_apop(stored, stamp, prepared), E_OK);
	assert_int_equal(
	    scheme_verify_apop("{PLAIN}" PREPARED, stamp, typed), E_DENIED);
}

static void
test_cram_forms(void **state)
{
	uint8_t key[SASL_CRAM_KEY], other[SASL_CRAM_KEY];
	uint8_t typed[SASL_CRAM_KEY], prepared[SASL_CRAM_KEY];

	assert_int_equal(
	    sasl_cram_key(typed, (struct slice){ TYPED, 3 }), E_OK);
	assert_int_equal(
	    sasl_cram_key(prepared, (struct slice){ PREPARED, 2 }), E_OK);
	assert_int_equal(scheme_cram_keys("{PLAIN}" TYPED, key, other), E_OK);
	assert_memory_equal(key, prepared, sizeof(key));
	assert_memory_equal(other, typed, sizeof(key));
	assert_int_equal(
	    scheme_cram_keys(
		"{CRAM-MD5}38b57fd1a0c4b46c814aa05f20318edd71c455380655f2c0ac35"
		"c5b359528d29",
		key, other),
	    E_OK);
	assert_memory_equal(key, other, sizeof(key));
	assert_int_equal(scheme_cram_keys(known[0], key, other), E_DENIED);
}

static void
test_uses(void **state)
{
	static const struct {
		const char *stored;
		unsigned uses;
	} v[] = { { "{PLAIN}secret", SCHEME_READABLE | SCHEME_SCRAM_SHA_1 |
					 SCHEME_SCRAM_SHA_256 |
					 SCHEME_CRAM_MD5 },
		{ "{SCRAM-SHA-1}x", SCHEME_SCRAM_SHA_1 },
		{ "{SCRAM-SHA-256.b64}x", SCHEME_SCRAM_SHA_256 },
		{ "{CRAM-MD5}00", SCHEME_CRAM_MD5 }, { "{SSHA}x", 0 },
		{ "$6$a$b", 0 }, { "*", 0 }, { "", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(scheme_uses(v[i].stored), v[i].uses);
}

/* The parts of what Dovecot has stored are those that a mechanism needs. */
static void
test_keys(void **state)
{
	static const char *const names[] = { "SCRAM-SHA-1", "SCRAM-SHA-256" };
	char stored[SCHEME_STORED_MAX], plain[PASSWORD_MAX + 1];
	struct sasl_keys keys, made;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct sasl_mechanism *m =
		    sasl_find((struct slice){ names[i], strlen(names[i]) });
		const struct sasl_mechanism *other = sasl_find(
		    (struct slice){ names[1 - i], strlen(names[1 - i]) });

		assert_int_equal(
		    scheme_make(names[i], password, stored, NULL), E_OK);
		assert_int_equal(scheme_keys(stored, m, &keys), E_OK);
		assert_int_equal(keys.salt_n, 16);
		made = keys;
		assert_int_equal(
		    sasl_keys_make(&made, m,
			(struct slice){ password, strlen(password) }, NULL),
		    E_OK);
		assert_memory_equal(&made, &keys, sizeof(keys));
		assert_int_equal(scheme_keys(stored, other, &keys), E_DENIED);
		assert_int_equal(scheme_password(stored, plain), E_DENIED);
	}
	assert_int_equal(scheme_password("{PLAIN.hex}6162", plain), E_OK);
	assert_string_equal(plain, "ab");
}

/* What no one can be checked against, though it has the right form. */
static void
test_bad_keys(void **state)
{
	static const char *const v[] = { "{SCRAM-SHA-1}",
		"{SCRAM-SHA-1}4096,c2FsdA==,c2FsdA==,c2FsdA==",
		"{SCRAM-SHA-1}4095,cLw0khQiDwtNiHwmBIhUbQ==,/"
		"V3LBjS1JZOoWI4WETC+7gSDuis=,ZPDKlN11Z5t0XhiWpwvf4+r4epQ=",
		"{SCRAM-SHA-1}4096,,/"
		"V3LBjS1JZOoWI4WETC+7gSDuis=,ZPDKlN11Z5t0XhiWpwvf4+r4epQ=",
		"{SCRAM-SHA-1}4096,cLw0khQiDwtNiHwmBIhUbQ==,/"
		"V3LBjS1JZOoWI4WETC+7gSDuis=,ZPDKlN11Z5t0XhiWpwvf4+r4epQ=,x",
		"{PBKDF2}$1$salt$0$5a2dba0c306d2b373af8a0f4b14add4e938033a9",
		"{PBKDF2}$1$salt$99999999$5a2dba0c306d2b373af8a0f4b14add4e9380"
		"33a9",
		"{PBKDF2}$1$salt$5$5a2dba0c306d2b373af8a0f4b14add4e9380" };

	(void)state;
	for (size_t i = 1; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(scheme_check(v[i], NULL), E_CONFIG);
		assert_int_equal(scheme_verify(v[i], password), E_CONFIG);
	}
	assert_int_equal(scheme_check(v[0], NULL), E_DENIED);
}

static int
init(void **state)
{
	(void)state;
	return scheme_init() == E_OK ? 0 : -1;
}

static void
test_same(void **state)
{
	assert_true(scheme_is_same("{PLAIN}x", "{PLAIN}x"));
	assert_true(scheme_is_same("{PLAIN}x", "x"));
	assert_true(scheme_is_same("$6$a$b", "{SHA512-CRYPT}$6$a$b"));
	assert_false(scheme_is_same("{PLAIN}x", "{PLAIN}y"));
	assert_false(scheme_is_same("y{PLAIN}x", "x"));
	assert_false(scheme_is_same("", "{PLAIN}x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_wrong_ends),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_enormous_cost),
		cmocka_unit_test(test_long_stored),
		cmocka_unit_test(test_long_password),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_as_made),
		cmocka_unit_test(test_not_made),
		cmocka_unit_test(test_apop),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_made_prepared),
		cmocka_unit_test(test_apop_forms),
		cmocka_unit_test(test_cram_forms),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
