#include "net/host_names.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/clock.h"

enum { THREADS = 4 };

typedef int ask_fn(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **found_r);

struct question {
	TAILQ_ENTRY(question) entry; /* of those that nobody asks yet */
	char *node, *service;        /* service: or NULL */
	struct addrinfo hints;
	struct addrinfo *found;
	int result, error; /* error: of EAI_SYSTEM */
	bool is_asked, is_answered;
	bool is_given_up; /* whoever asks it frees it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER, answered;
static TAILQ_HEAD(, question) questions = TAILQ_HEAD_INITIALIZER(questions);
static bool has_threads;

static _Thread_local uint64_t deadline;

/* libc's, or that of a sanitizer. */
static ask_fn *
real(void)
{
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	ask_fn *fn;

	memcpy(&fn, &symbol, sizeof(fn));
	return fn;
}

/* ---- a question ---- */

static void
question_free(struct question *q)
{
	if (q->found != NULL)
		freeaddrinfo(q->found);
	free(q->node);
	free(q->service);
	free(q);
}

static struct question *
question_new(
    const char *node, const char *service, const struct addrinfo *hints)
{
	/* What no hints mean stands in getaddrinfo(3). */
	static const struct addrinfo none = { .ai_family = AF_UNSPEC,
		.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG };
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->hints = hints != NULL ? *hints : none;
	q->node = strdup(node);
	q->service = service != NULL ? strdup(service) : NULL;
	if (q->node != NULL && (service == NULL) == (q->service == NULL))
		return q;
	question_free(q);
	return NULL;
}

/* ---- the threads that ask ---- */

static void
ask(struct question *q)
{
	TAILQ_REMOVE(&questions, q, entry);
	q->is_asked = true;
	pthread_mutex_unlock(&lock);
	q->result = real()(q->node, q->service, &q->hints, &q->found);
	q->error = errno;
	if (q->result != 0)
		q->found = NULL;
	pthread_mutex_lock(&lock);
	q->is_answered = true;
	if (q->is_given_up)
		question_free(q);
	else
		pthread_cond_broadcast(&answered);
}

static void *
ask_all(void *arg)
{
	struct question *q;

	pthread_mutex_lock(&lock);
	for (;;)
		if ((q = TAILQ_FIRST(&questions)) != NULL)
			ask(q);
		else
			pthread_cond_wait(&asked, &lock);
	return NULL;
}

static int
start_threads(void)
{
	sigset_t all, before;
	pthread_t id;
	int r = 0;

	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* see sandbox.c */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < THREADS && r == 0; i++)
		if ((r = pthread_create(&id, NULL, ask_all, NULL)) == 0)
			pthread_detach(id);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

enum err
host_names_begin(struct errbuf *eb)
{
	pthread_condattr_t attr;
	int r;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* clock_ms() */
	pthread_cond_init(&answered, &attr);
	pthread_condattr_destroy(&attr);
	if ((r = start_threads()) != 0)
		return err_set(eb, E_IO, "threads: %s", strerror(r));
	has_threads = true;
	return E_OK;
}

void
host_names_deadline(uint64_t until)
{
	deadline = until;
}

/* ---- who has a deadline ---- */

/* Under the lock. */
static void
await_answer(const struct question *q)
{
	const struct timespec at = { (time_t)(deadline / 1000),
		(long)(deadline % 1000) * 1000000 };

	while (!q->is_answered && clock_ms() < deadline)
		pthread_cond_timedwait(&answered, &lock, &at);
}

/* Takes q.  Under the lock. */
static int
take_answer(struct question *q, struct addrinfo **found_r)
{
	int result = q->is_answered ? q->result : EAI_AGAIN, error = q->error;

	if (!q->is_answered && q->is_asked) {
		q->is_given_up = true;
		return result;
	}
	if (!q->is_answered)
		TAILQ_REMOVE(&questions, q, entry);
	*found_r = q->found;
	q->found = NULL;
	question_free(q);
	errno = error;
	return result;
}

static int
ask_in_time(struct question *q, struct addrinfo **found_r)
{
	int result;

	if (q == NULL)
		return EAI_MEMORY;
	pthread_mutex_lock(&lock);
	TAILQ_INSERT_TAIL(&questions, q, entry);
	pthread_cond_signal(&asked);
	await_answer(q);
	result = take_answer(q, found_r);
	pthread_mutex_unlock(&lock);
	return result;
}

/* An address has no name to be looked up. */
static bool
is_address(const char *node)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found;

	if (real()(node, NULL, &hints, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **found_r)
{
	if (!has_threads || deadline == 0 || node == NULL || is_address(node))
		return real()(node, service, hints, found_r);
	return ask_in_time(question_new(node, service, hints), found_r);
}
