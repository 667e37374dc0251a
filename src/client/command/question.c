#include "client/command/question.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"

bool
question_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool
question_yes(const char *fmt, ...)
{
	char answer[64];
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fputs(_("[y/N] "), stdout);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       answer[0] != '\0' && strchr(_("yY"), answer[0]) != NULL;
}
