#include "server/conf/include.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/slurp.h"

enum {
	TEXT_MAX = 1024 * 1024, /* octets of all files together */
	FILES_MAX = 256,
	DEPTH_MAX = 8, /* of files that include each other */
	PATH_LENGTH = 4096,
};

/* A file that is being read. */
struct level {
	const struct level *outer; /* that includes it; NULL: none does */
	unsigned depth;
	struct conf_text text; /* for complaints about it */
	struct stat st;
};

struct reader {
	struct conf_source *to;
	size_t n;      /* octets of to->text, which has room for TEXT_MAX */
	unsigned line; /* that comes next in it */
	bool misread;
};

/* ---- the whole ---- */

static void
complain_memory(struct reader *r, const struct level *at)
{
	conf_error(&at->text, 0, "out of memory");
	r->misread = true;
}

static void
add(struct reader *r, const struct level *at, const char *p, size_t n)
{
	char *text = r->to->text;

	if (r->misread)
		return;
	if (r->n + n > TEXT_MAX) {
		conf_error(&at->text, 0,
		    "the configuration is larger than %d octets", TEXT_MAX);
		r->misread = true;
		return;
	}
	memcpy(text + r->n, p, n);
	r->n += n;
	text[r->n] = '\0';
	r->line += n != 0 && p[n - 1] == '\n';
}

/* What comes is of that file, from that line on. */
static void
add_piece(struct reader *r, const struct level *at, unsigned line)
{
	struct conf_pieces *all = &r->to->pieces;
	struct conf_piece *v;

	v = array_room(all->v, all->n, &all->room, sizeof(*v));
	if (v == NULL) {
		complain_memory(r, at);
		return;
	}
	all->v = v;
	v[all->n++] = (struct conf_piece){ r->line, at->text.file, line };
}

/* The name, kept as long as the whole; NULL: memory. */
static const char *
add_file(struct conf_source *s, const char *name)
{
	char **v = array_room(s->file, s->n_files, &s->room, sizeof(*s->file));

	if (v == NULL)
		return NULL;
	s->file = v;
	if ((v[s->n_files] = strdup(name)) == NULL)
		return NULL;
	return v[s->n_files++];
}

/* ---- one line ---- */

/* With its end. */
static size_t
line_length(const char *p)
{
	size_t n = strcspn(p, "\n");

	return n + (p[n] == '\n');
}

/* How many blocks are open behind the line, if n were before it. */
static unsigned
depth_behind(const char *p, size_t n, unsigned depth)
{
	char quote = '\0';

	for (; n != 0; p++, n--) {
		if (quote != '\0' && *p == '\\' && n > 1) {
			p++;
			n--;
		} else if (quote != '\0') {
			quote = *p == quote ? '\0' : quote;
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (*p == '{') {
			depth++;
		} else if (*p == '}' && depth != 0) {
			depth--;
		}
	}
	return depth;
}

/* What stands behind the word include, if the line begins with it; NULL: it
 * does not, or that is what a setting is called. */
static const char *
behind_word(const char *p)
{
	static const char word[] = "include";

	p += strspn(p, " \t");
	if (strncmp(p, word, sizeof(word) - 1) != 0)
		return NULL;
	p += sizeof(word) - 1;
	if (isalnum((unsigned char)*p) || strchr("_-.", *p) != NULL)
		return *p == '\0' ? p : NULL;
	p += strspn(p, " \t");
	return *p == '=' || strncmp(p, "+=", 2) == 0 ? NULL : p;
}

/* What stands in quotation marks, and nothing behind it. */
static bool
quoted(const char *p, char *out, size_t size)
{
	const char *end;

	if (*p != '"' && *p != '\'')
		return false;
	end = strchr(p + 1, *p);
	if (end == NULL || end == p + 1 || (size_t)(end - p) > size ||
	    (*p == '"' && (memchr(p, '\\', (size_t)(end - p)) != NULL ||
			      memmem(p, (size_t)(end - p), "${", 2) != NULL)))
		return false;
	snprintf(out, size, "%.*s", (int)(end - p - 1), p + 1);
	end += 1 + strspn(end + 1, " \t\r");
	return *end == '\n' || *end == '\0';
}

/* ---- what is included ---- */

static bool
is_pattern(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/* The folder of a file as it stands before a name in it, for glob() if the name
 * is a pattern.  False: it is too long. */
static bool
put_folder(char *out, size_t size, const char *file, bool for_pattern)
{
	const char *slash = strrchr(file, '/');
	size_t n = 0;

	for (const char *p = file; slash != NULL && p <= slash; p++) {
		if (n + 3 > size)
			return false;
		if (for_pattern && strchr("*?[\\", *p) != NULL)
			out[n++] = '\\';
		out[n++] = *p;
	}
	out[n] = '\0';
	return true;
}

static bool
path_of(char out[PATH_LENGTH], const char *file, const char *name)
{
	size_t n;

	out[0] = '\0';
	if (name[0] != '/' &&
	    !put_folder(out, PATH_LENGTH, file, is_pattern(name)))
		return false;
	n = strlen(out);
	return snprintf(out + n, PATH_LENGTH - n, "%s", name) <
	       (int)(PATH_LENGTH - n);
}

/* A file is taken as soon as it is there. */
static void
warn_of_folder(const struct level *at, unsigned line, const char *pattern)
{
	const char *slash = strrchr(pattern, '/');
	char folder[PATH_LENGTH];
	struct stat st;

	snprintf(folder, sizeof(folder), "%.*s",
	    slash != NULL ? (int)(slash - pattern) : 1,
	    slash != NULL ? pattern : ".");
	if (stat(folder, &st) == 0 && (st.st_mode & S_IWOTH) != 0)
		conf_warn(&at->text, line,
		    "everybody may put files into %s, and so read all mail; "
		    "chmod o-w %s",
		    folder, folder);
}

static bool
is_being_read(const struct level *l, const struct stat *st)
{
	for (; l != NULL; l = l->outer)
		if (l->st.st_dev == st->st_dev && l->st.st_ino == st->st_ino)
			return true;
	return false;
}

static void take_text(struct reader *r, const struct level *at, char *text);

/* NULL: it may be read. */
static const char *
refusal(const struct reader *r, const struct level *at, const struct stat *st)
{
	if (is_being_read(at, st))
		return "it would include itself";
	if (at->depth + 1 == DEPTH_MAX)
		return "too many files include each other";
	return r->to->n_files == FILES_MAX ? "too many files" : NULL;
}

static void
include_file(
    struct reader *r, const struct level *at, unsigned line, const char *path)
{
	struct level in = {
		.outer = at, .depth = at->depth + 1, .text = at->text
	};
	struct slurp file;
	struct errbuf eb;
	const char *why;

	if (slurp(path, TEXT_MAX, &file, &eb) != E_OK) {
		conf_error(&at->text, line,
		    "include %s: %s; write it, or remove this line", path,
		    eb.text);
		return;
	}
	in.st = file.st;
	if ((why = refusal(r, at, &file.st)) != NULL)
		conf_error(&at->text, line, "include %s: %s; remove this line",
		    path, why);
	else if ((in.text.file = add_file(r->to, path)) == NULL)
		complain_memory(r, at);
	else
		take_text(r, &in, file.text);
	free(file.text);
}

/* Of a folder that is not there, no file is there either. */
static int
on_unreadable(const char *path, int error)
{
	return error != ENOENT && error != ENOTDIR;
}

static void
include_pattern(struct reader *r, const struct level *at, unsigned line,
    const char *pattern)
{
	glob_t found;
	int e = glob(pattern, 0, on_unreadable, &found);

	warn_of_folder(at, line, pattern);
	if (e == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			include_file(r, at, line, found.gl_pathv[i]);
		globfree(&found);
	} else if (e != GLOB_NOMATCH) {
		conf_error(&at->text, line,
		    "include %s: the folder cannot be read", pattern);
	}
}

static void
include(
    struct reader *r, const struct level *at, unsigned line, const char *what)
{
	char name[PATH_LENGTH], path[PATH_LENGTH];

	if (!quoted(what, name, sizeof(name)))
		conf_error(&at->text, line,
		    "that is no include; write include \"FILE\" in a line of "
		    "its own, and within single quotes if there is a \\ or ${ "
		    "in it");
	else if (!path_of(path, at->text.file, name))
		conf_error(&at->text, line, "include: this path is too long");
	else if (is_pattern(name))
		include_pattern(r, at, line, path);
	else
		include_file(r, at, line, path);
}

/* ---- a file ---- */

static void
take_lines(struct reader *r, const struct level *at, const char *p)
{
	unsigned depth = 0, line = 1;
	const char *what;
	size_t n;

	add_piece(r, at, 1);
	for (; *p != '\0'; p += n, line++) {
		n = line_length(p);
		what = behind_word(p);
		if (what != NULL && depth == 0) {
			include(r, at, line, what);
			add_piece(r, at, line + 1);
			continue;
		}
		if (what != NULL)
			conf_error(&at->text, line,
			    "include stands within a block; move it out of "
			    "there");
		depth = depth_behind(p, n, depth);
		add(r, at, what != NULL ? "\n" : p, what != NULL ? 1 : n);
	}
}

/* Where a name stands at the end and what it is to be is missing: what comes in
 * the next file would be taken for that.  NULL: nowhere. */
static const char *
unfinished(const char *text)
{
	static const char space[] = " \t\r\n";
	const char *end = text + strlen(text), *p;

	while (end != text && strchr(space, end[-1]) != NULL)
		end--;
	if (end == text || strchr("\"'}", end[-1]) != NULL)
		return NULL;
	if (end[-1] == '=')
		return end;
	for (p = end; p != text && strchr(" \t\r\n=", p[-1]) == NULL; p--)
		;
	while (p != text && strchr(space, p[-1]) != NULL)
		p--;
	return p != text && p[-1] == '=' ? NULL : end;
}

/* Complains about it, and then it is true. */
static bool
is_unfinished(const struct conf_text *t, const char *text)
{
	const char *end = unfinished(text);
	unsigned line = 1;

	if (end == NULL)
		return false;
	for (const char *p = text; p != end; p++)
		line += *p == '\n';
	conf_error(
	    t, line, "the file ends within a setting; write NAME = \"VALUE\"");
	return true;
}

/* Text with a fault that would make us misread the rest is left out. */
static void
take_text(struct reader *r, const struct level *at, char *text)
{
	size_t n = strlen(text);

	if (!conf_text_prepare(&at->text, text) ||
	    (at->outer != NULL && is_unfinished(&at->text, text))) {
		r->misread = true;
		return;
	}
	take_lines(r, at, text);
	if (n != 0 && text[n - 1] != '\n')
		add(r, at, "\n", 1);
}

void
include_read(struct conf_source *s, const struct conf_text *t)
{
	struct reader r = { .to = s, .line = 1 };
	struct level top = { .text = *t };
	struct slurp file;
	struct errbuf eb;

	memset(s, 0, sizeof(*s));
	if (slurp(t->file, TEXT_MAX, &file, &eb) != E_OK) {
		conf_error(t, 0,
		    "%s; write it, or name another with --config FILE",
		    eb.text);
		return;
	}
	top.st = file.st;
	s->text = calloc(1, TEXT_MAX + 1);
	if (s->text == NULL || add_file(s, t->file) == NULL)
		complain_memory(&r, &top);
	else
		take_text(&r, &top, file.text);
	free(file.text);
	if (r.misread) {
		free(s->text);
		s->text = NULL;
	}
}

void
include_free(struct conf_source *s)
{
	for (size_t i = 0; i < s->n_files; i++)
		free(s->file[i]);
	free(s->file);
	free(s->pieces.v);
	free(s->text);
	memset(s, 0, sizeof(*s));
}
