#include "server/conf/conf.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/str.h"
#include "conf/parse.h"
#include "server/conf/check.h"

/* ---- the settings ---- */

enum kind { TEXT, FLAG, NUM16, NUM32, CHOICE, ADDRESSES };

struct setting {
	const char *name;
	const char *init;  /* the default, as it would stand in the file */
	const char *old;   /* a name that it had and may still have, or NULL */
	const char *alias; /* what libconfuse calls it; NULL: the same */
	size_t at;
	enum kind kind;
	/* Numbers: the range.  TEXT: max is the size of the field. */
	uint32_t min, max;
	/* What may be said; the place is the value.  FLAG: no, yes. */
	const char *word[8];
	/* Of a block `users`: enum user_driver_setting. */
	unsigned bit;
	bool secret;   /* there may be a password in it */
	bool is_fixed; /* it holds from the start to the end of the server */
};

/* Where a value goes; OF is another for the settings of a listener. */
#define OF                struct conf
#define AT(f)             .at = offsetof(OF, f)
#define TEXT_AT(f)        AT(f), .kind = TEXT, .max = sizeof(((OF *)0)->f)
#define NUM16_AT(f, a, b) AT(f), .kind = NUM16, .min = a, .max = b
#define NUM32_AT(f, a, b) AT(f), .kind = NUM32, .min = a, .max = b
#define SECONDS(f, a)     NUM32_AT(f, a, 24 * 3600)
#define FLAG_AT(f, ...)   AT(f), .kind = FLAG, .word = { __VA_ARGS__ }
#define YES_NO(f)         FLAG_AT(f, "no", "yes")
#define FIXED             .is_fixed = true

#define TLS_1_2_CIPHERS \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* "users = FILE", beside blocks of that name. */
#define USERS_SHORT "user" CONF_SHORT
/* The same of "certificate = FILE". */
#define CERTIFICATE_SHORT "certificat" CONF_SHORT

/* clang-format off */
static const struct setting settings[] = {
	{ "hostname", "", TEXT_AT(worker.host) },
	{ "certificate", "", TEXT_AT(certificate), .alias = CERTIFICATE_SHORT },
	{ "key", "", TEXT_AT(key) },
	{ "ocsp", "", TEXT_AT(ocsp) },
	{ "tls_min", "1.2", TEXT_AT(worker.tls_min), .word = { "1.2", "1.3" } },
	{ "tls_ciphers", TLS_1_2_CIPHERS, TEXT_AT(worker.tls_ciphers) },
	{ "mechanisms", "PLAIN LOGIN", TEXT_AT(mechanisms) },
	{ "client_ca", "", TEXT_AT(client_ca) },
	{ "client_crl", "", TEXT_AT(client_crl) },
	{ "client_name", "email", AT(auth.client_name), .kind = CHOICE,
	    .word = { "email", "cn", "uid" } },
	{ "anonymous", "", TEXT_AT(auth.anonymous) },
	{ "keytab", "", TEXT_AT(kerberos.keytab) },
	{ "krb5_conf", "", TEXT_AT(kerberos.krb5_conf) },
	{ "kerberos_realms", "", TEXT_AT(auth.realms) },
	{ "principals", "", TEXT_AT(auth.principals) },
	{ "master_separator", "", TEXT_AT(auth.master_separator),
	    .word = { "", "*", "!", "#", "|" } },
	{ "apop", "no", YES_NO(worker.apop) },
	{ "sdps", "no", YES_NO(worker.sdps) },
	{ "users", CONF_USERS, TEXT_AT(users), .alias = USERS_SHORT },
	{ "upgrade_scheme", "no", TEXT_AT(auth.upgrade_scheme),
	    .word = { "no", "ARGON2ID", "BLF-CRYPT", "SHA512-CRYPT", "YESCRYPT",
		"SCRAM-SHA-256", "SCRAM-SHA-1" } },
	{ "mail", "maildir:/srv/mail/%d/%n", TEXT_AT(mail) },
	{ "mail_root", "", TEXT_AT(mail_root) },
	{ "mail_user", "", TEXT_AT(mail_user), FIXED },
	{ "mail_group", "", TEXT_AT(mail_group), FIXED },
	{ "first_uid", "500", NUM32_AT(auth.first_uid, 1, UINT32_MAX - 1) },
	{ "last_uid", "4294967294",
	    NUM32_AT(auth.last_uid, 1, UINT32_MAX - 1) },
	{ "login_case", "lower", FLAG_AT(auth.login_lower, "keep", "lower") },
	{ "login_characters", "", TEXT_AT(auth.login_characters) },
	{ "login_separators", "", TEXT_AT(auth.login_separators) },
	{ "default_domain", "", TEXT_AT(auth.default_domain) },
	{ "uidl", "auto", AT(store.uidl), .kind = CHOICE,
	    .word = { "auto", "filename", "dovecot", "courier" } },
	{ "pop3_uidl_format", "%08Xu%08Xv", TEXT_AT(store.uidl_format) },
	{ "utf8_messages", "pass", AT(store.utf8_messages), .kind = CHOICE,
	    .word = { "pass", "convert", "simple", "refuse" } },
	{ "sessions", "exclusive",
	    FLAG_AT(store.shared, "exclusive", "shared") },
	{ "takeover", "60", SECONDS(store.takeover, 0) },
	{ "mark_seen", "no", YES_NO(store.mark_seen) },
	{ "trash", "no", YES_NO(store.trash) },
	{ "create_maildir", "yes", YES_NO(store.create) },
	{ "maildrop_symlinks", "no", YES_NO(store.follow_maildrop) },
	{ "log_removed", "yes", YES_NO(store.log_removed) },
	{ "expire", "never", TEXT_AT(expire) },
	{ "expire_share", "50", NUM32_AT(store.expire_share, 0, 100) },
	{ "expire_floor", "20", NUM32_AT(store.expire_floor, 0, 10000000) },
	{ "expire_every", "86400", SECONDS(expire_every, 1) },
	{ "max_sessions_per_user", "16", NUM16_AT(store.per_user_max, 2, 60000) },
	{ "login_timeout", "180", SECONDS(worker.login_timeout, 1) },
	{ "idle_timeout", "600", SECONDS(worker.idle_timeout, 1) },
	{ "write_timeout", "600", SECONDS(worker.write_timeout, 1) },
	{ "tls_timeout", "60", SECONDS(worker.tls_timeout, 1) },
	{ "stop_grace", "30", SECONDS(stop_grace, 0) },
	{ "drain_timeout", "3600", SECONDS(drain_timeout, 0) },
	{ "allow_nets", "", TEXT_AT(allow_nets) },
	{ "deny_nets", "", TEXT_AT(deny_nets) },
	{ "max_sessions", "0", NUM32_AT(max_sessions, 0, 10000000) },
	{ "max_connections_per_address", "64",
	    NUM32_AT(worker.per_address_max, 0, 10000000) },
	{ "login_delay", "0",
	    NUM32_AT(auth.login_delay, 0, LOGIN_DELAY_MAX) },
	{ "max_bad_commands", "10", NUM16_AT(worker.bad_max, 1, 65535) },
	{ "max_failures", "10", NUM16_AT(worker.failures_max, 1, 65535) },
	{ "failure_delay", "yes", YES_NO(auth.penalties) },
	{ "workers", "0", NUM16_AT(worker.role.n, 0, WORKERS_MAX),
	    .old = "pop3_processes", FIXED },
	{ "store_processes", "0",
	    NUM16_AT(store.role.n, 0, STORE_PROCESSES_MAX), FIXED },
	{ "hash_threads", "0", NUM16_AT(auth.hash_threads, 0, 64), FIXED },
	{ "user", "_malote", TEXT_AT(user), FIXED },
	{ "auth_user", "_malote-auth", TEXT_AT(auth_user), FIXED },
	{ "kerberos_user", "_malote-krb5", TEXT_AT(kerberos_user), FIXED },
	{ "db_user", "_malote-db", TEXT_AT(db_user), FIXED },
	{ "pam_user", "root", TEXT_AT(pam_user), FIXED },
	{ "sasl_user", "_malote-sasl", TEXT_AT(sasl_user), FIXED },
	{ "net_user", "_malote-net", TEXT_AT(net_user), FIXED },
	{ "metrics", "", TEXT_AT(metrics_at), FIXED },
	{ "metrics_user", "_malote-metrics", TEXT_AT(metrics_user), FIXED },
	{ "control_socket", "/run/malote/control", TEXT_AT(control_socket), FIXED },
	{ "control_group", "", TEXT_AT(control_group), FIXED },
	{ "language", "en", TEXT_AT(worker.language) },
	{ "languages", LANGUAGES, TEXT_AT(languages) },
	{ "log", "stderr", FLAG_AT(syslog, "stderr", "syslog"), FIXED },
	{ "trace", "no", YES_NO(worker.trace) },
	{ "sandbox", "auto", FLAG_AT(sandbox_required, "auto", "require"), FIXED },
};

#undef OF
#define OF struct conf_listener

/* Of one listener. */
static const struct setting listener_settings[] = {
	{ "address", "*", .kind = ADDRESSES },
	{ "port", "110", NUM16_AT(port, 1, 65535) },
	{ "socket", "", TEXT_AT(socket) },
	{ "mode", "0660", TEXT_AT(mode) },
	{ "group", "", TEXT_AT(group) },
	{ "tls", "starttls", AT(tls), .kind = CHOICE,
	    .word = { "none", "starttls", "tls" } },
	{ "plaintext_login", "no", YES_NO(plaintext_login) },
	{ "client_certificates", "no", YES_NO(client_certificates) },
	{ "plaintext_gssapi", "no", YES_NO(plaintext_gssapi) },
	{ "kpop", "no", YES_NO(kpop) },
	{ "same_user", "no", YES_NO(same_user) },
	{ "proxy_from", "", TEXT_AT(proxy_from) },
	{ "proxy", "haproxy", AT(proxy), .kind = CHOICE,
	    .word = { "haproxy", "xclient" } },
	{ "secured", "no", YES_NO(secured) },
	{ "certificates", "", TEXT_AT(certificates) },
	{ "mechanisms", "", TEXT_AT(mechanisms) },
	{ "allow_nets", "", TEXT_AT(allow_nets) },
	{ "deny_nets", "", TEXT_AT(deny_nets) },
};

#undef OF
#define OF struct conf_certificate

/* Of one block `certificate`. */
static const struct setting certificate_settings[] = {
	{ "file", "", TEXT_AT(file) },
	{ "key", "", TEXT_AT(key) },
	{ "ocsp", "", TEXT_AT(ocsp) },
};

#undef OF
#define OF struct conf_users

/* Of one block `users`. */
static const struct setting users_settings[] = {
	{ "driver", "", TEXT_AT(driver) },
	{ "file", "", TEXT_AT(db.file), .bit = DRIVER_FILE },
	{ "connection", "", TEXT_AT(db.connection), .bit = DRIVER_CONNECTION,
	    .secret = true },
	{ "query", "", TEXT_AT(db.query), .bit = DRIVER_QUERY },
	{ "attributes", "", TEXT_AT(db.attributes), .bit = DRIVER_ATTRIBUTES },
	{ "list_query", "", TEXT_AT(list_query), .bit = DRIVER_LIST_QUERY },
	{ "add_query", "", TEXT_AT(add_query), .bit = DRIVER_ADD_QUERY },
	{ "passwd_query", "", TEXT_AT(passwd_query),
	    .bit = DRIVER_PASSWD_QUERY },
	{ "delete_query", "", TEXT_AT(delete_query),
	    .bit = DRIVER_DELETE_QUERY },
	{ "admin_connection", "", TEXT_AT(admin_connection),
	    .bit = DRIVER_ADMIN_CONNECTION, .secret = true },
	{ "scheme", "", TEXT_AT(scheme), .bit = DRIVER_SCHEME },
	{ "service", "malote", TEXT_AT(service), .bit = DRIVER_SERVICE },
	{ "program", "", TEXT_AT(program), .bit = DRIVER_PROGRAM },
	{ "mail", "", TEXT_AT(mail), .bit = DRIVER_MAIL },
	{ "mail_root", "", TEXT_AT(mail_root), .bit = DRIVER_MAIL_ROOT },
	{ "timeout", "10", NUM16_AT(db.timeout, 1, 60), .bit = DRIVER_TIMEOUT },
	{ "connections", "16", NUM16_AT(db.connections, 1, 128),
	    .bit = DRIVER_CONNECTIONS },
	{ "max_questions_per_process", "1", NUM16_AT(questions, 1, 1000),
	    .bit = DRIVER_QUESTIONS },
};

#undef OF
#define OF struct conf_service

/* Of one block `sasl`. */
static const struct setting service_settings[] = {
	{ "socket", "", TEXT_AT(socket) },
	{ "mode", "0660", TEXT_AT(mode) },
	{ "group", "", TEXT_AT(group) },
	{ "service", "smtp", TEXT_AT(service) },
	{ "mechanisms", "", TEXT_AT(mechanisms) },
	{ "plaintext_login", "no", YES_NO(plaintext_login) },
};

#undef OF
#define OF struct conf_issuer

/* Of one block `oauth`. */
static const struct setting issuer_settings[] = {
	{ "issuer", "", TEXT_AT(of.issuer) },
	{ "audience", "", TEXT_AT(of.audience) },
	{ "keys", "", TEXT_AT(of.keys) },
	{ "algorithms", "RS256 PS256 ES256 EdDSA", TEXT_AT(of.algorithms) },
	{ "scope", "", TEXT_AT(of.scope) },
	{ "user_claim", "", TEXT_AT(of.user_claim) },
	{ "leeway", "60", NUM16_AT(of.leeway, 0, 600) },
	{ "introspection", "", TEXT_AT(of.introspection) },
	{ "client_id", "", TEXT_AT(of.client_id) },
	{ "client_secret_file", "", TEXT_AT(of.client_secret_file) },
	{ "ca_file", "", TEXT_AT(of.ca_file) },
	{ "refresh", "3600", SECONDS(of.refresh, 1) },
	{ "keep", "86400", NUM32_AT(of.keep, 1, 30 * 24 * 3600) },
	{ "timeout", "10", NUM16_AT(of.timeout, 1, 60) },
	{ "openid_configuration", "", TEXT_AT(openid_configuration) },
};
/* clang-format on */

static_assert((int)SASL_INDEX == (int)WORKERS_MAX, "no worker has it");

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* libconfuse hands its callbacks no argument of ours: this is the one file
 * that is being read. */
static struct reader {
	struct conf_lines lines; /* first: see line_of() */
	struct conf *conf;
	unsigned line[COUNT(settings)];
	struct conf_listener listener; /* the one being read */
	unsigned listener_line[COUNT(listener_settings)];
	struct conf_certificate certificate;
	unsigned certificate_line[COUNT(certificate_settings)];
	struct conf_users users;
	unsigned users_line[COUNT(users_settings)];
	struct conf_service service;
	unsigned service_line[COUNT(service_settings)];
	struct conf_issuer issuer;
	unsigned issuer_line[COUNT(issuer_settings)];
} rd;

static unsigned
line_of(const struct conf_lines *l, const char *name)
{
	const struct reader *r = (const void *)l;

	for (size_t i = 0; i < COUNT(settings); i++)
		if (strcmp(settings[i].name, name) == 0)
			return r->line[i];
	return 0;
}

/* ---- values ---- */

/* "a", "b" or "c" */
static const char *
choices(const struct setting *s, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < COUNT(s->word) && s->word[i] != NULL; i++) {
		bool last = i + 1 == COUNT(s->word) || s->word[i + 1] == NULL;

		n += (size_t)snprintf(out + n, size - n, "%s\"%s\"",
		    i == 0 ? ""
		    : last ? " or "
			   : ", ",
		    s->word[i]);
	}
	return out;
}

static enum err
store_word(
    void *field, const struct setting *s, const char *value, struct errbuf *eb)
{
	char may[128], bad[64];

	for (size_t i = 0; i < COUNT(s->word) && s->word[i] != NULL; i++) {
		if (strcmp(s->word[i], value) != 0)
			continue;
		if (s->kind == FLAG)
			*(bool *)field = i != 0;
		else if (s->kind == CHOICE)
			*(int *)field = (int)i;
		else
			snprintf(field, s->max, "%s", value);
		return E_OK;
	}
	return err_set(eb, E_CONFIG, "%s = \"%s\" is not known; write %s",
	    s->name, str_escape(bad, sizeof(bad), value, strlen(value)),
	    choices(s, may, sizeof(may)));
}

static enum err
store_number(
    void *field, const struct setting *s, const char *value, struct errbuf *eb)
{
	char bad[64];
	uint32_t v;

	if (!str_to_u32((struct slice){ value, strlen(value) }, &v) ||
	    v < s->min || v > s->max)
		return err_set(eb, E_CONFIG,
		    "%s = \"%s\" is no number in its range; write %u to %u",
		    s->name, str_escape(bad, sizeof(bad), value, strlen(value)),
		    s->min, s->max);
	if (s->kind == NUM16)
		*(uint16_t *)field = (uint16_t)v;
	else
		*(uint32_t *)field = v;
	return E_OK;
}

static enum err
store_text(
    void *field, const struct setting *s, const char *value, struct errbuf *eb)
{
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(eb, E_CONFIG,
			    "%s holds a control character; write printable "
			    "ones only",
			    s->name);
	if (strlen(value) >= s->max)
		return err_set(eb, E_CONFIG,
		    "%s is too long; write at most %u octets", s->name,
		    s->max - 1);
	snprintf(field, s->max, "%s", value);
	return E_OK;
}

/* base: the struct that s->at is in. */
static enum err
store_value(
    void *base, const struct setting *s, const char *value, struct errbuf *eb)
{
	void *field = (char *)base + s->at;

	if (s->word[0] != NULL)
		return store_word(field, s, value, eb);
	if (s->kind == NUM16 || s->kind == NUM32)
		return store_number(field, s, value, eb);
	return store_text(field, s, value, eb);
}

static void
defaults(void *base, const struct setting *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].kind != ADDRESSES &&
		    store_value(base, &s[i], s[i].init, NULL) != E_OK)
			abort(); /* the table is wrong */
}

static void
listener_start(void)
{
	memset(&rd.listener, 0, sizeof(rd.listener));
	memset(rd.listener_line, 0, sizeof(rd.listener_line));
	defaults(&rd.listener, listener_settings, COUNT(listener_settings));
}

static void
certificate_start(void)
{
	memset(&rd.certificate, 0, sizeof(rd.certificate));
	memset(rd.certificate_line, 0, sizeof(rd.certificate_line));
	defaults(
	    &rd.certificate, certificate_settings, COUNT(certificate_settings));
}

static void
users_start(void)
{
	memset(&rd.users, 0, sizeof(rd.users));
	memset(rd.users_line, 0, sizeof(rd.users_line));
	defaults(&rd.users, users_settings, COUNT(users_settings));
}

static void
service_start(void)
{
	memset(&rd.service, 0, sizeof(rd.service));
	memset(rd.service_line, 0, sizeof(rd.service_line));
	defaults(&rd.service, service_settings, COUNT(service_settings));
}

static void
issuer_start(void)
{
	memset(&rd.issuer, 0, sizeof(rd.issuer));
	memset(rd.issuer_line, 0, sizeof(rd.issuer_line));
	defaults(&rd.issuer, issuer_settings, COUNT(issuer_settings));
}

/* ---- what libconfuse calls ---- */

static const char *
alias(const struct setting *s)
{
	return s->alias != NULL ? s->alias : s->name;
}

static bool
is_called(const struct setting *s, const char *name)
{
	return strcmp(alias(s), name) == 0 ||
	       (s->old != NULL && strcmp(s->old, name) == 0);
}

/* The setting of that name in a table, once; its line is noted. */
static const struct setting *
setting_begin(const struct setting *table, size_t n, unsigned *line,
    const cfg_t *cfg, const char *name)
{
	char at[CONF_LINE_WORDS];

	for (size_t i = 0; i < n; i++) {
		if (!is_called(&table[i], name))
			continue;
		if (line[i] != 0 && table[i].kind != ADDRESSES)
			conf_error(&rd.lines.text, (unsigned)cfg->line,
			    "%s stands in %s already; leave one of them",
			    table[i].alias != NULL ? table[i].name : name,
			    conf_line_words(at, &rd.lines.text, line[i],
				(unsigned)cfg->line));
		line[i] = (unsigned)cfg->line;
		return &table[i];
	}
	return NULL;
}

static int
on_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct setting *s =
	    setting_begin(settings, COUNT(settings), rd.line, cfg, opt->name);
	struct errbuf eb;

	if (store_value(rd.conf, s, cfg_opt_getstr(opt), &eb) != E_OK)
		conf_error(&rd.lines.text, (unsigned)cfg->line, "%s", eb.text);
	return 0;
}

/* libconfuse calls this for each address of the list anew. */
static void
store_addresses(cfg_t *cfg, cfg_opt_t *opt)
{
	struct conf_listener *l = &rd.listener;
	unsigned n = cfg_opt_size(opt);
	char bad[64];

	if (n > CONF_ADDRESSES) {
		conf_error(&rd.lines.text, (unsigned)cfg->line,
		    "too many addresses; write at most %d", CONF_ADDRESSES);
		n = CONF_ADDRESSES;
	}
	for (unsigned i = l->n_addresses; i < n; i++) {
		const char *a = cfg_opt_getnstr(opt, i);

		if (strlen(a) >= CONF_ADDRESS_MAX)
			conf_error(&rd.lines.text, (unsigned)cfg->line,
			    "address \"%s\" is too long to be one",
			    str_escape(bad, sizeof(bad), a, strlen(a)));
		snprintf(l->address[i], CONF_ADDRESS_MAX, "%s", a);
	}
	l->n_addresses = n;
}

static int
on_listener_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct setting *s = setting_begin(listener_settings,
	    COUNT(listener_settings), rd.listener_line, cfg, opt->name);
	struct errbuf eb;

	if (s->kind == ADDRESSES)
		store_addresses(cfg, opt);
	else if (store_value(&rd.listener, s, cfg_opt_getstr(opt), &eb) != E_OK)
		conf_error(&rd.lines.text, (unsigned)cfg->line, "%s", eb.text);
	return 0;
}

/* At the end of a listener. */
static int
on_listener(cfg_t *cfg, cfg_opt_t *opt)
{
	struct conf *c = rd.conf;
	cfg_t *sec = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	struct conf_listener *l = &rd.listener;

	l->line = (unsigned)cfg->line;
	if (c->n_listeners == LISTENERS_MAX) {
		conf_error(&rd.lines.text, l->line,
		    "too many listeners; write at most %d", LISTENERS_MAX);
		return 0;
	}
	if (l->n_addresses == 0 && l->socket[0] == '\0') {
		memcpy(l->address[0], "*", 2);
		l->n_addresses = 1;
	}
	str_escape(
	    l->name, sizeof(l->name), cfg_title(sec), strlen(cfg_title(sec)));
	c->listener[c->n_listeners++] = *l;
	listener_start();
	return 0;
}

static int
on_certificate_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct setting *s = setting_begin(certificate_settings,
	    COUNT(certificate_settings), rd.certificate_line, cfg, opt->name);
	struct errbuf eb;

	if (store_value(&rd.certificate, s, cfg_opt_getstr(opt), &eb) != E_OK)
		conf_error(&rd.lines.text, (unsigned)cfg->line, "%s", eb.text);
	return 0;
}

/* At the end of a block `certificate`. */
static int
on_certificate(cfg_t *cfg, cfg_opt_t *opt)
{
	struct conf *c = rd.conf;
	const char *title =
	    cfg_title(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
	struct conf_certificate *of = &rd.certificate;

	of->line = (unsigned)cfg->line;
	str_escape(of->name, sizeof(of->name), title, strlen(title));
	/* One place is for the settings of that name. */
	if (c->n_certificates < CERTIFICATES_MAX - 1)
		c->certificates[c->n_certificates++] = *of;
	else
		conf_error(&rd.lines.text, of->line,
		    "too many blocks certificate; write at most %d",
		    CERTIFICATES_MAX - 1);
	certificate_start();
	return 0;
}

static int
on_users_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct setting *s = setting_begin(users_settings,
	    COUNT(users_settings), rd.users_line, cfg, opt->name);
	struct errbuf eb;

	rd.users.says |= s->bit;
	if (s->bit == DRIVER_QUERY)
		rd.users.query_line = (unsigned)cfg->line;
	else if (s->bit == DRIVER_CONNECTION || s->bit == DRIVER_FILE)
		rd.users.connection_line = (unsigned)cfg->line;
	else if (s->bit == DRIVER_MAIL)
		rd.users.mail_line = (unsigned)cfg->line;
	else if (s->bit == DRIVER_MAIL_ROOT)
		rd.users.mail_root_line = (unsigned)cfg->line;
	if (store_value(&rd.users, s, cfg_opt_getstr(opt), &eb) != E_OK)
		conf_error(&rd.lines.text, (unsigned)cfg->line, "%s", eb.text);
	return 0;
}

/* At the end of a block `users`. */
static int
on_users(cfg_t *cfg, cfg_opt_t *opt)
{
	struct conf *c = rd.conf;
	const char *title =
	    cfg_title(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
	struct conf_users *u = &rd.users;

	u->line = (unsigned)cfg->line;
	str_escape(u->db.name, sizeof(u->db.name), title, strlen(title));
	if (c->n_known < KNOWN_USERS_MAX)
		c->known[c->n_known++] = *u;
	else
		conf_error(&rd.lines.text, u->line,
		    "too many blocks users; write at most %d", KNOWN_USERS_MAX);
	users_start();
	return 0;
}

static int
on_service_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct setting *s = setting_begin(service_settings,
	    COUNT(service_settings), rd.service_line, cfg, opt->name);
	struct errbuf eb;

	if (store_value(&rd.service, s, cfg_opt_getstr(opt), &eb) != E_OK)
		conf_error(&rd.lines.text, (unsigned)cfg->line, "%s", eb.text);
	return 0;
}

/* At the end of a block `sasl`. */
static int
on_service(cfg_t *cfg, cfg_opt_t *opt)
{
	struct conf *c = rd.conf;
	const char *title =
	    cfg_title(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
	struct conf_service *s = &rd.service;

	s->line = (unsigned)cfg->line;
	str_escape(s->name, sizeof(s->name), title, strlen(title));
	if (c->n_services < SERVICES_MAX)
		c->service[c->n_services++] = *s;
	else
		conf_error(&rd.lines.text, s->line,
		    "too many blocks sasl; write at most %d", SERVICES_MAX);
	service_start();
	return 0;
}

static int
on_issuer_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct setting *s = setting_begin(issuer_settings,
	    COUNT(issuer_settings), rd.issuer_line, cfg, opt->name);
	struct errbuf eb;

	if (store_value(&rd.issuer, s, cfg_opt_getstr(opt), &eb) != E_OK)
		conf_error(&rd.lines.text, (unsigned)cfg->line, "%s", eb.text);
	return 0;
}

/* At the end of a block `oauth`. */
static int
on_issuer(cfg_t *cfg, cfg_opt_t *opt)
{
	struct conf *c = rd.conf;
	const char *title =
	    cfg_title(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
	struct conf_issuer *i = &rd.issuer;

	i->line = (unsigned)cfg->line;
	str_escape(i->of.name, sizeof(i->of.name), title, strlen(title));
	if (c->n_issuers < ISSUERS_MAX)
		c->issuer[c->n_issuers++] = *i;
	else
		conf_error(&rd.lines.text, i->line,
		    "too many blocks oauth; write at most %d", ISSUERS_MAX);
	issuer_start();
	return 0;
}

/* ---- reading ---- */

static cfg_opt_t
option(const char *name, enum kind kind, cfg_validate_callback_t on)
{
	cfg_opt_t opt =
	    kind == ADDRESSES
		? (cfg_opt_t)CFG_STR_LIST(name, NULL, CFGF_NODEFAULT)
		: (cfg_opt_t)CFG_STR(name, NULL, CFGF_NODEFAULT);

	opt.validcb = on;
	return opt;
}

/* At most two for each setting; returns where they end. */
static cfg_opt_t *
options(cfg_opt_t *opt, const struct setting *s, size_t n,
    cfg_validate_callback_t on)
{
	for (size_t i = 0; i < n; i++) {
		*opt++ = option(alias(&s[i]), s[i].kind, on);
		if (s[i].old != NULL)
			*opt++ = option(s[i].old, s[i].kind, on);
	}
	return opt;
}

static void
parse(char *text)
{
	/* What Dovecot, and libraries, call what is in a block `users`. */
	static const struct conf_synonym synonyms[] = {
		{ "connect", "connection" },
		{ "uri", "connection" },
		{ "uris", "connection" },
		{ "hosts", "connection" },
		{ "password_query", "query" },
		{ "user_query", "query" },
		{ "pass_filter", "query" },
		{ "user_filter", "query" },
		{ "filter", "query" },
		{ "pass_attrs", "attributes" },
		{ "user_attrs", "attributes" },
		{ "iterate_query", "list_query" },
		{ "iterate_filter", "list_query" },
		{ "default_pass_scheme", "scheme" },
		{ NULL, NULL },
	};
	static const struct conf_grammar grammar = {
		.section = "block",
		.manual = "maloted.conf(5)",
		.synonyms = synonyms,
	};
	enum { FLAGS = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES };
	cfg_opt_t in_listener[2 * COUNT(listener_settings) + 1];
	cfg_opt_t in_certificate[2 * COUNT(certificate_settings) + 1];
	cfg_opt_t in_users[2 * COUNT(users_settings) + 1];
	cfg_opt_t in_service[2 * COUNT(service_settings) + 1];
	cfg_opt_t in_issuer[2 * COUNT(issuer_settings) + 1];
	cfg_opt_t opt[2 * COUNT(settings) + 6], *end;

	end = options(in_listener, listener_settings, COUNT(listener_settings),
	    on_listener_setting);
	*end = (cfg_opt_t)CFG_END();
	end = options(in_certificate, certificate_settings,
	    COUNT(certificate_settings), on_certificate_setting);
	*end = (cfg_opt_t)CFG_END();
	end = options(
	    in_users, users_settings, COUNT(users_settings), on_users_setting);
	*end = (cfg_opt_t)CFG_END();
	end = options(in_service, service_settings, COUNT(service_settings),
	    on_service_setting);
	*end = (cfg_opt_t)CFG_END();
	end = options(in_issuer, issuer_settings, COUNT(issuer_settings),
	    on_issuer_setting);
	*end = (cfg_opt_t)CFG_END();
	opt[0] = (cfg_opt_t)CFG_SEC("listener", in_listener, FLAGS);
	opt[0].validcb = on_listener;
	opt[1] = (cfg_opt_t)CFG_SEC("users", in_users, FLAGS);
	opt[1].validcb = on_users;
	opt[2] = (cfg_opt_t)CFG_SEC("sasl", in_service, FLAGS);
	opt[2].validcb = on_service;
	opt[3] = (cfg_opt_t)CFG_SEC("oauth", in_issuer, FLAGS);
	opt[3].validcb = on_issuer;
	opt[4] = (cfg_opt_t)CFG_SEC("certificate", in_certificate, FLAGS);
	opt[4].validcb = on_certificate;
	end = options(opt + 5, settings, COUNT(settings), on_setting);
	*end = (cfg_opt_t)CFG_END();
	conf_parse(&rd.lines.text, text, opt, &grammar);
}

void
conf_env_here(struct conf_env *env)
{
	struct rlimit lim;
	cpu_set_t set;

	memset(env, 0, sizeof(*env));
	env->uid = geteuid();
	env->gid = getegid();
	env->cores = sched_getaffinity(0, sizeof(set), &set) == 0
			 ? (unsigned)CPU_COUNT(&set)
			 : 1;
	env->nofile = 1024;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
		env->nofile =
		    lim.rlim_max < 1000000 ? (uint32_t)lim.rlim_max : 1000000;
	}
}

/* The defaults.  From here on rd is about this file. */
static void
read_begin(struct conf *c, const char *file, struct conf_report *report)
{
	memset(c, 0, sizeof(*c));
	memset(&rd, 0, sizeof(rd));
	rd.lines.text = (struct conf_text){
		.file = file, .report = report, .expand = true
	};
	rd.lines.line = line_of;
	rd.conf = c;
	defaults(c, settings, COUNT(settings));
	listener_start();
	certificate_start();
	users_start();
	service_start();
	issuer_start();
}

/* What the file says, with the defaults; nothing is checked together. */
static enum err
read_file(struct conf *c, const char *file, struct conf_report *report)
{
	read_begin(c, file, report);
	c->file = file;
	include_read(&c->source, &rd.lines.text);
	rd.lines.text.pieces = &c->source.pieces;
	if (c->source.text != NULL)
		parse(c->source.text);
	free(c->source.text);
	c->source.text = NULL;
	return report->errors == 0 ? E_OK : E_CONFIG;
}

enum err
conf_read(struct conf *c, const char *file, const struct conf_env *env,
    struct conf_report *report)
{
	if (read_file(c, file, report) != E_OK)
		return E_CONFIG;
	conf_check(c, env, &rd.lines);
	return report->errors == 0 ? E_OK : E_CONFIG;
}

static void
say_nothing(void *arg, const char *line)
{
}

/* ---- reading again ---- */

/* Octets of its value in struct conf. */
static size_t
size_of(const struct setting *s)
{
	switch (s->kind) {
	case TEXT: return s->max;
	case FLAG: return sizeof(bool);
	case NUM16: return sizeof(uint16_t);
	case NUM32: return sizeof(uint32_t);
	default: return sizeof(int);
	}
}

static bool
is_same(const struct setting *s, const struct conf *a, const struct conf *b)
{
	const char *v = (const char *)a + s->at, *w = (const char *)b + s->at;

	return s->kind == TEXT ? strcmp(v, w) == 0
			       : memcmp(v, w, size_of(s)) == 0;
}

/* Which settings differ that are not to. */
struct differing {
	bool is[COUNT(settings)];
	bool any;
};

static void
find_differing(
    struct differing *d, const struct conf *c, const struct conf *now)
{
	for (size_t i = 0; i < COUNT(settings); i++) {
		d->is[i] =
		    settings[i].is_fixed && !is_same(&settings[i], c, now);
		d->any |= d->is[i];
	}
}

static void
tell_differing(const struct differing *d,
    void (*kept)(void *arg, const char *setting), void *arg)
{
	for (size_t i = 0; i < COUNT(settings); i++)
		if (d->is[i])
			kept(arg, settings[i].name);
}

static void
keep(struct conf *c, const struct conf *now, const struct differing *d)
{
	for (size_t i = 0; i < COUNT(settings); i++)
		if (d->is[i])
			memcpy((char *)c + settings[i].at,
			    (const char *)now + settings[i].at,
			    size_of(&settings[i]));
}

/* Sessions there can be as many as there were places for at the start. */
static void
fit_slots(struct conf *c, const struct conf *now,
    void (*kept)(void *arg, const char *setting), void *arg)
{
	c->worker.slots = now->worker.slots;
	if (c->worker.sessions_max <= c->worker.slots)
		return;
	c->worker.sessions_max = c->worker.slots;
	kept(arg, "max_sessions");
}

enum err
conf_read_again(struct conf *c, const char *file, const struct conf_env *env,
    struct conf_report *report, const struct conf *now,
    void (*kept)(void *arg, const char *setting), void *arg)
{
	struct conf_report quiet = { .say = say_nothing };
	struct differing d = { .any = false };

	if (conf_read(c, file, env, report) != E_OK)
		return E_CONFIG;
	find_differing(&d, c, now);
	if (d.any) {
		tell_differing(&d, kept, arg);
		conf_free(c);
		if (read_file(c, file, &quiet) != E_OK)
			return E_CONFIG;
		keep(c, now, &d);
		conf_check(c, env, &rd.lines);
	}
	if (quiet.errors != 0) {
		conf_error(
		    &(struct conf_text){ .file = file, .report = report }, 0,
		    "what has changed does not go with what cannot change "
		    "while maloted runs: restart it");
		return E_CONFIG;
	}
	fit_slots(c, now, kept, arg);
	if (!conf_number_roots(c, now) && now->store.role.n != 0)
		kept(arg, "store_processes");
	return E_OK;
}

enum err
conf_accounts(struct conf *c, const char *file, const struct conf_env *env,
    struct conf_report *report)
{
	struct conf_report quiet = { .say = say_nothing };

	if (file == NULL)
		read_begin(c, "", &quiet);
	else if (read_file(c, file, report) != E_OK)
		return E_CONFIG;
	rd.lines.text.report = &quiet;
	conf_check_known(c, &rd.lines);
	conf_check_accounts(c, env, &rd.lines);
	return E_OK;
}

/* ---- showing ---- */

/* As it may stand in the file. */
static void
show_text(FILE *to, const char *value)
{
	putc('"', to);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', to);
		putc(*value, to);
	}
	putc('"', to);
}

static void
show_addresses(FILE *to, const struct conf_listener *l)
{
	putc('{', to);
	for (unsigned i = 0; i < l->n_addresses; i++) {
		fputs(i == 0 ? "" : ", ", to);
		show_text(to, l->address[i]);
	}
	putc('}', to);
}

static void
show_value(FILE *to, const void *base, const struct setting *s)
{
	const void *field = (const char *)base + s->at;

	switch (s->kind) {
	case TEXT: show_text(to, s->secret ? "***" : field); break;
	case FLAG: show_text(to, s->word[*(const bool *)field]); break;
	case CHOICE: show_text(to, s->word[*(const int *)field]); break;
	case NUM16: fprintf(to, "%u", *(const uint16_t *)field); break;
	case NUM32: fprintf(to, "%u", *(const uint32_t *)field); break;
	case ADDRESSES: show_addresses(to, base); break;
	}
}

/* Where it comes from. */
static void
show_line(FILE *to, const struct conf *c, unsigned line)
{
	if (line != 0)
		fprintf(to, "\t# %s:%u\n", c->file, line);
	else
		fputs("\t# default\n", to);
}

/* says: only those whose bits are in it. */
static void
show_block(FILE *to, const struct conf *c, const void *block,
    const struct setting *s, size_t n, unsigned says, unsigned line)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i].bit != 0 && (s[i].bit & says) == 0)
			continue;
		fprintf(to, "\t%s = ", s[i].name);
		show_value(to, block, &s[i]);
		putc('\n', to);
	}
	putc('}', to);
	show_line(to, c, line);
}

/* Those that stand there, and those of the driver that hold in any case. */
static void
show_users(FILE *to, const struct conf *c, const struct conf_users *u)
{
	const struct user_driver *d = &user_drivers[u->db.driver];
	unsigned holds = d->may & (DRIVER_BOUNDS | DRIVER_QUESTIONS);

	fprintf(to, "users \"%s\" {\n", u->db.name);
	show_block(to, c, u, users_settings, COUNT(users_settings),
	    u->says | holds, u->line);
}

void
conf_show(const struct conf *c, FILE *to)
{
	for (size_t i = 0; i < COUNT(settings); i++) {
		if (c->n_known != 0 && strcmp(settings[i].name, "users") == 0 &&
		    c->users[0] == '\0')
			continue; /* there are blocks */
		fprintf(to, "%s = ", settings[i].name);
		show_value(to, c, &settings[i]);
		show_line(to, c, rd.line[i]);
	}
	for (unsigned i = 0; i < c->n_listeners; i++) {
		fprintf(to, "listener \"%s\" {\n", c->listener[i].name);
		show_block(to, c, &c->listener[i], listener_settings,
		    COUNT(listener_settings), 0, c->listener[i].line);
	}
	for (unsigned i = 0; i < c->n_known; i++)
		if (c->known[i].line != 0) /* else of the setting */
			show_users(to, c, &c->known[i]);
	for (unsigned i = 0; i < c->n_services; i++) {
		fprintf(to, "sasl \"%s\" {\n", c->service[i].name);
		show_block(to, c, &c->service[i], service_settings,
		    COUNT(service_settings), 0, c->service[i].line);
	}
}

void
conf_free(struct conf *c)
{
	for (unsigned i = 0; i < c->n_certificates; i++)
		certificate_free(&c->certificates[i].read);
	include_free(&c->source);
}

struct conf_text
conf_text_of(const struct conf *c, struct conf_report *report)
{
	return (struct conf_text){
		.file = c->file, .pieces = &c->source.pieces, .report = report
	};
}
