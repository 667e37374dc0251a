#include "client/conf/client_conf.h"

#include <confuse.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/slurp.h"
#include "base/str.h"
#include "client/conf/check.h"
#include "client/conf/dest_login.h"
#include "client/conf/oauth_client.h"
#include "client/conf/place.h"
#include "client/conf/rule.h"
#include "client/conf/synonyms.h"
#include "client/conf/value.h"
#include "conf/parse.h"

enum { FILE_MAX = 1024 * 1024 };

/* ---- the settings ---- */

/* What a value leaves in its field. */
enum holds {
	NUMBER, /* or another word of the language */
	TEXT,   /* an allocated string, or NULL */
	SECRET, /* the same; nothing of it is shown, and it is wiped */
	DEST,   /* a struct dest */
	NAMES,  /* an allocated array of allocated strings, or NULL */
};

/* A new setting: a field of struct account, a row here, its default in
 * block_start() if that is not 0 or NULL, and its place in malote.conf(5).
 * One of another block is the same for its struct. */
struct setting {
	const char *name;
	size_t at; /* its field */
	value_parse *parse;
	enum holds holds;
};

#define AT(f) offsetof(struct account, f)

static const struct setting account_settings[] = {
	{ "email", AT(email), value_email, TEXT },
	{ "server", AT(server), value_server, TEXT },
	{ "port", AT(port), value_port, NUMBER },
	{ "security", AT(security), value_security, NUMBER },
	{ "user", AT(user), value_text, TEXT },
	{ "auth", AT(auth), value_auth, TEXT },
	{ "password", AT(password), value_secret, SECRET },
	{ "password_command", AT(password_command), value_secret, TEXT },
	{ "keyring", AT(keyring), value_yes, NUMBER },
	{ "token_command", AT(token_command), value_secret, TEXT },
	{ "oauth", AT(oauth), value_text, TEXT },
	{ "keep", AT(keep), value_keep, NUMBER },
	{ "deliver", AT(dest), value_dest, DEST },
	{ "delete_mine", AT(delete_mine), value_yes, NUMBER },
	{ "trash", AT(trash), value_folders, NAMES },
	{ "on_new", AT(on_new), value_secret, TEXT },
	{ "notify", AT(notify), value_yes, NUMBER },
	{ "sdps", AT(sdps), value_yes, NUMBER },
	{ "folders", AT(folders), value_folders, NAMES },
	{ "rules", AT(rule_names), value_rules, NAMES },
	{ "ca_file", AT(ca_file), value_path, TEXT },
	{ "fingerprint", AT(fingerprint), value_fingerprint, TEXT },
	{ "client_certificate", AT(client_certificate), value_path, TEXT },
	{ "client_key", AT(client_key), value_path, TEXT },
	{ "proxy", AT(proxy), value_proxy, SECRET },
	{ "timeout", AT(timeout), value_day, NUMBER },
	{ "session_timeout", AT(session_timeout), value_week, NUMBER },
	{ "interval", AT(interval), value_year, NUMBER },
	{ "patience", AT(patience), value_patience, NUMBER },
	{ "max_connections", AT(max_connections), value_count, NUMBER },
	{ "max_size", AT(max_size), value_size, NUMBER },
	{ "headers_above", AT(headers_above), value_size, NUMBER },
	{ "smtp_server", AT(smtp.server), value_server, TEXT },
	{ "smtp_port", AT(smtp.port), value_port, NUMBER },
	{ "smtp_security", AT(smtp.security), value_security, NUMBER },
	{ "smtp_user", AT(smtp.user), value_text, TEXT },
	{ "smtp_auth", AT(smtp.auth), value_auth, TEXT },
	{ "smtp_fingerprint", AT(smtp.fingerprint), value_fingerprint, TEXT },
	{ "sent", AT(sent), value_dest, DEST },
	{ "default", AT(is_default), value_yes, NUMBER },
	{ "outbox_messages", AT(outbox_messages), value_count, NUMBER },
	{ "outbox_size", AT(outbox_size), value_size, NUMBER },
};

#undef AT
#define AT(f) offsetof(struct oauth_client, f)

static const struct setting oauth_settings[] = {
	{ "provider", AT(provider), value_provider, TEXT },
	{ "flow", AT(flow), value_flow, NUMBER },
	{ "client_id", AT(client_id), value_text, TEXT },
	{ "client_secret", AT(client_secret), value_secret, SECRET },
	{ "authorization_url", AT(authorization_url), value_web, TEXT },
	{ "device_url", AT(device_url), value_web, TEXT },
	{ "token_url", AT(token_url), value_web, TEXT },
	{ "scope", AT(scope), value_text, TEXT },
	{ "redirect_url", AT(redirect_url), value_redirect, TEXT },
	{ "ca_file", AT(ca_file), value_path, TEXT },
};

#undef AT
#define AT(f) offsetof(struct rule, f)

static const struct setting rule_settings[] = {
	{ "match", AT(match), value_match, TEXT },
	{ "deliver", AT(dest), value_dest, DEST },
};

#undef AT
#define AT(f) offsetof(struct destination, f)

static const struct setting destination_settings[] = {
	{ "user", AT(login.user), value_text, TEXT },
	{ "auth", AT(login.auth), value_auth, TEXT },
	{ "password", AT(login.password), value_secret, SECRET },
	{ "password_command", AT(login.password_command), value_secret, TEXT },
	{ "keyring", AT(login.keyring), value_yes, NUMBER },
	{ "token_command", AT(login.token_command), value_secret, TEXT },
	{ "oauth", AT(login.oauth), value_text, TEXT },
	{ "scope", AT(login.scope), value_text, TEXT },
	{ "ca_file", AT(login.ca_file), value_path, TEXT },
	{ "fingerprint", AT(login.fingerprint), value_fingerprint, TEXT },
	{ "client_certificate", AT(login.client_certificate), value_path,
	    TEXT },
	{ "client_key", AT(login.client_key), value_path, TEXT },
	{ "proxy", AT(login.proxy), value_proxy, SECRET },
	{ "flags", AT(flags), value_flags, TEXT },
	{ "create", AT(creates), value_yes, NUMBER },
	{ "never_spam", AT(never_spam), value_yes, NUMBER },
	{ "url", AT(url), value_web, TEXT },
};

enum {
	ACCOUNT_SETTINGS =
	    sizeof(account_settings) / sizeof(account_settings[0]),
	OAUTH_SETTINGS = sizeof(oauth_settings) / sizeof(oauth_settings[0]),
	RULE_SETTINGS = sizeof(rule_settings) / sizeof(rule_settings[0]),
	DESTINATION_SETTINGS =
	    sizeof(destination_settings) / sizeof(destination_settings[0]),
	SETTINGS = ACCOUNT_SETTINGS, /* of any block, at most */
};

struct block;

/* libconfuse hands its callbacks no argument of ours: this is the one file
 * that is being read. */
static struct reader {
	struct conf_lines lines; /* first: see line_of() */
	struct client_conf *conf;
	struct value_place place;
	struct conf_sections sections;
	/* The block being read, where it begins, and the lines of what it says. */
	const struct block *block;
	unsigned begins, line[SETTINGS];
	struct account account;
	struct oauth_client oauth;
	struct rule rule;
	struct destination destination;
	unsigned secret_line;
	bool has_unknown; /* the account has settings that are not known */
	const struct stat *st;
	bool no_memory;
} rd;

/* A kind of block, and what holds the one that is being read. */
static const struct block {
	const char *name;
	const struct setting *settings;
	size_t n;
	void *object;
} account_block = { "account", account_settings, ACCOUNT_SETTINGS,
	&rd.account },
  oauth_block = { "oauth", oauth_settings, OAUTH_SETTINGS, &rd.oauth },
  rule_block = { "rule", rule_settings, RULE_SETTINGS, &rd.rule },
  destination_block = { "destination", destination_settings,
	  DESTINATION_SETTINGS, &rd.destination },
  *const blocks[] = { &account_block, &oauth_block, &rule_block,
	  &destination_block };

enum { BLOCKS = sizeof(blocks) / sizeof(blocks[0]) };

static size_t
index_of(const char *name)
{
	size_t i = 0;

	while (strcmp(rd.block->settings[i].name, name) != 0)
		i++;
	return i;
}

/* What a setting that is not in the file would be in: its block. */
static unsigned
line_of(const struct conf_lines *l, const char *name)
{
	const struct reader *r = (const void *)l;
	unsigned line = r->line[index_of(name)];

	return line != 0 ? line : r->begins;
}

static bool
is_said(const char *name)
{
	return rd.line[index_of(name)] != 0;
}

/* ---- accounts ---- */

static void
setting_clear(const struct setting *s, void *object)
{
	void *field = (char *)object + s->at;

	switch (s->holds) {
	case NUMBER: break;
	case TEXT: free(*(char **)field); break;
	case SECRET: str_wipe(*(char **)field); break;
	case DEST: dest_clear(field); break;
	case NAMES: value_names_free(*(char ***)field); break;
	}
}

static void
settings_clear(const struct block *b, void *object)
{
	for (size_t i = 0; i < b->n; i++)
		setting_clear(&b->settings[i], object);
}

static void
account_clear(struct account *a)
{
	settings_clear(&account_block, a);
	free(a->rules);
	free(a->name);
	memset(a, 0, sizeof(*a));
}

static void
oauth_clear(struct oauth_client *c)
{
	settings_clear(&oauth_block, c);
	free(c->name);
	memset(c, 0, sizeof(*c));
}

static void
rule_clear(struct rule *r)
{
	settings_clear(&rule_block, r);
	free(r->name);
	memset(r, 0, sizeof(*r));
}

static void
destination_clear(struct destination *d)
{
	settings_clear(&destination_block, d);
	free(d->login.name);
	memset(d, 0, sizeof(*d));
}

/* Before a block of whichever kind. */
static void
block_start(void)
{
	memset(rd.line, 0, sizeof(rd.line));
	rd.has_unknown = false;
	rd.oauth = (struct oauth_client){ .name = NULL };
	rd.rule = (struct rule){ .name = NULL };
	rd.destination = destination_none;
	rd.account = (struct account){
		.keep = KEEP_ALWAYS,
		.timeout = 60,
		.session_timeout = 2 * 3600,
		.interval = 5 * 60,
		.patience = 2 * 60,
		.max_connections = UINT_MAX,
		.max_size = UINT64_MAX,
		.headers_above = UINT64_MAX,
		.outbox_messages = 1000,
		.outbox_size = UINT64_C(1) << 30,
	};
}

/* ---- what libconfuse calls ---- */

/* A secret in the file is one that only its owner can read. */
static void
check_mode(const struct setting *s)
{
	const char *file = rd.lines.text.file;

	if (rd.st->st_uid != geteuid())
		COMPLAIN(&rd.lines, s->name,
		    _("%s stands in a file that belongs to somebody else; "
		      "make it yours, and chmod 600 it"),
		    s->name);
	else if ((rd.st->st_mode & 077) != 0)
		COMPLAIN(&rd.lines, s->name,
		    _("%s stands in a file that others may open (mode "
		      "%04o); chmod 600 %s"),
		    s->name, (unsigned)rd.st->st_mode & 07777, file);
}

static void
store_value(const struct setting *s, const char *value)
{
	struct errbuf eb;

	if (value[0] == '\0') {
		COMPLAIN(&rd.lines, s->name,
		    _("%s is empty; give it a value, or leave it out"),
		    s->name);
		return;
	}
	if (strpbrk(value, "\r\n") != NULL) {
		COMPLAIN(&rd.lines, s->name,
		    _("%s holds an end of line; remove it"), s->name);
		return;
	}
	switch (s->parse(
	    &rd.place, s->name, (char *)rd.block->object + s->at, value, &eb)) {
	case E_OK: break;
	case E_NOMEM: rd.no_memory = true; break;
	default: COMPLAIN(&rd.lines, s->name, "%s", eb.text); break;
	}
}

/* Which block is being read. */
static void
in_block(const cfg_t *cfg)
{
	size_t i = 0;

	while (strcmp(blocks[i]->name, cfg->name) != 0)
		i++;
	rd.block = blocks[i];
}

/* A proxy without an @ is none. */
static bool
is_secret(const struct setting *s, const char *value)
{
	return s->holds == SECRET &&
	       (strcmp(s->name, "proxy") != 0 || strchr(value, '@') != NULL);
}

static int
on_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	char *value = (char *)cfg_opt_getstr(opt); /* wiped below */
	unsigned line = (unsigned)cfg->line;
	const struct setting *s;
	size_t i;

	in_block(cfg);
	i = index_of(opt->name);
	s = &rd.block->settings[i];
	if (s->holds == SECRET)
		rd.secret_line = line;
	if (rd.line[i] != 0) {
		conf_error(&rd.lines.text, line,
		    _("%s stands in line %u already; leave one of them"),
		    s->name, rd.line[i]);
	} else {
		rd.line[i] = line;
		store_value(s, value);
		if (is_secret(s, value))
			check_mode(s);
	}
	if (s->holds == SECRET)
		explicit_bzero(value, strlen(value));
	return 0;
}

/* At the end of a block: its name; NULL: memory. */
static char *
end_block(cfg_opt_t *opt)
{
	rd.begins = conf_sections_next(&rd.sections);
	return strdup(cfg_title(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1)));
}

static int
on_account(cfg_t *cfg, cfg_opt_t *opt)
{
	struct account *a = &rd.account;
	struct client_conf *c = rd.conf;
	struct account_said said;
	struct account *v;

	rd.block = &account_block;
	said = (struct account_said){
		.security = is_said("security"),
		.server = rd.has_unknown || is_said("server"),
		.email = rd.has_unknown || is_said("email") ||
			 (is_said("user") && a->user == NULL),
		.folders = is_said("folders"),
		.smtp_security = is_said("smtp_security"),
	};
	a->name = end_block(opt);
	a->line = rd.begins;
	v = reallocarray(c->v, c->n + 1, sizeof(*v));
	if (v != NULL)
		c->v = v;
	if (a->name == NULL || v == NULL ||
	    account_check(a, &said, &rd.place, &rd.lines) == E_NOMEM) {
		rd.no_memory = true;
		account_clear(a);
	} else {
		c->v[c->n++] = *a;
	}
	block_start();
	return 0;
}

static int
on_oauth(cfg_t *cfg, cfg_opt_t *opt)
{
	struct oauth_client *o = &rd.oauth;
	struct client_conf *c = rd.conf;
	struct oauth_client *v;

	rd.block = &oauth_block;
	o->name = end_block(opt);
	o->line = rd.begins;
	v = reallocarray(c->oauth, c->n_oauth + 1, sizeof(*v));
	if (v != NULL)
		c->oauth = v;
	if (o->name == NULL || v == NULL ||
	    oauth_client_check(o, &rd.lines) == E_NOMEM) {
		rd.no_memory = true;
		oauth_clear(o);
	} else {
		c->oauth[c->n_oauth++] = *o;
	}
	block_start();
	return 0;
}

static int
on_rule(cfg_t *cfg, cfg_opt_t *opt)
{
	struct rule *r = &rd.rule;
	struct client_conf *c = rd.conf;
	struct rule *v;

	rd.block = &rule_block;
	r->name = end_block(opt);
	r->line = rd.begins;
	v = reallocarray(c->rules, c->n_rules + 1, sizeof(*v));
	if (v != NULL)
		c->rules = v;
	if (r->name == NULL || v == NULL) {
		rd.no_memory = true;
		rule_clear(r);
	} else {
		rule_check(r, is_said("match"), is_said("deliver"), &rd.lines);
		c->rules[c->n_rules++] = *r;
	}
	block_start();
	return 0;
}

static int
on_destination(cfg_t *cfg, cfg_opt_t *opt)
{
	struct destination *d = &rd.destination;
	struct client_conf *c = rd.conf;
	struct destination *v;

	rd.block = &destination_block;
	d->login.name = end_block(opt);
	d->login.line = rd.begins;
	if (d->login.auth == NULL)
		d->login.auth = strdup("auto");
	v = reallocarray(c->blocks, c->n_blocks + 1, sizeof(*v));
	if (v != NULL)
		c->blocks = v;
	if (d->login.name == NULL || d->login.auth == NULL || v == NULL) {
		rd.no_memory = true;
		destination_clear(d);
	} else {
		destination_check(d, &rd.lines);
		c->blocks[c->n_blocks++] = *d;
	}
	block_start();
	return 0;
}

/* ---- what accounts name ---- */

static void
no_client(const struct account *a)
{
	char shown[VALUE_SHOWN];

	value_shown(shown, a->oauth);
	if (oauth_provider_is_known(a->oauth))
		conf_error(&rd.lines.text, a->line,
		    _("oauth = \"%s\" needs a client_id; malote-oauth(7) says "
		      "how to get one; write it into a block: oauth \"%s\" { "
		      "client_id = \"...\" }"),
		    shown, shown);
	else
		conf_error(&rd.lines.text, a->line,
		    _("there is no block oauth \"%s\"; malote.conf(5) says how "
		      "to write one"),
		    shown);
}

static void
find_client(const struct client_conf *c, struct account *a)
{
	if (a->oauth == NULL)
		return;
	for (size_t k = 0; k < c->n_oauth; k++)
		if (strcmp(c->oauth[k].name, a->oauth) == 0)
			a->client = &c->oauth[k];
	if (a->client == NULL)
		no_client(a);
}

static void
find_places(struct client_conf *c)
{
	if (places_find(c, &rd.lines.text) != E_OK)
		rd.no_memory = true;
}

static void
find_rules(struct client_conf *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (rules_assign(
			&c->v[i], c->rules, c->n_rules, &rd.lines.text) != E_OK)
			rd.no_memory = true;
}

/* A block may stand behind the accounts that name it. */
static void
find_clients(struct client_conf *c)
{
	for (size_t i = 0; i < c->n; i++)
		find_client(c, &c->v[i]);
	for (size_t i = 0; i < c->n_blocks; i++)
		find_client(c, &c->blocks[i].login);
}

/* ---- reading ---- */

static void
block_options(cfg_opt_t *opt, const struct block *b)
{
	for (size_t i = 0; i < b->n; i++) {
		opt[i] = (cfg_opt_t)CFG_STR(
		    b->settings[i].name, NULL, CFGF_NODEFAULT);
		opt[i].validcb = on_setting;
	}
	opt[b->n] = (cfg_opt_t)CFG_END();
}

static void
parse_accounts(char *text)
{
	static const struct conf_grammar grammar = {
		.section = "account",
		.manual = "malote.conf(5)",
		.secret_line = &rd.secret_line,
		.synonyms = client_synonyms,
		.has_unknown = &rd.has_unknown,
	};
	const cfg_flag_t flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	static int (*const end[BLOCKS])(cfg_t * cfg, cfg_opt_t * opt) = {
		on_account, on_oauth, on_rule, on_destination
	};
	cfg_opt_t in[BLOCKS][SETTINGS + 1];
	cfg_opt_t opt[BLOCKS + 1];

	for (size_t i = 0; i < BLOCKS; i++) {
		block_options(in[i], blocks[i]);
		opt[i] = (cfg_opt_t)CFG_SEC(blocks[i]->name, in[i], flags);
		opt[i].validcb = end[i];
	}
	opt[BLOCKS] = (cfg_opt_t)CFG_END();
	conf_parse(&rd.lines.text, text, opt, &grammar);
}

/* The folder of the file, absolute; the caller's. */
static char *
folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	size_t n = slash != NULL ? (size_t)(slash - file) : 0;
	char *here = file[0] == '/' ? NULL : getcwd(NULL, 0);
	char *folder = NULL;

	if (file[0] == '/' || here != NULL)
		if (asprintf(&folder, "%s%s%.*s", here != NULL ? here : "",
			here != NULL && n != 0 ? "/" : "", (int)n, file) < 0)
			folder = NULL;
	free(here);
	return folder;
}

static const char *
home(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *pw;

	if (dir != NULL && dir[0] == '/')
		return dir;
	pw = getpwuid(geteuid());
	return pw != NULL ? pw->pw_dir : NULL;
}

enum err
client_conf_dest(const struct client_conf *c, struct dest *d, const char *text,
    struct errbuf *eb)
{
	char *folder = folder_of(c->file);
	struct value_place place = { folder, home() };
	enum err e = E_NOMEM;

	*d = (struct dest){ .text = NULL };
	if (folder != NULL)
		e = value_dest(&place, "deliver", d, text, eb);
	else
		err_set(eb, e, "%s", err_str(e));
	if (e == E_OK && dest_signs_in(d))
		d->at = place_known(c, d);
	free(folder);
	if (e != E_OK)
		dest_clear(d);
	return e;
}

/* Whom complaints are told. */
struct listener {
	struct conf_report report;
	client_conf_say *say;
	void *arg;
	unsigned errors; /* so far */
};

static void
listener_say(void *arg, const char *line)
{
	struct listener *l = arg;

	l->say(l->arg, l->report.errors != l->errors, line);
	l->errors = l->report.errors;
}

static void PRINTF(2, 3) listener_add(struct listener *l, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->say(l->arg, true, text);
}

/* In the person's language, where there is one. */
static const char *
example_file(void)
{
	static char path[4096];

	/* TRANSLATORS: a file of packaging/, in your language if it is there. */
	snprintf(path, sizeof(path), _("%s/malote.conf.example"), EXAMPLES);
	return path;
}

/* There may be no account in it. */
static enum err
read_text(struct client_conf *c, struct slurp *in, struct conf_report *report)
{
	char *folder = folder_of(c->file);

	if (folder == NULL)
		return E_NOMEM;
	memset(&rd, 0, sizeof(rd));
	rd.lines.text = (struct conf_text){ c->file, report, .expand = false };
	rd.lines.line = line_of;
	rd.conf = c;
	rd.st = &in->st;
	rd.place = (struct value_place){ folder, home() };
	rd.sections = (struct conf_sections){ in->text, 1 };
	block_start();
	if (conf_text_prepare(&rd.lines.text, in->text) &&
	    conf_text_is_utf8(&rd.lines.text, in->text))
		parse_accounts(in->text);
	find_clients(c);
	find_places(c);
	find_rules(c);
	account_clear(&rd.account); /* one that did not end */
	oauth_clear(&rd.oauth);
	rule_clear(&rd.rule);
	destination_clear(&rd.destination);
	free(folder);
	if (report->errors != 0)
		return E_CONFIG;
	return rd.no_memory ? E_NOMEM : E_OK;
}

static enum err
read_accounts(
    struct client_conf *c, struct slurp *in, struct conf_report *report)
{
	enum err e = read_text(c, in, report);

	if (e != E_OK || c->n != 0)
		return e;
	conf_error(&rd.lines.text, 0,
	    _("there is no account; set one up by: malote add ADDRESS (%s "
	      "shows how to write one)"),
	    example_file());
	return E_CONFIG;
}

enum err
client_conf_load(
    struct client_conf *c, const char *file, client_conf_say *say, void *arg)
{
	struct listener to = { { .say = listener_say, .arg = &to }, say, arg,
		0 };
	struct errbuf why;
	struct slurp in;
	enum err e;

	memset(c, 0, sizeof(*c));
	if ((e = slurp(file, FILE_MAX, &in, &why)) != E_OK) {
		if (e == E_NOENT)
			listener_add(&to,
			    _("%s: %s; begin with: malote add ADDRESS"), file,
			    why.text);
		else
			listener_add(&to, "%s: %s", file, why.text);
		return e == E_NOMEM || e == E_NOENT ? e : E_CONFIG;
	}
	c->file = strdup(file);
	c->st = in.st;
	e = c->file == NULL ? E_NOMEM : read_accounts(c, &in, &to.report);
	if (e == E_NOMEM)
		listener_add(&to, "%s: %s", file, _("out of memory"));
	explicit_bzero(in.text, in.n);
	free(in.text);
	if (e != E_OK)
		client_conf_free(c);
	return e;
}

enum err
client_conf_parse(struct client_conf *c, const char *file, char *text,
    client_conf_say *say, void *arg)
{
	struct listener to = { { .say = listener_say, .arg = &to }, say, arg,
		0 };
	struct slurp in = { .text = text, .n = strlen(text) };
	enum err e;

	memset(c, 0, sizeof(*c));
	in.st.st_uid = geteuid();
	in.st.st_mode = S_IFREG | 0600;
	c->file = strdup(file);
	e = c->file == NULL ? E_NOMEM : read_accounts(c, &in, &to.report);
	if (e == E_NOMEM)
		listener_add(&to, "%s", _("out of memory"));
	if (e != E_OK)
		client_conf_free(c);
	return e;
}

void
client_conf_free(struct client_conf *c)
{
	for (size_t i = 0; i < c->n; i++)
		account_clear(&c->v[i]);
	for (size_t i = 0; i < c->n_oauth; i++)
		oauth_clear(&c->oauth[i]);
	for (size_t i = 0; i < c->n_rules; i++)
		rule_clear(&c->rules[i]);
	for (size_t i = 0; i < c->n_blocks; i++)
		destination_clear(&c->blocks[i]);
	places_free(c);
	free(c->blocks);
	free(c->v);
	free(c->oauth);
	free(c->rules);
	free(c->file);
	memset(c, 0, sizeof(*c));
}

const struct account *
client_conf_find(const struct client_conf *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->v[i].name, name) == 0)
			return &c->v[i];
	return NULL;
}

bool
client_conf_has(const void *conf, const char *name, const char *maildrop)
{
	const struct client_conf *c = conf;
	char text[DIGEST_TEXT];

	for (size_t i = 0; i < c->n; i++)
		if ((name == NULL || strcmp(c->v[i].name, name) == 0) &&
		    account_maildrop(text, &c->v[i]) != NULL &&
		    strcmp(text, maildrop) == 0)
			return true;
	return false;
}

static bool
is_as_read(const struct client_conf *c)
{
	struct stat st;

	return stat(c->file, &st) == 0 && st.st_dev == c->st.st_dev &&
	       st.st_ino == c->st.st_ino && st.st_size == c->st.st_size &&
	       st.st_mtim.tv_sec == c->st.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == c->st.st_mtim.tv_nsec;
}

static void
overlook(void *arg, bool is_error, const char *words)
{
}

bool
client_conf_has_lost(const struct client_conf *c, const char *maildrop)
{
	struct listener to = { { .say = listener_say, .arg = &to }, overlook,
		NULL, 0 };
	struct client_conf now = { .file = NULL };
	struct slurp in;
	bool lost;

	if (is_as_read(c) || slurp(c->file, FILE_MAX, &in, NULL) != E_OK)
		return false;
	lost = (now.file = strdup(c->file)) != NULL &&
	       read_text(&now, &in, &to.report) == E_OK &&
	       !client_conf_has(&now, NULL, maildrop);
	client_conf_free(&now);
	explicit_bzero(in.text, in.n);
	free(in.text);
	return lost;
}
