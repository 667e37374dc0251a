#include "server/parent/control_elder.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/handover.h"

/* Who is at the other end: it has made the channel. */
static uint32_t
pid_of(int channel)
{
	struct ucred who = { .pid = 0 };
	socklen_t n = sizeof(who);

	(void)!getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &who, &n);
	return (uint32_t)who.pid;
}

/* Its end of the connection may be one that nobody will look at any more: then the
 * other one says so to who asks there.  False: it has stopped to look at what it is
 * told. */
static bool
tell(struct control_client *k, int elder, int theirs, int ours)
{
	struct handover_message m = {
		.kind = HANDOVER_ASK, .pid = k->pid, .number = k->uid
	};

	if (!handover_pass(elder, &m, theirs)) {
		bool has_ended = errno != EAGAIN;

		close(ours);
		return has_ended;
	}
	ipc_begin(k->chan, CONTROL_ELDER);
	ipc_put_u32(k->chan, pid_of(elder));
	ipc_put_fd(k->chan, ours, FD_CLOSED);
	if (ipc_end(k->chan) != E_OK)
		log_line(
		    LOG_WARNING, "ev=control pid=%u error=unanswered", k->pid);
	return true;
}

bool
control_elder_tell(struct control_client *k)
{
	const struct succession *s = &k->parent->succession;
	struct errbuf eb;
	bool told;
	int fd[2];

	if (s->elder < 0 || s->held)
		return true;
	if (s->elder_form != CONTROL_FORM || ipc_pair(fd, &eb) != E_OK)
		return false;
	told = tell(k, s->elder, fd[0], fd[1]);
	close(fd[0]);
	return told;
}
