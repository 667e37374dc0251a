#include "client/command/failure.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "client/report/report.h"

enum { WORDS = OPTIONS_PATH + 256 };

void
say_error(const char *words)
{
	fprintf(stderr, "malote: %s\n", words);
}

int
failed(const struct options *o, int code, json_t *errors)
{
	json_t *all;

	if (option_is_given(o, OPT_JSON)) {
		all = json_pack("{s:i, s:i, s:O, s:[]}", "malote", 1,
		    "exit_code", code, "errors", errors, "accounts");
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	json_decref(errors);
	return code;
}

int
failed_by(const struct options *o, int code, const char *fmt, ...)
{
	json_t *errors = json_array();
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	say_error(words);
	json_array_append_new(errors, report_json_text(words));
	return failed(o, code, errors);
}

int
mistyped(const struct options *o, const char *fmt, ...)
{
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return failed_by(o, EX_USAGE, _("%s (see malote --help)"), words);
}

int
done(const struct options *o, const char *fmt, ...)
{
	va_list ap;

	if (option_is_given(o, OPT_JSON))
		return failed(o, EX_OK, json_array());
	if (option_is_given(o, OPT_QUIET))
		return EX_OK;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return EX_OK;
}
