#include "server/worker/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* All that was asked for, or up to the end of the file. */
static void
read_run(struct pool_job *j)
{
	struct read_job *job = (struct read_job *)j;
	size_t n = 0;

	while (n < job->len) {
		ssize_t r = pread(job->fd, job->data + n, job->len - n,
		    (off_t)(job->off + n));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			job->got = -errno;
			return;
		}
		if (r == 0)
			break;
		n += (size_t)r;
	}
	job->got = (ssize_t)n;
}

static void
read_done(struct pool_job *j)
{
	struct read_job *job = (struct read_job *)j;

	job->state = READ_READY;
	job->done(job);
}

struct read_job *
read_job_new(size_t len)
{
	struct read_job *job = malloc(sizeof(*job) + len);

	if (job == NULL)
		return NULL;
	job->job = (struct pool_job){ .run = read_run, .done = read_done };
	job->len = len;
	return job;
}

void
reader_submit(struct pool *readers, struct read_job *job)
{
	job->state = READ_ASKED;
	pool_add(readers, &job->job);
}
