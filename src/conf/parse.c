#include "conf/parse.h"

#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"

/* What is being parsed: libconfuse hands on_error() no argument of ours. */
static const struct conf_text *text_now;
static const struct conf_grammar *grammar_now;

static const char *
nearest(const cfg_t *cfg, const char *name)
{
	const char *best = NULL;
	size_t least = 4;

	for (const cfg_opt_t *o = cfg->opts; o->name != NULL; o++)
		if (o->type == CFGT_STR &&
		    conf_distance(name, o->name) < least) {
			least = conf_distance(name, o->name);
			best = o->name;
		}
	return best;
}

static void
unknown(const cfg_t *cfg, const char *name)
{
	bool in_section = strcmp(cfg->name, grammar_now->section) == 0;
	const char *like = nearest(cfg, name);
	char shown[64];

	str_escape(shown, sizeof(shown), name, strlen(name));
	if (like != NULL)
		conf_error(text_now, (unsigned)cfg->line,
		    _("there is no setting %s; did you mean %s?"), shown, like);
	else if (in_section)
		conf_error(text_now, (unsigned)cfg->line,
		    _("there is no setting %s in a block %s; %s lists them"),
		    shown, cfg->name, grammar_now->manual);
	else
		conf_error(text_now, (unsigned)cfg->line,
		    _("there is no setting %s; %s lists them"), shown,
		    grammar_now->manual);
}

enum right { SETTING, SECTION, OTHER_NAME, NOT_OPEN, MANUAL };

/* Finds what would be right instead, from libconfuse's message. */
static void
right_words(char *out, size_t size, const char *fmt)
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
		    grammar_now->section);
		break;
	case OTHER_NAME:
		snprintf(out, size, _("give each %s a name of its own"),
		    grammar_now->section);
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

	if (grammar_now->secret_line != NULL &&
	    *grammar_now->secret_line == (unsigned)cfg->line) {
		conf_error(text_now, (unsigned)cfg->line,
		    _("this line holds more than the secret; write that within "
		      "single quotes, and other settings in other lines"));
		return;
	}
	if (strncmp(fmt, "no such option", 14) == 0) {
		unknown(cfg, va_arg(ap, const char *));
		return;
	}
	right_words(right, sizeof(right), fmt);
	vsnprintf(text, sizeof(text), _(fmt), ap);
	conf_error(text_now, (unsigned)cfg->line, "%s; %s", text, right);
}

void
conf_parse(const struct conf_text *t, char *text, cfg_opt_t *opt,
    const struct conf_grammar *g)
{
	unsigned before = t->report->errors;
	size_t n = strlen(text);
	FILE *fp = n != 0 ? fmemopen(text, n, "r") : fopen("/dev/null", "r");
	cfg_t *cfg = cfg_init(opt, CFGF_NONE);

	text_now = t;
	grammar_now = g;
	if (cfg == NULL || fp == NULL) {
		conf_error(t, 0, _("out of memory"));
	} else {
		/* on_error() knows libconfuse's messages in English only. */
		bindtextdomain("confuse", "/");
		setvbuf(fp, NULL, _IONBF, 0); /* no copy of secrets */
		cfg_set_error_function(cfg, on_error);
		if (cfg_parse_fp(cfg, fp) != CFG_SUCCESS &&
		    t->report->errors == before)
			conf_error(t, (unsigned)cfg->line,
			    _("it cannot be understood; %s says how to write "
			      "it"),
			    g->manual);
	}
	if (fp != NULL)
		fclose(fp);
	if (cfg != NULL)
		cfg_free(cfg);
}
