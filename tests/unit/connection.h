/*
 * connection.h - a client of this machine, for who says by which connection
 * somebody signs in.
 */
#ifndef TESTS_CONNECTION_H
#define TESTS_CONNECTION_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

/* The client's end, the same each time; to stay open. */
static inline int
connection(void)
{
	static int fd;
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int l;

	if (fd != 0)
		return fd;
	l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(l, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&at, &n), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, n), 0);
	return fd;
}

#endif
