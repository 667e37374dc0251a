/*
 * linger.h - a descriptor that takes long to close.
 */
#ifndef TESTS_LINGER_H
#define TESTS_LINGER_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A socket whose close() waits until the other end, *peer_r, takes what was
 * sent, or closes; for so many seconds at most. */
static inline int
lingering(int *peer_r, int seconds)
{
	static const char octets[64 * 1024];
	struct linger wait = { .l_onoff = 1, .l_linger = seconds };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(l, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&at, &n), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, n), 0);
	assert_true((*peer_r = accept(l, NULL, NULL)) >= 0);
	close(l);
	while (send(fd, octets, sizeof(octets), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)), 0);
	return fd;
}

#endif
