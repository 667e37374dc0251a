#include "server/ctl/log_source.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

enum { ROTATED_MAX = 99 };

/* ---- a line ---- */

/* "2026-11-29T22:20:15.373Z", "2026-11-29T22:20:15.373456-03:00". */
static bool
iso_time(const char *s, int64_t *when_r)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours, minutes;
	int64_t offset = 0;

	if (p == NULL)
		return false;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if ((*p == '+' || *p == '-') &&
	    sscanf(p + 1, "%2d:%2d", &hours, &minutes) == 2)
		offset = (hours * 60 + minutes) * (*p == '-' ? -60 : 60);
	*when_r = timegm(&tm) - offset;
	return true;
}

/* "1796337615.373456", of journalctl. */
static bool
unix_time(const char *s, int64_t *when_r)
{
	size_t n = strspn(s, "0123456789");

	if (n < 9 || n > 12 || s[n] != '.')
		return false;
	*when_r = strtoll(s, NULL, 10);
	return true;
}

/* "Nov 29 22:20:15", of syslog: in this year, or the last one. */
static bool
syslog_time(const char *s, int64_t now, int64_t *when_r)
{
	time_t at = now;
	struct tm here, tm;

	if (localtime_r(&at, &here) == NULL)
		return false;
	tm = (struct tm){ .tm_year = here.tm_year, .tm_isdst = -1 };
	if (strptime(s, "%b %d %H:%M:%S", &tm) == NULL)
		return false;
	*when_r = mktime(&tm);
	if (*when_r > now + 24 * 60 * 60) {
		tm.tm_year--;
		tm.tm_isdst = -1;
		*when_r = mktime(&tm);
	}
	return true;
}

/* What stands within quotation marks comes later, whatever it says. */
const char *
log_source_line(const char *line, int64_t now, int64_t *when_r)
{
	const char *ev = strstr(line, " ev="), *p = ev;

	if (ev == NULL)
		return NULL;
	while (p > line && p[-1] != ' ')
		p--;
	*when_r = 0;
	if (!iso_time(line, when_r) && !unix_time(line, when_r))
		(void)syslog_time(line, now, when_r);
	return p;
}

struct reading {
	int64_t since, now;
	log_source_take *take;
	void *arg;
};

static void
hand_over(const struct reading *r, char *line)
{
	int64_t when;
	const char *rest;

	line[strcspn(line, "\r\n")] = '\0';
	rest = log_source_line(line, r->now, &when);
	if (rest != NULL && (when == 0 || when >= r->since))
		r->take(r->arg, when, rest);
}

/* ---- files ---- */

#ifdef HAVE_ZLIB
static enum err
read_file(const char *path, const struct reading *r, struct errbuf *eb)
{
	char line[LOG_SOURCE_LINE];
	gzFile f = gzopen(path, "rbe");
	int why;

	if (f == NULL)
		return err_sys(
		    eb, errno == ENOENT ? E_NOENT : E_IO, "%s", path);
	while (gzgets(f, line, sizeof(line)) != NULL)
		hand_over(r, line);
	gzerror(f, &why);
	gzclose(f);
	return why == Z_OK || why == Z_STREAM_END || why == Z_BUF_ERROR
		   ? E_OK
		   : err_set(eb, E_IO, "%s: it is damaged", path);
}
#else
static enum err
read_file(const char *path, const struct reading *r, struct errbuf *eb)
{
	char line[LOG_SOURCE_LINE];
	size_t n = strlen(path);
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return err_sys(
		    eb, errno == ENOENT ? E_NOENT : E_IO, "%s", path);
	if (n > 3 && strcmp(path + n - 3, ".gz") == 0)
		fprintf(stderr,
		    "malotectl: %s is left out: this malotectl has "
		    "no zlib\n",
		    path);
	else
		while (fgets(line, sizeof(line), f) != NULL)
			hand_over(r, line);
	fclose(f);
	return E_OK;
}
#endif

/* FILE-20261129, FILE-20261129.gz: with logrotate's dateext. */
static enum err
read_dated(const char *file, const struct reading *r, struct errbuf *eb)
{
	char pattern[4096];
	enum err e = E_OK;
	glob_t found;

	if (strpbrk(file, "*?[\\") != NULL ||
	    (size_t)snprintf(pattern, sizeof(pattern), "%s-[0-9]*", file) >=
		sizeof(pattern))
		return E_OK;
	if (glob(pattern, 0, NULL, &found) != 0)
		return E_OK;
	for (size_t i = 0; i < found.gl_pathc && e == E_OK; i++)
		e = read_file(found.gl_pathv[i], r, eb);
	globfree(&found);
	return e;
}

static enum err
read_numbered(const char *file, const struct reading *r, struct errbuf *eb)
{
	static const char *const ends[] = { "", ".gz" };
	char path[4096];
	enum err e;

	for (int n = ROTATED_MAX; n >= 0; n--)
		for (size_t i = 0; i < 2; i++) {
			if ((size_t)snprintf(path, sizeof(path), "%s.%d%s",
				file, n, ends[i]) >= sizeof(path))
				return E_OK;
			e = read_file(path, r, eb);
			if (e != E_OK && e != E_NOENT)
				return e;
		}
	return E_OK;
}

static enum err
read_files(const char *file, const struct reading *r, struct errbuf *eb)
{
	enum err e = read_dated(file, r, eb);

	if (e == E_OK)
		e = read_numbered(file, r, eb);
	if (e == E_OK)
		e = read_file(file, r, eb);
	return e == E_NOENT
		   ? err_set(eb, E_CONFIG, "%s: there is no such file", file)
		   : e;
}

/* ---- the journal ---- */

static enum err
read_journal(const struct reading *r, struct errbuf *eb)
{
	char command[160], line[LOG_SOURCE_LINE];
	FILE *f;
	int status;

	snprintf(command, sizeof(command),
	    "exec journalctl --unit=maloted --output=short-unix --no-pager "
	    "--quiet --since=@%lld",
	    (long long)r->since);
	if ((f = popen(command, "re")) == NULL)
		return err_sys(eb, E_IO, "journalctl");
	while (fgets(line, sizeof(line), f) != NULL)
		hand_over(r, line);
	status = pclose(f);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		   ? E_OK
		   : err_set(eb, E_CONFIG,
			 "journalctl has failed; name the file of the log with "
			 "--log");
}

enum err
log_source_read(const char *file, int64_t since, log_source_take *take,
    void *arg, struct errbuf *eb)
{
	struct reading r = { since, time(NULL), take, arg };

	return file != NULL ? read_files(file, &r, eb) : read_journal(&r, eb);
}
