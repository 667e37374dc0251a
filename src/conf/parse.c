#include "conf/parse.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/i18n.h"
#include "base/str.h"

/* What is being parsed: libconfuse hands on_error() no argument of ours. */
static const struct conf_text *text_now;
static const struct conf_grammar *grammar_now;
static const cfg_t *top_now;

static int on_unknown(cfg_t *cfg, cfg_opt_t *opt);

/* One that is so far away is another word. */
static size_t
most_distance(const char *name)
{
	size_t n = strlen(name);

	return n < 6 ? 1 : n < 11 ? 2 : 3;
}

static bool
has_setting(const cfg_opt_t *opts, const char *name)
{
	while (opts->name != NULL && strcmp(opts->name, name) != 0)
		opts++;
	return opts->name != NULL;
}

/* The setting that is meant by a name in lower case; NULL: none is near. */
static const char *
nearest(const cfg_opt_t *opts, const char *name)
{
	const struct conf_synonym *y = grammar_now->synonyms;
	size_t least = most_distance(name) + 1, d;
	const char *best = NULL;

	for (; y != NULL && y->word != NULL; y++)
		if (strcmp(y->word, name) == 0 && has_setting(opts, y->name))
			return y->name;
	for (const cfg_opt_t *o = opts; o->name != NULL; o++) {
		if (o->validcb == on_unknown)
			continue;
		if ((d = conf_distance(name, o->name)) < least) {
			least = d;
			best = o->name;
		}
	}
	return best;
}

/* `there`: what it is called, or would be, in the other place; NULL: the
 * same. */
static void
complain_place(const cfg_t *cfg, bool in_section, const char *section,
    const char *shown, const char *there)
{
	unsigned line = (unsigned)cfg->line;

	if (there == NULL)
		conf_error(text_now, line,
		    in_section
			? _("%s stands within a block %s; move it out of there")
			: _("%s stands outside of a block %s; move it into "
			    "one"),
		    shown, section);
	else
		conf_error(text_now, line,
		    in_section
			? _("there is no setting %s; did you mean %s, which "
			    "stands outside of a block %s?")
			: _("there is no setting %s; did you mean %s, which "
			    "stands within a block %s?"),
		    shown, there, section);
}

/* What is meant, of the settings of other places: those outside of sections,
 * or those of any section, whose name is *section_r then. */
static const char *
nearest_elsewhere(bool in_section, const char *lower, const char **section_r)
{
	const char *best = NULL, *name;

	if (in_section)
		return nearest(top_now->opts, lower);
	for (const cfg_opt_t *o = top_now->opts; o->name != NULL; o++) {
		if (o->type != CFGT_SEC ||
		    (name = nearest(o->subopts, lower)) == NULL)
			continue;
		if (best == NULL || strcmp(name, lower) == 0) {
			best = name;
			*section_r = o->name;
		}
	}
	return best;
}

/* The kind of section, other than the one it stands in, that has a setting of
 * that name; NULL: none. */
static const char *
other_section(const cfg_t *cfg, const char *name)
{
	const char *there;

	for (const cfg_opt_t *o = top_now->opts; o->name != NULL; o++) {
		if (o->type != CFGT_SEC || strcmp(o->name, cfg->name) == 0)
			continue;
		there = nearest(o->subopts, name);
		if (there != NULL && strcmp(there, name) == 0)
			return o->name;
	}
	return NULL;
}

/* A setting of the other place is what is meant; else one that is alike here,
 * or else one that is alike there. */
static void
complain_unknown(const cfg_t *cfg, const char *shown, const char *lower)
{
	bool in_section = cfg != top_now;
	const char *section = cfg->name;
	const char *here = nearest(cfg->opts, lower);
	const char *there = nearest_elsewhere(in_section, lower, &section);
	const char *other = in_section ? other_section(cfg, lower) : NULL;
	unsigned line = (unsigned)cfg->line;

	if (there != NULL && strcmp(there, lower) == 0)
		complain_place(cfg, in_section, section, shown, NULL);
	else if (other != NULL)
		conf_error(text_now, line,
		    _("%s belongs into a block %s; move it there"), shown,
		    other);
	else if (here != NULL)
		conf_error(text_now, line,
		    _("there is no setting %s; did you mean %s?"), shown, here);
	else if (there != NULL)
		complain_place(cfg, in_section, section, shown, there);
	else if (in_section)
		conf_error(text_now, line,
		    _("there is no setting %s in a block %s; %s lists them"),
		    shown, section, grammar_now->manual);
	else
		conf_error(text_now, line,
		    _("there is no setting %s; %s lists them"), shown,
		    grammar_now->manual);
}

static void
unknown(const cfg_t *cfg, const char *name)
{
	char shown[64], lower[64];

	str_quote(shown, sizeof(shown), name, strlen(name));
	snprintf(lower, sizeof(lower), "%s", name);
	for (char *p = lower; *p != '\0'; p++)
		*p = str_lower1(*p);
	complain_unknown(cfg, shown, lower);
	if (grammar_now->has_unknown != NULL)
		*grammar_now->has_unknown = true;
}

/* What stands in the line of a secret may be part of it. */
static bool
is_secret_line(const cfg_t *cfg)
{
	if (grammar_now->secret_line == NULL ||
	    *grammar_now->secret_line != (unsigned)cfg->line)
		return false;
	conf_error(text_now, (unsigned)cfg->line,
	    _("this line holds more than the secret; write that within "
	      "single quotes, and other settings in other lines"));
	return true;
}

static int
on_unknown(cfg_t *cfg, cfg_opt_t *opt)
{
	if (!is_secret_line(cfg))
		unknown(cfg, opt->name);
	return 0;
}

enum right { SETTING, SECTION, OTHER_NAME, NOT_OPEN, MANUAL };

/* Finds what would be right instead, from libconfuse's message and what stands
 * for its first %s. */
static void
right_words(char *out, size_t size, const char *fmt, va_list ap)
{
	static const struct {
		const char *fmt;
		enum right right;
	} hints[] = {
		{ N_("missing equal sign after option '%s'"), SETTING },
		{ N_("missing opening brace for section '%s'"), SECTION },
		{ N_("missing title for section '%s'"), SECTION },
		{ N_("found duplicate title '%s'"), OTHER_NAME },
		{ N_("unexpected token '%s'"), SETTING },
		{ N_("unexpected closing brace"), NOT_OPEN },
		{ N_("premature end of file"), SETTING },
		{ N_("attempt to append to non-list option '%s'"), SETTING },
		{ N_("invalid octal number '%s'"), MANUAL },
	};
	enum right right = MANUAL;

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strcmp(fmt, hints[i].fmt) == 0)
			right = hints[i].right;
	switch (right) {
	case SETTING:
		snprintf(out, size, "%s", _("write NAME = \"VALUE\""));
		break;
	case SECTION:
		snprintf(out, size, _("write %s \"NAME\" { ... }"),
		    va_arg(ap, const char *));
		break;
	case OTHER_NAME:
		snprintf(
		    out, size, "%s", _("give each block a name of its own"));
		break;
	case NOT_OPEN:
		snprintf(out, size, "%s", _("none is open: remove it"));
		break;
	case MANUAL:
		snprintf(out, size, _("%s says how to write it"),
		    grammar_now->manual);
		break;
	}
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap) PRINTF(2, 0);

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[512], right[128];
	va_list again;

	if (is_secret_line(cfg))
		return;
	if (strncmp(fmt, "no such option", 14) == 0) {
		unknown(cfg, va_arg(ap, const char *));
		return;
	}
	va_copy(again, ap);
	right_words(right, sizeof(right), fmt, again);
	va_end(again);
	vsnprintf(text, sizeof(text), _(fmt), ap);
	conf_error(text_now, (unsigned)cfg->line, "%s; %s", text, right);
}

/* ---- settings that are not known ---- */

/* Options and, behind them, those that are not known but stand in the file: to
 * libconfuse they are options, so that it reads on. */
struct options {
	cfg_opt_t *v;
	size_t n, known, room;
};

static bool
options_init(struct options *o, const cfg_opt_t *opt)
{
	while (opt[o->n].name != NULL)
		o->n++;
	o->known = o->n;
	o->room = o->n + 1;
	if ((o->v = calloc(o->room, sizeof(*o->v))) == NULL)
		return false;
	memcpy(o->v, opt, o->room * sizeof(*o->v));
	return true;
}

static void
options_clear(struct options *o)
{
	for (size_t i = o->known; i < o->n; i++)
		free((char *)o->v[i].name);
	free(o->v);
}

static bool
options_add(struct options *o, struct slice name)
{
	cfg_opt_t *v;
	char *copy;

	for (size_t i = 0; i < o->n; i++)
		if (slice_eq(name, o->v[i].name))
			return true;
	if ((v = array_room(o->v, o->n + 1, &o->room, sizeof(*v))) == NULL)
		return false;
	o->v = v;
	if ((copy = strndup(name.p, name.n)) == NULL)
		return false;
	v[o->n + 1] = v[o->n]; /* the end */
	v[o->n] = (cfg_opt_t)CFG_STR(copy, NULL, CFGF_NODEFAULT);
	v[o->n++].validcb = on_unknown;
	return true;
}

/* The kinds of sections, and what may stand in each. */
struct sections {
	struct options in[CONF_SECTIONS_MAX];
	size_t n;
};

/* False: memory. */
static bool
sections_init(struct sections *s, const struct options *top)
{
	for (size_t i = 0; i < top->n; i++) {
		if (top->v[i].type != CFGT_SEC)
			continue;
		assert(s->n < CONF_SECTIONS_MAX);
		if (!options_init(&s->in[s->n], top->v[i].subopts))
			return false;
		s->n++;
	}
	return true;
}

/* What stands in a section is taken for one that any kind of them could have:
 * where it does not stand it does no harm. */
static bool
add_unknown(struct options *top, struct sections *s, const char *text)
{
	struct conf_names n = { .p = text };
	size_t k = 0;

	while (conf_names_next(&n)) {
		if (n.depth == 0 && !options_add(top, n.name))
			return false;
		for (size_t i = 0; n.depth != 0 && i < s->n; i++)
			if (!options_add(&s->in[i], n.name))
				return false;
	}
	for (size_t i = 0; i < top->n; i++)
		if (top->v[i].type == CFGT_SEC)
			top->v[i].subopts = s->in[k++].v;
	return true;
}

static void
sections_clear(struct sections *s)
{
	for (size_t i = 0; i < s->n; i++)
		options_clear(&s->in[i]);
}

/* Settings that have the name of a section: see CONF_SHORT. */
static void
mark_short(char *text, const cfg_opt_t *opt)
{
	struct conf_names n = { .p = text };

	while (conf_names_next(&n))
		for (const cfg_opt_t *o = opt; o->name != NULL; o++)
			if (n.depth == 0 && o->type == CFGT_SEC &&
			    slice_eq(n.name, o->name))
				text[n.name.p - text + (ptrdiff_t)n.name.n -
				     1] = CONF_SHORT[0];
}

/* ---- reading ---- */

static void
parse(const struct conf_text *t, char *text, cfg_opt_t *opt)
{
	unsigned before = t->report->errors;
	size_t n = strlen(text);
	FILE *fp = n != 0 ? fmemopen(text, n, "r") : fopen("/dev/null", "r");
	cfg_t *cfg = cfg_init(opt, CFGF_NONE);

	if (cfg == NULL || fp == NULL) {
		conf_error(t, 0, _("out of memory"));
	} else {
		/* on_error() knows libconfuse's messages in English only. */
		bindtextdomain("confuse", "/");
		setvbuf(fp, NULL, _IONBF, 0); /* no copy of secrets */
		top_now = cfg;
		cfg_set_error_function(cfg, on_error);
		if (cfg_parse_fp(cfg, fp) != CFG_SUCCESS &&
		    t->report->errors == before)
			conf_error(t, (unsigned)cfg->line,
			    _("it cannot be understood; %s says how to write "
			      "it"),
			    grammar_now->manual);
	}
	if (fp != NULL)
		fclose(fp);
	if (cfg != NULL)
		cfg_free(cfg);
}

void
conf_parse(const struct conf_text *t, char *text, cfg_opt_t *opt,
    const struct conf_grammar *g)
{
	struct options top = { .n = 0 };
	struct sections in = { .n = 0 };

	text_now = t;
	grammar_now = g;
	mark_short(text, opt);
	if (options_init(&top, opt) && sections_init(&in, &top) &&
	    add_unknown(&top, &in, text))
		parse(t, text, top.v);
	else
		conf_error(t, 0, _("out of memory"));
	sections_clear(&in);
	options_clear(&top);
}
