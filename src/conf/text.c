#include "conf/text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"

/* The file that a line of the text is of, and its line there. */
static struct conf_piece
place_of(const struct conf_text *t, unsigned line)
{
	struct conf_piece at = { line, t->file, line };
	size_t n = line != 0 && t->pieces != NULL ? t->pieces->n : 0;

	for (size_t i = 0; i < n && t->pieces->v[i].first <= line; i++) {
		at = t->pieces->v[i];
		at.line += line - at.first;
	}
	return at;
}

const char *
conf_line_words(char out[CONF_LINE_WORDS], const struct conf_text *t,
    unsigned line, unsigned from)
{
	struct conf_piece at = place_of(t, line);

	if (strcmp(at.file, place_of(t, from).file) == 0)
		snprintf(out, CONF_LINE_WORDS, "line %u", at.line);
	else
		snprintf(
		    out, CONF_LINE_WORDS, "line %u of %s", at.line, at.file);
	return out;
}

static void complain(const struct conf_text *t, unsigned line, const char *kind,
    const char *fmt, va_list ap) PRINTF(4, 0);

static void
complain(const struct conf_text *t, unsigned line, const char *kind,
    const char *fmt, va_list ap)
{
	struct conf_piece place = place_of(t, line);
	char out[1024], what[768], at[16] = "";

	vsnprintf(what, sizeof(what), fmt, ap);
	/* The complaint may quote the file. */
	for (char *p = what; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (line != 0)
		snprintf(at, sizeof(at), ":%u", place.line);
	snprintf(out, sizeof(out), "%s%s: %s%s", place.file, at, kind, what);
	t->report->say(t->report->arg, out);
}

void
conf_error(const struct conf_text *t, unsigned line, const char *fmt, ...)
{
	va_list ap;

	t->report->errors++;
	va_start(ap, fmt);
	complain(t, line, "", fmt, ap);
	va_end(ap);
}

void
conf_warn(const struct conf_text *t, unsigned line, const char *fmt, ...)
{
	va_list ap;

	t->report->warnings++;
	va_start(ap, fmt);
	complain(t, line, _("warning: "), fmt, ap);
	va_end(ap);
}

struct scan {
	const struct conf_text *t;
	char *p;
	unsigned line;
	unsigned open_line; /* of the section that is open; 0: none */
	unsigned depth;
	bool in_word; /* an unquoted one, where // is just text */
	bool awaits;  /* the value behind a "=" has not begun */
	bool garbled; /* what is behind here would be misread */
};

/* Steps over one octet and counts lines. */
static void
step(struct scan *s)
{
	if (*s->p++ == '\n')
		s->line++;
}

static void
blank(struct scan *s)
{
	if (*s->p != '\n')
		*s->p = ' ';
	step(s);
}

static void
line_comment(struct scan *s)
{
	while (*s->p != '\0' && *s->p != '\n')
		blank(s);
}

static void
block_comment(struct scan *s)
{
	unsigned line = s->line;

	while (*s->p != '\0' && strncmp(s->p, "*/", 2) != 0)
		blank(s);
	if (*s->p == '\0') {
		conf_error(
		    s->t, line, _("a comment has no end; close it with */"));
		s->garbled = true;
		return;
	}
	blank(s);
	blank(s);
}

/* At "${": NAME or NAME:-DEFAULT, up to the brace. */
static void
expansion(struct scan *s)
{
	const char *name = s->p + 2;
	size_t all = strcspn(name, "}\n"), n = strcspn(name, "}\n:");
	char word[128];

	if (!s->t->expand) {
		conf_error(s->t, s->line,
		    _("${ would be replaced; write the value within single "
		      "quotes"));
		return;
	}
	if (name[all] != '}' || n >= sizeof(word)) {
		conf_error(s->t, s->line,
		    _("${ begins the name of a variable that "
		      "has no end; write '...' for text with ${ in it"));
		return;
	}
	snprintf(word, sizeof(word), "%.*s", (int)n, name);
	if (getenv(word) == NULL && strncmp(name + n, ":-", 2) != 0)
		conf_error(s->t, s->line,
		    _("${%s} is not set in the environment; set it, or write "
		      "'...' for text with ${ in it"),
		    word);
}

/* At a backslash: "\0", "\000", "\x0"?  libconfuse would end the value
 * there. */
static bool
is_nul_escape(const char *p)
{
	const char *digits = p + 1 + (p[1] == 'x');
	size_t most = p[1] == 'x' ? 2 : 3, zeros = strspn(digits, "0");

	return zeros != 0 &&
	       (zeros >= most ||
		   strchr(p[1] == 'x' ? "123456789abcdefABCDEF" : "1234567",
		       digits[zeros]) == NULL ||
		   digits[zeros] == '\0');
}

/* At a backslash: does libconfuse make one octet of what follows?  Of other
 * letters and digits it would leave the backslash out. */
static bool
is_escape(const char *p)
{
	unsigned char c = (unsigned char)p[1];

	if (c == 'x')
		return isxdigit((unsigned char)p[2]);
	return strchr("abefnrtv01234567", c) != NULL ||
	       (c < 0x80 && !isalnum(c));
}

/* At a backslash within double quotes. */
static void
check_escape(struct scan *s)
{
	if (is_nul_escape(s->p)) {
		conf_error(s->t, s->line,
		    _("a NUL cannot stand in a string; remove it"));
		s->garbled = true;
	} else if (!is_escape(s->p)) {
		conf_error(s->t, s->line,
		    _("a \\ has no meaning there and would be lost; write the "
		      "value within single quotes"));
	}
}

static void
string(struct scan *s)
{
	char quote = *s->p;

	for (step(s); strchr("\n", *s->p) == NULL && *s->p != quote; step(s)) {
		if (quote == '"' && *s->p == '\\')
			check_escape(s);
		if (*s->p == '\\' && s->p[1] != '\0' && s->p[1] != '\n')
			step(s);
		else if (quote == '"' && strncmp(s->p, "${", 2) == 0)
			expansion(s);
	}
	if (*s->p == quote) {
		step(s);
		return;
	}
	conf_error(s->t, s->line,
	    _("a string has no end in its line; close it with %c"), quote);
	s->garbled = true;
}

static void
brace(struct scan *s)
{
	if (*s->p == '{' && s->depth++ == 0)
		s->open_line = s->line;
	else if (*s->p == '}' && s->depth > 0)
		s->depth--;
	step(s);
}

/* A password with a # in it would lose its end, or all of it. */
static void
check_hash(struct scan *s)
{
	if (!s->in_word && !s->awaits)
		return;
	conf_error(s->t, s->line,
	    _("a # outside of quotation marks begins a comment; write the "
	      "value within single quotes, or a space before the comment"));
	s->garbled |= s->awaits;
}

/* What a word processor, or a page in the web, makes of " and of a space. */
static bool
typographic(struct scan *s)
{
	static const char *const marks[] = { "\u201c", "\u201d", "\u201e",
		"\u2018", "\u2019", "\u00ab", "\u00bb" };

	if (strncmp(s->p, "\u00a0", 2) == 0) {
		blank(s);
		blank(s);
		s->in_word = false;
		return true;
	}
	if (!s->awaits && s->in_word)
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strncmp(s->p, marks[i], strlen(marks[i])) == 0) {
			conf_error(s->t, s->line,
			    _("%s is no quotation mark here; write \" or '"),
			    marks[i]);
			s->garbled = true;
		}
	return false;
}

/* libconfuse knows + in += alone, and * in comments: it would leave any other
 * out, of a password, say. */
static void
check_unknown(struct scan *s)
{
	if (*s->p != '*' && (*s->p != '+' || s->p[1] == '='))
		return;
	conf_error(s->t, s->line,
	    _("a %c outside of quotation marks would be lost; write the value "
	      "within single quotes"),
	    *s->p);
	s->garbled = true;
}

/* Of an unquoted word, or between words. */
static void
plain(struct scan *s)
{
	check_unknown(s);
	s->in_word = strchr(" \t\r\n=+(),", *s->p) == NULL;
	if (*s->p == '=')
		s->awaits = true;
	else if (s->in_word)
		s->awaits = false;
	step(s);
}

static void
replaced(struct scan *s)
{
	expansion(s);
	s->p += 2;
	s->p += strcspn(s->p, "}\n");
	if (*s->p == '}')
		s->p++;
}

static void
scan_one(struct scan *s)
{
	bool in_word = s->in_word;

	if (typographic(s))
		return;
	if (*s->p == '#' || (!in_word && strncmp(s->p, "//", 2) == 0)) {
		check_hash(s);
		line_comment(s);
	} else if (!in_word && strncmp(s->p, "/*", 2) == 0) {
		block_comment(s);
	} else if (*s->p == '"' || *s->p == '\'') {
		string(s);
		s->awaits = false;
	} else if (strncmp(s->p, "${", 2) == 0) {
		replaced(s);
		s->awaits = false;
	} else if (*s->p == '{' || *s->p == '}') {
		brace(s);
	} else {
		plain(s);
		return;
	}
	s->in_word = false;
}

bool
conf_text_prepare(const struct conf_text *t, char *text)
{
	struct scan s = { .t = t, .p = text, .line = 1 };

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
		for (int i = 0; i < 3; i++)
			blank(&s);
	while (*s.p != '\0')
		scan_one(&s);
	if (s.depth != 0) {
		conf_error(
		    t, s.open_line, _("a { has no end; close it with }"));
		return false;
	}
	return !s.garbled;
}

bool
conf_text_is_utf8(const struct conf_text *t, const char *text)
{
	bool all = true;
	size_t n;

	for (unsigned line = 1; *text != '\0'; line++) {
		n = strcspn(text, "\n");
		if (!str_is_utf8(text, n)) {
			conf_error(t, line,
			    _("this line is not in UTF-8; save the file in "
			      "that encoding"));
			all = false;
		}
		text += n + (text[n] == '\n');
	}
	return all;
}

static const char *
string_end(const char *p)
{
	char quote = *p;

	for (p++; *p != '\0' && *p != quote; p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return p;
}

unsigned
conf_sections_next(struct conf_sections *s)
{
	unsigned depth = 0, found = 0;

	for (; *s->p != '\0'; s->p++) {
		if (*s->p == '\n')
			s->line++;
		else if (*s->p == '"' || *s->p == '\'')
			s->p = string_end(s->p);
		else if (*s->p == '{' && depth++ == 0)
			found = s->line;
		else if (*s->p == '}' && depth != 0 && --depth == 0)
			break;
		if (*s->p == '\0')
			return 0;
	}
	if (*s->p == '\0')
		return 0;
	s->p++;
	return found;
}

bool
conf_names_next(struct conf_names *n)
{
	static const char ends[] = " \t\r\n=+(),{}\"'";
	size_t blank;

	for (; *n->p != '\0'; n->p++) {
		if (*n->p == '"' || *n->p == '\'') {
			if (*(n->p = string_end(n->p)) == '\0')
				return false;
		} else if (*n->p == '{') {
			n->depth++;
		} else if (*n->p == '}') {
			n->depth -= n->depth != 0;
		}
		if (strchr(ends, *n->p) != NULL)
			continue;
		n->name = (struct slice){ n->p, strcspn(n->p, ends) };
		n->p += n->name.n;
		blank = strspn(n->p, " \t\r\n");
		if (n->p[blank] == '=' || strncmp(n->p + blank, "+=", 2) == 0)
			return true;
		n->p--;
	}
	return false;
}

static size_t
min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t
conf_distance(const char *a, const char *b)
{
	enum { MOST = 40 };
	size_t row[3][MOST + 1], n = strlen(b);
	size_t *before = row[0], *last = row[1], *now = row[2], *spare;

	if (n > MOST || strlen(a) > MOST)
		return SIZE_MAX;
	for (size_t i = 0; i <= n; i++)
		last[i] = i;
	for (size_t j = 1; a[j - 1] != '\0'; j++) {
		now[0] = j;
		for (size_t i = 1; i <= n; i++) {
			now[i] = min2(last[i - 1] + (a[j - 1] != b[i - 1]),
			    min2(last[i], now[i - 1]) + 1);
			if (i > 1 && j > 1 && a[j - 1] == b[i - 2] &&
			    a[j - 2] == b[i - 1])
				now[i] = min2(now[i], before[i - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[n];
}
