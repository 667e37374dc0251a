/*
 * malotectl app-password: passwords for a device each, with a server or without
 * one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/cidr.h"
#include "server/conf/spelling.h"
#include "server/conf/state_folder.h"
#include "server/ctl/commands.h"
#include "server/ctl/show.h"
#include "server/ctl/who.h"
#include "server/users/app_database.h"
#include "server/users/edit.h"

enum { EACH_MAX = 64 }; /* of a user */

/* ---- the file ---- */

struct file {
	struct edit ed;
	struct app_database *db;
};

static enum err
file_open(struct file *f, bool lock, struct errbuf *eb)
{
	char folder[PATH_MAX], path[PATH_MAX];
	enum err e;
	int fd;

	*f = (struct file){ .ed = { .lock = -1 } };
	umask(077);
	if (app_database_init() != E_OK)
		return err_set(eb, E_NOMEM, "out of memory");
	if ((e = state_folder_file(path, STATE_APP_PASSWORDS, eb)) != E_OK)
		return e;
	state_folder_path(folder);
	if (lock && (fd = state_folder_open(folder)) >= 0)
		close(fd); /* it is there now; if not, the next call says so */
	if ((e = edit_open(&f->ed, path, lock, eb)) != E_OK)
		return e;
	e = app_database_open(
	    &f->db, (struct slice){ f->ed.text, f->ed.n }, eb);
	if (e == E_CONFIG) {
		struct errbuf words = *eb;

		return err_set(eb, e, "%s: %s", path, words.text);
	}
	return e;
}

static void
file_close(struct file *f)
{
	app_database_close(f->db);
	edit_close(&f->ed);
}

static enum err
file_save(struct file *f, struct errbuf *eb)
{
	char *image;
	size_t n;
	enum err e = app_database_image(f->db, &image, &n, eb);

	if (e == E_OK)
		e = edit_splice(
		    &f->ed, 0, f->ed.n, (struct slice){ image, n }, eb);
	free(image);
	return e == E_OK ? edit_save(&f->ed, eb) : e;
}

/* ---- whose it is ---- */

/* The name in the file may have been written when the rule for names was another
 * one.  It is read by the one of now, as the server reads it. */
static bool
is_of(const struct app_row *row, const struct options *o, const char *name)
{
	char is[NAME_MAX_OCTETS + 1];

	return who_called(o, row->user, is, NULL) == E_OK &&
	       strcmp(is, name) == 0;
}

/* ---- what is given ---- */

static enum err
check_label(const struct options *o, struct errbuf *eb)
{
	if (o->label == NULL)
		return err_set(eb, E_FORMAT,
		    "--label says which one: --label phone, for example");
	if (o->label[0] == '\0' || strlen(o->label) > APP_LABEL_MAX ||
	    !str_is_utf8(o->label, strlen(o->label)))
		return err_set(eb, E_FORMAT,
		    "a label may have 1 to %d octets of UTF-8", APP_LABEL_MAX);
	for (const char *p = o->label; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(eb, E_FORMAT,
			    "a label may have no control characters");
	return E_OK;
}

static enum err
check_limits(const struct options *o, struct errbuf *eb)
{
	const char *nets = o->networks;

	if (o->protocol != NULL && !text_is_service(o->protocol))
		return err_set(eb, E_FORMAT,
		    "--protocol must be pop3, smtp, or what the setting "
		    "service of a block sasl says");
	if (nets != NULL &&
	    (strlen(nets) > APP_NETWORKS_MAX ||
		!cidr_list_is_good((struct slice){ nets, strlen(nets) })))
		return err_set(eb, E_FORMAT,
		    "--networks must be networks with commas between, such as "
		    "192.0.2.0/24,2001:db8::/32");
	return E_OK;
}

/* A day, of UTC, whose end is meant. */
static enum err
take_until(const char *day, uint64_t *until_r, struct errbuf *eb)
{
	struct tm tm = { .tm_mday = 0 };
	const char *end;
	char again[16];
	time_t t;

	*until_r = 0;
	if (day == NULL)
		return E_OK;
	end = strptime(day, "%Y-%m-%d", &tm);
	t = timegm(&tm);
	if (end == NULL || *end != '\0' || gmtime_r(&t, &tm) == NULL ||
	    strftime(again, sizeof(again), "%Y-%m-%d", &tm) == 0 ||
	    strcmp(again, day) != 0)
		return err_set(
		    eb, E_FORMAT, "--until must be a day, such as 2030-12-31");
	*until_r = (uint64_t)t + 24 * 3600;
	if (t < 0 || *until_r <= clock_unix_ms() / 1000)
		return err_set(eb, E_FORMAT, "--until %s is over", day);
	return E_OK;
}

/* ---- add ---- */

struct count {
	const char *user;
	unsigned n;
};

static enum err
count_one(void *arg, const struct app_row *row)
{
	struct count *c = arg;

	c->n += strcmp(row->user, c->user) == 0;
	return E_OK;
}

static enum err
add(struct app_database *db, const struct app_row *row, struct errbuf *eb)
{
	struct count c = { row->user, 0 };
	unsigned bad;
	enum err e = app_database_each(db, count_one, &c, &bad, eb);

	if (e != E_OK)
		return e;
	if (c.n >= EACH_MAX)
		return err_set(eb, E_FORMAT,
		    "%s has %d app passwords; revoke one", row->user, EACH_MAX);
	e = app_database_add(db, row, eb);
	return e == E_BUSY ? err_set(eb, E_FORMAT,
				 "%s has an app password \"%s\"; revoke it, or "
				 "take another label",
				 row->user, row->label)
			   : e;
}

/* Adds one of the secret that is shown. */
static enum err
add_secret(const struct options *o, const char *name, uint64_t until,
    const char *shown, struct errbuf *eb)
{
	uint8_t digest[APP_DIGEST];
	char secret[APP_SECRET];
	struct file f;
	enum err e = file_open(&f, true, eb);

	if (e == E_OK &&
	    app_secret_read(secret, (struct slice){ shown, strlen(shown) })) {
		app_secret_digest(digest, app_database_salt(f.db), secret);
		e = add(f.db,
		    &(struct app_row){ name, o->label,
			o->protocol != NULL ? o->protocol : "",
			o->networks != NULL ? o->networks : "",
			clock_unix_ms() / 1000, until, digest },
		    eb);
		explicit_bzero(secret, sizeof(secret));
	}
	if (e == E_OK)
		e = file_save(&f, eb);
	file_close(&f);
	return e;
}

enum err
app_password_add(const struct options *o, const char *given, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1], shown[APP_SHOWN];
	uint64_t until;
	enum err e;

	if ((e = check_label(o, eb)) != E_OK ||
	    (e = check_limits(o, eb)) != E_OK ||
	    (e = take_until(o->until, &until, eb)) != E_OK ||
	    (e = who_called(o, given, name, eb)) != E_OK ||
	    (e = who_known_to_sign_in(o, name, eb)) != E_OK)
		return e;
	if (app_database_init() != E_OK)
		return err_set(eb, E_NOMEM, "no random numbers");
	app_secret_make(shown);
	if ((e = add_secret(o, name, until, shown, eb)) == E_OK) {
		puts(shown);
		if (isatty(STDOUT_FILENO))
			fputs("It is shown this once.\n", stderr);
	}
	explicit_bzero(shown, sizeof(shown));
	return e;
}

/* ---- list ---- */

struct list {
	const struct options *options;
	const char *user; /* NULL: all */
	json_t *json;     /* NULL: for people */
	unsigned n;       /* so many were listed */
};

/* "2026-11-22" */
static const char *
day(char out[CLOCK_STAMP], uint64_t unix_seconds)
{
	clock_stamp(out, unix_seconds * 1000);
	out[10] = '\0';
	return out;
}

static void
print(const struct app_row *row)
{
	char user[NAME_MAX_OCTETS * 4 + 1], label[APP_LABEL_MAX * 4 + 1];
	char nets[APP_NETWORKS_MAX + 1], when[CLOCK_STAMP];
	bool over = row->until != 0 && row->until <= clock_unix_ms() / 1000;

	printf("%s \"%s\" since %s", show_clean(user, sizeof(user), row->user),
	    show_clean(label, sizeof(label), row->label),
	    day(when, row->created));
	if (row->until != 0)
		printf(", until %s%s", day(when, row->until - 1),
		    over ? " (over)" : "");
	if (row->networks[0] != '\0')
		printf(
		    ", from %s", show_clean(nets, sizeof(nets), row->networks));
	if (row->protocol[0] != '\0')
		printf(
		    ", by %s", show_clean(label, sizeof(label), row->protocol));
	putchar('\n');
}

static json_t *
make_json(const struct app_row *row)
{
	return json_pack("{so so so so sI sI}", "user", show_text(row->user),
	    "label", show_text(row->label), "protocol",
	    show_text(row->protocol), "networks", show_text(row->networks),
	    "created", (json_int_t)row->created, "until",
	    (json_int_t)row->until);
}

static enum err
list_one(void *arg, const struct app_row *row)
{
	struct list *l = arg;

	if (l->user != NULL && !is_of(row, l->options, l->user))
		return E_OK;
	l->n++;
	if (l->json == NULL)
		print(row);
	else if (json_array_append_new(l->json, make_json(row)) < 0)
		return E_NOMEM;
	return E_OK;
}

/* Who is asked about, and is no user, is an error; but what somebody of that name
 * has left is listed. */
static enum err
check_listed(const struct list *l, struct errbuf *eb)
{
	enum err e =
	    l->user != NULL ? who_may_be_known(l->options, l->user, eb) : E_OK;

	if (e != E_NOENT || l->n == 0)
		return e;
	fprintf(
	    stderr, "%s: these open nothing until there is one\n", eb->text);
	return E_OK;
}

enum err
app_password_list(const struct options *o, const char *given, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	struct list l = { o, given != NULL ? name : NULL, NULL, 0 };
	unsigned bad = 0;
	struct file f;
	enum err e;

	if (given != NULL && (e = who_called(o, given, name, eb)) != E_OK)
		return e;
	if (o->json && (l.json = json_array()) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if ((e = file_open(&f, false, eb)) == E_OK)
		e = app_database_each(f.db, list_one, &l, &bad, eb);
	file_close(&f);
	if (e == E_OK && bad != 0)
		fprintf(stderr, "%u rows of the database make no sense\n", bad);
	if (e == E_OK)
		e = check_listed(&l, eb);
	if (e == E_OK && l.json != NULL)
		e = show_json(l.json, eb);
	json_decref(l.json);
	return e;
}

/* ---- revoke ---- */

/* Which row is looked for, and the first that was found. */
struct wanted {
	const struct options *options;
	const char *name, *label; /* NULL: any */
	bool found;
	char user[NAME_MAX_OCTETS + 1], its_label[APP_LABEL_MAX + 1];
};

static enum err
find_one(void *arg, const struct app_row *row)
{
	struct wanted *w = arg;

	if (w->found || !is_of(row, w->options, w->name) ||
	    (w->label != NULL && strcmp(w->label, row->label) != 0))
		return E_OK;
	w->found = true;
	snprintf(w->user, sizeof(w->user), "%s", row->user);
	snprintf(w->its_label, sizeof(w->its_label), "%s", row->label);
	return E_OK;
}

static enum err
remove_all(struct app_database *db, const struct wanted *what, unsigned *n_r,
    struct errbuf *eb)
{
	struct wanted w;
	unsigned n = 1, bad;
	enum err e = E_OK;

	for (*n_r = 0; e == E_OK && n != 0; *n_r += n) {
		n = 0;
		w = *what;
		e = app_database_each(db, find_one, &w, &bad, eb);
		if (e == E_OK && w.found)
			e = app_database_remove(
			    db, w.user, w.its_label, &n, eb);
	}
	return e;
}

/* label: NULL for all of them.  *n_r: how many there were. */
static enum err
take_away(const struct options *o, const char *name, const char *label,
    unsigned *n_r, struct errbuf *eb)
{
	const struct wanted what = { o, name, label, false, "", "" };
	struct file f;
	enum err e;

	*n_r = 0;
	if ((e = file_open(&f, true, eb)) == E_OK &&
	    (e = remove_all(f.db, &what, n_r, eb)) == E_OK && *n_r != 0)
		e = file_save(&f, eb);
	file_close(&f);
	return e;
}

enum err
app_password_revoke(
    const struct options *o, const char *given, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	unsigned n;
	enum err e;

	if ((e = check_label(o, eb)) != E_OK ||
	    (e = who_called(o, given, name, eb)) != E_OK ||
	    (e = take_away(o, name, o->label, &n, eb)) != E_OK)
		return e;
	return n != 0 ? E_OK
		      : err_set(eb, E_NOENT,
			    "%s has no app password of this label", name);
}

enum err
app_password_revoke_all(
    const struct options *o, const char *name, struct errbuf *eb)
{
	char path[PATH_MAX];
	unsigned n;

	if (state_folder_file(path, STATE_APP_PASSWORDS, eb) != E_OK ||
	    access(path, F_OK) != 0)
		return E_OK; /* there are none */
	return take_away(o, name, NULL, &n, eb);
}
