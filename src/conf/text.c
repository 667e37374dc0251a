#include "conf/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"

static void complain(const struct conf_text *t, unsigned line, const char *kind,
    const char *fmt, va_list ap) PRINTF(4, 0);

static void
complain(const struct conf_text *t, unsigned line, const char *kind,
    const char *fmt, va_list ap)
{
	char out[1024], what[768], at[16] = "";

	vsnprintf(what, sizeof(what), fmt, ap);
	/* The complaint may quote the file. */
	for (char *p = what; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (line != 0)
		snprintf(at, sizeof(at), ":%u", line);
	snprintf(out, sizeof(out), "%s%s: %s%s", t->file, at, kind, what);
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

static void
string(struct scan *s)
{
	char quote = *s->p;

	for (step(s); strchr("\n", *s->p) == NULL && *s->p != quote; step(s)) {
		if (quote == '"' && *s->p == '\\' && is_nul_escape(s->p))
			conf_error(s->t, s->line,
			    _("a NUL cannot stand in a string; remove it"));
		if (*s->p == '\\' && s->p[1] != '\0' && s->p[1] != '\n')
			step(s);
		else if (quote == '"' && strncmp(s->p, "${", 2) == 0)
			expansion(s);
	}
	if (*s->p == quote)
		step(s);
	else
		conf_error(s->t, s->line,
		    _("a string has no end in its line; close it with %c"),
		    quote);
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

void
conf_text_prepare(const struct conf_text *t, char *text)
{
	struct scan s = { .t = t, .p = text, .line = 1 };
	bool word = false; /* inside an unquoted one, where // is just text */

	while (*s.p != '\0') {
		bool was_word = word;

		word = false;
		if (*s.p == '#' || (!was_word && strncmp(s.p, "//", 2) == 0)) {
			line_comment(&s);
		} else if (!was_word && strncmp(s.p, "/*", 2) == 0) {
			block_comment(&s);
		} else if (*s.p == '"' || *s.p == '\'') {
			string(&s);
		} else if (strncmp(s.p, "${", 2) == 0) {
			expansion(&s);
			s.p += 2;
			s.p += strcspn(s.p, "}\n");
			if (*s.p == '}')
				s.p++;
		} else if (*s.p == '{' || *s.p == '}') {
			brace(&s);
		} else {
			word = strchr(" \t\r\n=+(),", *s.p) == NULL;
			step(&s);
		}
	}
	if (s.depth != 0)
		conf_error(
		    t, s.open_line, _("a { has no end; close it with }"));
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

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

size_t
conf_distance(const char *a, const char *b)
{
	enum { MOST = 40 };
	size_t row[MOST + 1], n = strlen(b);

	if (n > MOST || strlen(a) > MOST)
		return SIZE_MAX;
	for (size_t i = 0; i <= n; i++)
		row[i] = i;
	for (size_t j = 1; a[j - 1] != '\0'; j++) {
		size_t corner = row[0];

		row[0] = j;
		for (size_t i = 1; i <= n; i++) {
			size_t cost = corner + (a[j - 1] != b[i - 1]);

			corner = row[i];
			row[i] = min3(cost, row[i] + 1, row[i - 1] + 1);
		}
	}
	return row[n];
}
