#include "server/conf/languages.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "server/conf/catalogue.h"
#include "server/ipc/sealed.h"

enum { WORDS_MAX = 1024 * 1024 }; /* octets of all languages */

struct loading {
	const char *folder, *preferred;
	struct buf words;
	bool has_preferred;
	void (*warn)(void *arg, const char *text);
	void *arg;
};

static void
warn_of(const struct loading *l, const char *name, const char *why)
{
	char text[PATH_MAX + 256];

	snprintf(
	    text, sizeof(text), "%s/%s is left out: %s", l->folder, name, why);
	l->warn(l->arg, text);
}

/* ---- a catalogue ---- */

/* The file is TAG.mo. */
static bool
tag_of(const char *name, char tag[POP3_TAG_MAX])
{
	size_t n = strlen(name) - strlen(".mo");

	if (n >= POP3_TAG_MAX)
		return false;
	memcpy(tag, name, n);
	tag[n] = '\0';
	return pop3_language_is_tag(tag) && strcmp(tag, pop3_english.tag) != 0;
}

static enum err
put(struct buf *b, const char *words)
{
	return words != NULL ? buf_put(b, words, strlen(words) + 1)
			     : buf_put(b, "", 1);
}

static enum err
put_language(struct buf *b, const char *tag, const struct catalogue *c)
{
	size_t before = b->len;
	enum err e = put(b, tag);

	if (e == E_OK)
		e = put(b, catalogue_find(c, pop3_english.itself));
	for (unsigned t = POP3_NO_TEXT + 1; e == E_OK && t < POP3_TEXTS_END;
	     t++)
		e = put(b, catalogue_find(c, pop3_english.words[t]));
	if (e != E_OK) /* all of it or nothing */
		buf_unput(b, NULL, b->len - before);
	return e;
}

static void
load(struct loading *l, const char *name)
{
	char path[PATH_MAX], tag[POP3_TAG_MAX];
	struct catalogue c;
	struct errbuf eb;

	if (!tag_of(name, tag)) {
		warn_of(l, name, "its name is no other language than English");
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", l->folder, name);
	if (catalogue_read(&c, path, &eb) != E_OK) {
		warn_of(l, name, eb.text);
		return;
	}
	if (put_language(&l->words, tag, &c) != E_OK)
		warn_of(l, name, "there are too many languages");
	else if (strcmp(tag, l->preferred) == 0)
		l->has_preferred = true;
	catalogue_free(&c);
}

/* ---- all ---- */

static int
is_catalogue(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 3 && strcmp(d->d_name + n - 3, ".mo") == 0;
}

static void
load_all(struct loading *l)
{
	struct dirent **entry;
	int n = scandir(l->folder, &entry, is_catalogue, alphasort);
	char text[PATH_MAX + 256];

	if (n < 0 && errno != ENOENT)
		warn_of(l, "", strerror(errno));
	for (int i = 0; i < n; i++) {
		load(l, entry[i]->d_name);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	if (l->has_preferred || strcmp(l->preferred, pop3_english.tag) == 0)
		return;
	snprintf(text, sizeof(text),
	    "language = \"%s\", but there is no %s/%s.mo: LANG * is English",
	    l->preferred, l->folder, l->preferred);
	l->warn(l->arg, text);
}

enum err
languages_load(const char *folder, struct worker_conf *w,
    void (*warn)(void *arg, const char *text), void *arg, struct errbuf *eb)
{
	struct loading l = { .folder = folder,
		.preferred = w->language,
		.warn = warn,
		.arg = arg };
	enum err e;

	buf_init(&l.words, WORDS_MAX, false);
	load_all(&l);
	e = sealed_make(
	    &w->languages_fd, "languages", buf_data(&l.words), l.words.len, eb);
	w->languages_octets = (uint32_t)l.words.len;
	buf_free(&l.words);
	return e;
}
