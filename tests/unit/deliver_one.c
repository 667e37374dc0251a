/*
 * Delivers files as one batch, for tests with other programs:
 *
 *	deliver_one maildir:PATH SPOOL FILE..
 *	deliver_one mbox:PATH SPOOL FILE..
 *	deliver_one lmtp:PATH SPOOL FILE..
 *
 * Prints the result of each.  MALOTE_REPEAT in the environment: so often.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/deliver/delivery.h"

enum { FILES_MAX = 20000, PIECE = 16 * 1024 };

static void
must(enum err e, const struct errbuf *eb)
{
	if (e == E_OK)
		return;
	printf("%s: %s\n", err_str(e), eb->text);
	exit(1);
}

static struct dest
parse(char *text)
{
#define ROW(KIND, name, form) #name,
	static const char *const kinds[] = { DEST_KINDS(ROW) };
#undef ROW
	char *path = strchr(text, ':');
	struct dest dest = { .text = text };

	if (path == NULL)
		exit(2);
	*path = '\0';
	dest.path = path + 1;
	while (strcmp(text, kinds[dest.kind]) != 0)
		if (++dest.kind == sizeof(kinds) / sizeof(kinds[0]))
			exit(2);
	return dest;
}

static struct parcel *
read_parcel(struct delivery *d, const char *file)
{
	int fd = open(file, O_RDONLY);
	char piece[PIECE];
	struct errbuf eb;
	struct parcel *p;
	ssize_t n;

	if (fd < 0) {
		perror(file);
		exit(2);
	}
	must(parcel_begin(d, &p, &eb), &eb);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		must(parcel_add(p, piece, (size_t)n, &eb), &eb);
	close(fd);
	must(parcel_end(p, &eb), &eb);
	return p;
}

int
main(int argc, char **argv)
{
	const char *repeat = getenv("MALOTE_REPEAT");
	long times = repeat != NULL ? strtol(repeat, NULL, 10) : 1;
	static struct parcel *v[FILES_MAX];
	struct delivery_env env = { .account = "casa", .timeout = 20 };
	struct delivery *d;
	struct errbuf eb;
	struct dest dest;
	uint64_t at[4];
	size_t n = 0;

	if (argc < 4)
		return 2;
	dest = parse(argv[1]);
	env.spool = argv[2];
	env.email = "ana";
	must(delivery_open(&d, &dest, &env, &eb), &eb);
	at[0] = clock_ms();
	while (times-- > 0)
		for (int i = 3; i < argc && n < FILES_MAX; i++)
			v[n++] = read_parcel(d, argv[i]);
	at[1] = clock_ms();
	must(delivery_prepare(d, v, n, &eb), &eb);
	at[2] = clock_ms();
	delivery_publish(d, v, n);
	delivery_release(d, v, n);
	at[3] = clock_ms();
	for (size_t i = 0; i < n; i++) {
		if (repeat == NULL)
			printf("%s %s\n", err_str(v[i]->result), v[i]->why);
		parcel_drop(v[i]);
	}
	if (repeat != NULL)
		printf("write %llu ms, prepare %llu ms, publish %llu ms\n",
		    (unsigned long long)(at[1] - at[0]),
		    (unsigned long long)(at[2] - at[1]),
		    (unsigned long long)(at[3] - at[2]));
	delivery_close(d);
	return 0;
}
