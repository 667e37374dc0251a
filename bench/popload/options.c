#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options opt = {
	.connections = 8,
	.users = 50,
	.depth = 1,
	.sessions = 1000,
	.password = "secret",
};

static const struct word words[] = {
	{ "login", "", KIND_LOGIN, false },
	{ "plain", "", KIND_PLAIN, false },
	{ "scram", "", KIND_SCRAM, false },
	{ "stls", "STLS", KIND_STLS, false },
	{ "stat", "STAT", KIND_ONCE, false },
	{ "list", "LIST", KIND_ONCE, true },
	{ "uidl", "UIDL", KIND_ONCE, true },
	{ "noop", "NOOP", KIND_ONCE, false },
	{ "capa", "CAPA", KIND_ONCE, true },
	{ "rset", "RSET", KIND_ONCE, false },
	{ "quit", "QUIT", KIND_ONCE, false },
	{ "retr", "RETR", KIND_EACH, true },
	{ "top", "TOP", KIND_EACH, true },
	{ "dele", "DELE", KIND_EACH, false },
	{ "hold", "", KIND_HOLD, false },
	{ "stall", "RETR", KIND_STALL, true },
};

static void
usage(void)
{
	fprintf(stderr, "usage: see the head of popload/main.c\n");
	exit(2);
}

/* NAME or NAME=LIMIT */
static bool
take_step(struct step *step, const char *text)
{
	size_t n = strcspn(text, "=");

	*step = (struct step){ .limit = UINT32_MAX };
	if (text[n] == '=')
		step->limit = (uint32_t)strtoul(text + n + 1, NULL, 10);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == n &&
		    memcmp(words[i].name, text, n) == 0)
			step->word = &words[i];
	return step->word != NULL;
}

static void
take_steps(char **texts)
{
	for (; *texts != NULL; texts++) {
		if (opt.n_steps == STEPS_MAX ||
		    !take_step(&opt.steps[opt.n_steps++], *texts)) {
			fprintf(stderr, "popload: no step %s\n", *texts);
			exit(2);
		}
	}
}

static unsigned
number(void)
{
	return (unsigned)strtoul(optarg, NULL, 10);
}

void
options_take(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "c:n:d:u:f:p:l:TR")) != -1) {
		switch (o) {
		case 'c': opt.connections = number(); break;
		case 'n': opt.sessions = number(); break;
		case 'd': opt.depth = number(); break;
		case 'u': opt.users = number(); break;
		case 'f': opt.first_user = number(); break;
		case 'p': opt.password = optarg; break;
		case 'l': opt.top_lines = number(); break;
		case 'T': opt.tls = true; break;
		case 'R': opt.resume = true; break;
		default: usage();
		}
	}
	if (argc - optind < 2 || opt.connections == 0 || opt.depth == 0 ||
	    opt.users < opt.connections || opt.sessions < opt.connections)
		usage();
	opt.port = (uint16_t)strtoul(argv[optind], NULL, 10);
	take_steps(argv + optind + 1);
}

bool
options_have(enum kind kind)
{
	for (size_t i = 0; i < opt.n_steps; i++)
		if (opt.steps[i].word->kind == kind)
			return true;
	return false;
}
