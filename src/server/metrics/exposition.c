#include "server/metrics/exposition.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/ipc/proto.h"

struct writer {
	struct buf *out;
	const struct exposition *x;
	enum err e; /* the first one */
};

#define PUT(w, ...) \
	((w)->e = (w)->e == E_OK ? buf_printf((w)->out, __VA_ARGS__) : (w)->e)

static const char *const outcomes[TALLY_OUTCOMES] = {
	[TALLY_GOOD] = "good",
	[TALLY_BAD + SIGN_IN_CREDENTIALS] = "credentials",
	[TALLY_BAD + SIGN_IN_TEMPORARY] = "temporary",
	[TALLY_BAD + SIGN_IN_PERMANENT] = "permanent",
	[TALLY_BAD + SIGN_IN_IN_USE] = "in-use",
	[TALLY_BAD + SIGN_IN_MALFORMED] = "malformed",
	[TALLY_BAD + SIGN_IN_SWITCHED_OFF] = "switched-off",
	[TALLY_BAD + SIGN_IN_TLS_ONLY] = "tls-only",
	[TALLY_BAD + SIGN_IN_SOON] = "login-delay",
	[TALLY_NO_TLS] = "no-tls",
};

#define ROLE_NAME(NAME, name, user, memory, talks) [ROLE_##NAME] = #name,

static const char *const roles[ROLE_END] = { ROLES(ROLE_NAME) };

/* The head of a family.  A counter has _total in its name, which OpenMetrics
 * leaves out here. */
static void
head(struct writer *w, const char *name, const char *type, const char *help)
{
	const char *total =
	    type[0] == 'c' && type[1] == 'o' && !w->x->open ? "_total" : "";

	PUT(w, "# HELP malote_%s%s %s\n# TYPE malote_%s%s %s\n", name, total,
	    help, name, total, type);
}

static void
write_counter(struct writer *w, const char *name, uint64_t n, const char *help)
{
	head(w, name, "counter", help);
	PUT(w, "malote_%s_total %" PRIu64 "\n", name, n);
}

/* What begins and ends is counted apart, and read at two moments. */
static void
write_gauge(struct writer *w, const char *name, uint64_t begun, uint64_t ended,
    const char *help)
{
	head(w, name, "gauge", help);
	PUT(w, "malote_%s %" PRIu64 "\n", name,
	    begun > ended ? begun - ended : 0);
}

/* Those that have never happened, too, for those that are usual: else a monitor
 * would see no rise from nothing to one. */
static void
write_sign_ins(struct writer *w)
{
	const struct tally_page *t = w->x->sum;

	head(w, "sign_ins", "counter",
	    "Sign-ins, by mechanism and how they ended.");
	for (unsigned m = 0; m < TALLY_MECHANISMS; m++)
		for (unsigned o = 0; o < TALLY_OUTCOMES; o++) {
			const char *name = tally_mechanism(m);
			bool usual = m == 0 && outcomes[o] != NULL;

			if (outcomes[o] != NULL &&
			    (usual || t->sign_ins[m][o] != 0))
				PUT(w,
				    "malote_sign_ins_total{mechanism=\"%s\","
				    "outcome=\"%s\"} %" PRIu64 "\n",
				    name != NULL ? name : "other", outcomes[o],
				    t->sign_ins[m][o]);
		}
}

static void
write_histogram(
    struct writer *w, const char *name, enum tally_time what, const char *help)
{
	const uint64_t *n = w->x->sum->times[what];
	uint64_t sum = 0;

	head(w, name, "histogram", help);
	for (unsigned i = 0; i < TALLY_BUCKETS; i++) {
		sum += n[i];
		PUT(w, "malote_%s_bucket{le=\"%u.%03u\"} %" PRIu64 "\n", name,
		    tally_bucket_ms[i] / 1000, tally_bucket_ms[i] % 1000, sum);
	}
	sum += n[TALLY_BUCKETS];
	PUT(w,
	    "malote_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n"
	    "malote_%s_sum %" PRIu64 ".%03u\n"
	    "malote_%s_count %" PRIu64 "\n",
	    name, sum, name, n[TALLY_BUCKETS + 1] / 1000,
	    (unsigned)(n[TALLY_BUCKETS + 1] % 1000), name, sum);
}

static void
write_processes(struct writer *w)
{
	const struct tally_page *t = w->x->sum;

	head(w, "processes", "gauge", "Processes that there are, by role.");
	for (unsigned r = ROLE_PARENT + 1; r < ROLE_END; r++)
		PUT(w, "malote_processes{role=\"%s\"} %" PRIu64 "\n", roles[r],
		    t->processes[r]);
	head(w, "process_deaths", "counter",
	    "Processes that ended though nobody had told them to.");
	for (unsigned r = ROLE_PARENT + 1; r < ROLE_END; r++)
		PUT(w, "malote_process_deaths_total{role=\"%s\"} %" PRIu64 "\n",
		    roles[r], t->deaths[r]);
}

static void
write_server(struct writer *w)
{
	PUT(w,
	    "# HELP malote_%s The version of the server.\n"
	    "# TYPE malote_%s %s\n"
	    "malote_build_info{version=\"%s\"} 1\n",
	    w->x->open ? "build" : "build_info",
	    w->x->open ? "build" : "build_info", w->x->open ? "info" : "gauge",
	    w->x->version);
	head(w, "start_time_seconds", "gauge", "When the server began.");
	PUT(w, "malote_start_time_seconds %u\n", w->x->since);
}

static void
write_counts(struct writer *w)
{
	const uint64_t *n = w->x->sum->counter;
	const struct {
		const char *name, *help;
		enum tally what;
	} c[] = {
		{ "connections", "Connections of clients.", TALLY_CONNECTIONS },
		{ "connections_turned_away",
		    "Connections that were not served.", TALLY_TURNED_AWAY },
		{ "received_bytes", "Octets from clients.", TALLY_OCTETS_IN },
		{ "sent_bytes", "Octets to clients.", TALLY_OCTETS_OUT },
		{ "messages_retrieved",
		    "Messages retrieved, at the end of their sessions.",
		    TALLY_RETRIEVED },
		{ "messages_looked_into", "The same by TOP.",
		    TALLY_LOOKED_INTO },
		{ "messages_removed", "Messages removed.", TALLY_REMOVED },
		{ "index_repairs", "Indexes that were damaged.",
		    TALLY_INDEX_REPAIRS },
		{ "maildrop_scans", "Maildrops that were read as a whole.",
		    TALLY_SCANS },
		{ "hashes", "Passwords that were hashed.", TALLY_HASHES },
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		write_counter(w, c[i].name, n[c[i].what], c[i].help);
	write_gauge(w, "sessions", n[TALLY_CONNECTIONS], n[TALLY_ENDED],
	    "Connections that there are.");
	write_gauge(w, "sessions_signed_in", n[TALLY_SIGNED_IN],
	    n[TALLY_SIGNED_OUT], "Sessions that are signed in.");
	write_gauge(w, "hash_queue", n[TALLY_HASH_QUEUE], 0,
	    "Passwords that wait to be hashed.");
}

enum err
exposition_write(struct buf *out, const struct exposition *x)
{
	struct writer w = { .out = out, .x = x, .e = E_OK };

	write_server(&w);
	write_counts(&w);
	write_sign_ins(&w);
	write_histogram(&w, "sign_in_duration_seconds", TALLY_SIGN_IN,
	    "From the last word of a sign-in to its +OK.");
	write_histogram(&w, "retr_first_octet_seconds", TALLY_FIRST_OCTET,
	    "From RETR to the first octet of the message.");
	write_processes(&w);
	if (x->open)
		PUT(&w, "# EOF\n");
	return w.e;
}

const char *
exposition_type(bool open)
{
	return open ? "application/openmetrics-text; version=1.0.0; "
		      "charset=utf-8"
		    : "text/plain; version=0.0.4; charset=utf-8";
}
