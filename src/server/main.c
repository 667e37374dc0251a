/*
 * maloted - the POP3 server: its command line.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "server/auth/auth.h"
#include "server/conf/conf.h"
#include "server/conf/languages.h"
#include "server/helper/checked.h"
#include "server/helper/db.h"
#include "server/helper/db_once.h"
#include "server/helper/net.h"
#include "server/helper/net_once.h"
#include "server/helper/pam.h"
#include "server/helper/verify_driver.h"
#include "server/kerberos/kerberos.h"
#include "server/metrics/metrics.h"
#include "server/parent/handover.h"
#include "server/parent/logrelay.h"
#include "server/parent/mail_root.h"
#include "server/parent/parent.h"
#include "server/sasl/sasl_role.h"
#include "server/store/maildir/uidl_check.h"
#include "server/store/store.h"
#include "server/trial/issuer_trial.h"
#include "server/trial/trial.h"
#include "server/upgrade/upgrade.h"
#include "server/worker/worker.h"

static const char usage[] =
    "usage: maloted [-c FILE] [--check [--verbose]]\n"
    "  -c, --config FILE  settings, instead of " CONF_FILE "\n"
    "      --check        only say what is wrong with them, and who could\n"
    "                     not sign in\n"
    "      --verbose      with --check: each setting, and where it comes\n"
    "                     from\n"
    "      --root-mail    mail_user may be root (for tests)\n"
    "  -h, --help         this text\n"
    "  -V, --version\n"
    "See maloted(8) and maloted.conf(5).\n";

#define ROW(NAME, role, user, memory, talks) \
	{ #role, "maloted-" #role, role##_main, ROLE_FD },

/* The one place where the code of the roles meets that of the parent. */
static const struct {
	const char *name, *process; /* as ps shows it */
	int (*main)(int fd);
	int fd; /* to who has started us */
} mains[] = { ROLES(ROW){ "upgrade", "maloted-upgrade", upgrade_main, ROLE_FD },
	{ "db_once", "maloted-db", db_once_main, ROLE_FD },
	{ "net_once", "maloted-net", net_once_main, ROLE_FD },
	{ CHECKED_ROLE, "maloted-checked", checked_main, VERIFY_FD } };

/* The parent starts us so, or a program that one of its processes asks. */
static int
run_role(const char *name)
{
	struct stat st;

	for (size_t i = 0; i < sizeof(mains) / sizeof(mains[0]); i++) {
		if (strcmp(mains[i].name, name) != 0)
			continue;
		if (fstat(mains[i].fd, &st) < 0 || !S_ISSOCK(st.st_mode))
			break;
		prctl(PR_SET_NAME, mains[i].process);
		/* Threads may still run, and files are out of reach: no exit
		 * handlers. */
		_exit(mains[i].main(mains[i].fd));
	}
	fprintf(stderr, "maloted: -x is for maloted itself\n");
	return EX_USAGE;
}

/* Complaints about the settings; in the journal, with their priority. */
struct complaints {
	int elder; /* the maloted that has started us, see handover.h */
	struct conf_report report;
	unsigned errors; /* that were said */
	bool journal;
};

static void
say(void *arg, const char *line)
{
	struct complaints *c = arg;
	bool error = c->report.errors != c->errors;

	c->errors = c->report.errors;
	if (error)
		handover_fail(c->elder, line);
	fprintf(stderr, "%s%s\n",
	    !c->journal ? ""
	    : error     ? "<3>"
			: "<4>",
	    line);
}

static void
warn_of_list(void *arg, const char *warning)
{
	conf_warn(arg, 0, "%s", warning);
}

static void
warn_of_mounts(const char *root, struct conf_text *text)
{
	char mounts[MOUNTS_MAX], path[MAIL_PATH_MAX + MOUNTS_MAX];
	size_t n;

	mail_root_mounts(root, mounts, sizeof(mounts));
	for (const char *p = mounts; *p != '\0'; p += n + 1) {
		n = strcspn(p, "\n");
		snprintf(path, sizeof(path), "%s/%.*s", root, (int)n, p);
		if (mail_root_is_missed(path))
			conf_warn(text, 0,
			    "%s had a marker and has none now: is its file "
			    "system mounted? Until it is, no maildrops are "
			    "made in it. If this is the right folder all the "
			    "same: malotectl root accept %s",
			    path, path);
	}
}

static void
check_roots(struct conf *conf, struct conf_text *text)
{
	for (unsigned i = 0; i < conf->n_roots; i++) {
		const char *root = conf->root[i].path;

		if (mail_root_is_missed(root))
			conf_warn(text, 0,
			    "the mail root %s had a marker and has none now: "
			    "is its file system mounted? Until it is, nobody "
			    "whose mail is there can sign in. If this is the "
			    "mail root all the same: malotectl root accept %s",
			    root, root);
		warn_of_mounts(root, text);
		memcpy(conf->store.root, root, sizeof(conf->store.root));
		uidl_check(&conf->store, warn_of_list, text);
	}
}

/* "/srv/mail", or "/srv/mail, /home" */
static void
print_roots(const struct conf *conf)
{
	for (unsigned i = 0; i < conf->n_roots; i++)
		printf("%s%s", i != 0 ? ", " : "", conf->root[i].path);
	putchar('\n');
}

/* The settings are good; what about the users and their mail? */
static int
check(struct conf *conf, const struct conf_env *env, struct conf_text *text)
{
	struct conf_report *report = text->report;
	size_t users = conf_try(conf, env, report);
	struct errbuf eb;

	if (languages_load(conf->languages, &conf->worker, warn_of_list, text,
		&eb) != E_OK)
		conf_error(text, 0, "%s", eb.text);
	check_roots(conf, text);
	if (report->errors != 0)
		return EX_CONFIG;
	printf("%s: %s; listeners: %u, users who can sign in: %zu%s, mail "
	       "below ",
	    text->file,
	    report->warnings == 0 ? "all is well" : "maloted can start",
	    conf->n_listeners, users,
	    conf->db.role.n + conf->pam.role.n != 0 ? " and those of databases"
						    : "");
	print_roots(conf);
	return EX_OK;
}

static int
run(const char *file, bool only_check, bool verbose, bool root_mail)
{
	static struct conf conf;
	struct complaints to = { .report = { .say = say, .arg = &to },
		.journal = logrelay_is_journal(),
		.elder = handover_channel() };
	struct conf_text text = { .file = file, .report = &to.report };
	struct conf_env env;
	int status = EX_CONFIG;

	conf_env_here(&env);
	env.root_mail = root_mail;
	if (conf_read(&conf, file, &env, &to.report) == E_OK) {
		/* At a start of its own it serves without what is wrong there. */
		if (to.elder >= 0)
			issuers_try_files(&conf, &to.report);
		if (only_check && verbose)
			conf_show(&conf, stdout);
		if (only_check)
			status = check(&conf, &env, &text);
		else if (to.report.errors == 0)
			status = parent_run(
			    &conf, &env, to.elder, issuers_try_files);
	}
	conf_free(&conf);
	return status;
}

/* What is opened later must not become standard error. */
static bool
standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
	if (fd > STDERR_FILENO)
		close(fd);
	return fd > STDERR_FILENO;
}

int
main(int argc, char **argv)
{
	enum { CHECK = 256, ROOT_MAIL, VERBOSE };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, CHECK },
		{ "verbose", no_argument, NULL, VERBOSE },
		{ "root-mail", no_argument, NULL, ROOT_MAIL },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = CONF_FILE;
	bool only_check = false, verbose = false, root_mail = false;
	int o;

	while ((o = getopt_long(argc, argv, "c:hVx:", options, NULL)) != -1)
		switch (o) {
		case 'c': file = optarg; break;
		case CHECK: only_check = true; break;
		case VERBOSE: verbose = true; break;
		case ROOT_MAIL: root_mail = true; break;
		case 'x': return run_role(optarg);
		case 'h': fputs(usage, stdout); return EX_OK;
		case 'V': puts("maloted " VERSION); return EX_OK;
		default: fputs(usage, stderr); return EX_USAGE;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (!standard_files())
		return EX_OSERR;
	handover_remember(argv); /* not in a role: it opens a folder */
	return run(file, only_check, verbose, root_mail);
}
