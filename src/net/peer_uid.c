#include "net/peer_uid.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALL_STATES = ~0, ROOM = 1024 };

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

enum err
peer_uid_open(int *fd_r, struct errbuf *eb)
{
	*fd_r = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    NETLINK_SOCK_DIAG);
	return *fd_r >= 0 ? E_OK : err_sys(eb, E_IO, "sock_diag");
}

/* An address and a port as the kernel wants them, in the order of the network. */
static bool
put_end(const struct sockaddr_storage *sa, __be32 address[4], __be16 *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	if (sa->ss_family == AF_INET) {
		memcpy(address, &v4->sin_addr, sizeof(v4->sin_addr));
		*port = v4->sin_port;
	} else {
		memcpy(address, &v6->sin6_addr, sizeof(v6->sin6_addr));
		*port = v6->sin6_port;
	}
	return sa->ss_family == AF_INET || sa->ss_family == AF_INET6;
}

/* Of the other end's socket: its source is where our connection leads to. */
static bool
write_question(struct question *q, int connection)
{
	struct sockaddr_storage near = { 0 }, far = { 0 };
	socklen_t n = sizeof(near), m = sizeof(far);
	struct inet_diag_sockid *id = &q->body.id;

	*q = (struct question){
		.head = {
			.nlmsg_len = sizeof(*q),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.body = {
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = (__u32)ALL_STATES,
			.id.idiag_cookie = { INET_DIAG_NOCOOKIE,
			    INET_DIAG_NOCOOKIE },
		},
	};
	if (getsockname(connection, (struct sockaddr *)&near, &n) != 0 ||
	    getpeername(connection, (struct sockaddr *)&far, &m) != 0)
		return false;
	q->body.sdiag_family = (__u8)far.ss_family;
	return put_end(&far, id->idiag_src, &id->idiag_sport) &&
	       put_end(&near, id->idiag_dst, &id->idiag_dport);
}

static enum err
read_answer(int ask, uid_t *uid_r)
{
	union {
		struct nlmsghdr head;
		char octets[ROOM];
	} in;
	ssize_t n = recv(ask, &in, sizeof(in), 0);
	const char *body = (const char *)NLMSG_DATA(&in.head);
	struct inet_diag_msg said;
	struct nlmsgerr why;

	if (n < (ssize_t)NLMSG_LENGTH(sizeof(why)))
		return E_IO;
	if (in.head.nlmsg_type == NLMSG_ERROR) {
		memcpy(&why, body, sizeof(why));
		return why.error == -ENOENT ? E_NOENT : E_IO;
	}
	if (in.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    n < (ssize_t)NLMSG_LENGTH(sizeof(said)))
		return E_IO;
	memcpy(&said, body, sizeof(said));
	*uid_r = said.idiag_uid;
	return said.idiag_inode != 0 ? E_OK
				     : E_NOENT; /* nobody has it any more */
}

/* The answer is there when the question has been put. */
enum err
peer_uid_of(int ask, int connection, uid_t *uid_r)
{
	struct question q;

	if (!write_question(&q, connection))
		return E_NOENT;
	if (send(ask, &q, sizeof(q), 0) != (ssize_t)sizeof(q))
		return E_IO;
	return read_answer(ask, uid_r);
}
