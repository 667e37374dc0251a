#include "server/worker/serving.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/b64.h"
#include "net/tls.h"
#include "sasl/sasl.h"
#include "server/ipc/sealed.h"
#include "server/worker/io.h"

enum {
	/* What a client may send before it is taken: any line fits, and what is
	 * read at a time.  With tickets it is more, see TICKET_MAX, and with
	 * tokens. */
	IN_MAX = 8 * 1024,
	IN_MAX_TICKETS = B64_ENCODED(TICKET_MAX) + 28 + 2 * READ_PIECE,
	IN_MAX_TOKENS = B64_ENCODED(TOKEN_MESSAGE_MAX) + 28 + 2 * READ_PIECE,
};

static_assert(B64_ENCODED(SASL_MAX) + 28 <= IN_MAX - READ_PIECE,
    "the longest line fits, see pop3_server_run()");
static_assert(2 * READ_PIECE <= IN_MAX, "so does what is read ahead");

/* ---- a listener ---- */

static void
allow_messages(struct listener *l, size_t octets, size_t in_max)
{
	if (octets > l->policy.sasl_max)
		l->policy.sasl_max = octets;
	if (in_max > l->in_max)
		l->in_max = in_max;
}

static void
allow_tickets(struct listener *l)
{
	allow_messages(l, TICKET_MAX, IN_MAX_TICKETS);
}

/* The names that are configured.  None is offered before auth says that it can
 * be served, but those that ask for a password. */
static enum err
find_mechanisms(struct listener *l, const char *p)
{
	size_t max = strlen(p) / 2 + 1;

	if ((l->mechanisms = calloc(max, sizeof(*l->mechanisms))) == NULL)
		return E_NOMEM;
	for (p += strspn(p, " "); *p != '\0'; p += strspn(p, " ")) {
		struct slice name = { p, strcspn(p, " ") };
		const struct sasl_mechanism *m = sasl_find(name);

		p += name.n;
		if (m == NULL)
			continue; /* maloted --check has said so */
		if (m->asks == SASL_TICKET)
			allow_tickets(l);
		if (m->asks == SASL_TOKEN)
			allow_messages(l, TOKEN_MESSAGE_MAX, IN_MAX_TOKENS);
		l->mechanisms[l->policy.n_mechanisms++] =
		    (struct pop3_mechanism){
			    .name = m->name,
			    .withheld = m->asks != SASL_PASSWORD,
			    .plaintext = (m->flags & SASL_PLAINTEXT) != 0 ||
					 (m->asks == SASL_TICKET &&
					     !l->plaintext_gssapi),
			    .server_first = (m->flags & SASL_SERVER_FIRST) != 0,
			    .binds = (m->flags & SASL_NEEDS_BINDING) != 0,
			    .certificate =
				(m->flags & SASL_NEEDS_CERTIFICATE) != 0,
		    };
	}
	l->policy.mechanisms = l->mechanisms;
	return E_OK;
}

static enum err
find_nets(struct nets *to, const char *text, struct errbuf *eb)
{
	size_t room = strlen(text) / CIDR_TEXT_MIN + 1;

	if ((to->net = calloc(room, sizeof(*to->net))) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	return cidr_parse_list(
	    to->net, room, &to->n, (struct slice){ text, strlen(text) }, eb);
}

static_assert(POP3_LINE_PASS == sizeof("PASS ") - 1 + PASSWORD_MAX + 2,
    "a password of any length fits into the line of PASS");
static_assert(POP3_LINE_USER == sizeof("USER ") - 1 + NAME_MAX_OCTETS + 2,
    "a name of any length fits into the line of USER");

static enum err
listener_make(
    struct worker *w, struct serving *v, unsigned i, struct errbuf *eb)
{
	const struct worker_conf *conf = &v->conf;
	struct listener *l = &v->listener[i];
	enum err e;

	l->worker = w;
	l->serving = v;
	l->tls = conf->listener[i].tls;
	l->kpop = conf->listener[i].kpop;
	l->same_user = conf->listener[i].same_user;
	l->proxy = conf->listener[i].proxy;
	l->secured = conf->listener[i].secured;
	l->local = conf->listener[i].local;
	l->plaintext_gssapi = conf->listener[i].plaintext_gssapi;
	l->apop = conf->apop && !l->kpop;
	l->in_max = IN_MAX;
	l->client_certificates = conf->listener[i].client_certificates;
	l->policy = (struct pop3_policy){
		.host = conf->host,
		.implementation = conf->implementation[0] != '\0'
				      ? conf->implementation
				      : NULL,
		.languages = &v->languages,
		.sasl_max = SASL_MAX,
		.bad_max = conf->bad_max,
		.failures_max = conf->failures_max,
		.plain_passwords = conf->listener[i].plain_passwords || l->kpop,
		.one_sign_in = l->kpop,
		.stls = l->tls == LISTEN_STLS &&
			conf->listener[i].certificates != 0,
		.needs_tls = w->needs_tls,
		.sdps = conf->sdps,
		.trace = conf->trace ? w->trace : NULL,
	};
	if (l->kpop)
		allow_tickets(l);
	ev_io_init(&l->accept, w->on_accept, conf->listener[i].fd, EV_READ);
	l->accept.data = l;
	if (find_mechanisms(l, l->kpop ? "" : conf->listener[i].mechanisms) !=
	    E_OK)
		return err_set(eb, E_NOMEM, "out of memory");
	e = find_nets(&l->allow, conf->listener[i].allow_nets, eb);
	if (e == E_OK)
		e = find_nets(&l->deny, conf->listener[i].deny_nets, eb);
	return e != E_OK
		   ? e
		   : find_nets(&l->proxies, conf->listener[i].proxy_from, eb);
}

/* ---- making ---- */

/* The words stay in the memory that all workers share. */
static enum err
map_languages(struct serving *v, struct errbuf *eb)
{
	size_t n = v->conf.languages_octets;
	enum err e = sealed_map(v->conf.languages_fd, n, &v->words, eb);

	if (e != E_OK)
		return e;
	v->n_words = n;
	e = pop3_languages_read(&v->languages, v->words, n, v->conf.language);
	return e != E_OK ? err_set(eb, e, "languages: %s", err_str(e)) : E_OK;
}

static void
close_all(const struct worker_conf *conf)
{
	for (unsigned i = 0; i < conf->n_listeners; i++)
		close(conf->listener[i].fd);
}

static void
serving_free(struct serving *v)
{
	for (unsigned i = 0; i < v->conf.n_listeners; i++) {
		free(v->listener[i].mechanisms);
		free(v->listener[i].allow.net);
		free(v->listener[i].deny.net);
		free(v->listener[i].proxies.net);
		tls_context_free(v->listener[i].context);
	}
	free(v->languages.other);
	if (v->n_words != 0)
		munmap((void *)v->words, v->n_words);
	free(v);
}

static enum err
make(struct worker *w, struct serving *v, struct errbuf *eb)
{
	enum err e = map_languages(v, eb);

	for (unsigned i = 0; e == E_OK && i < v->conf.n_listeners; i++)
		e = listener_make(w, v, i, eb);
	return e;
}

enum err
serving_new(struct worker *w, struct worker_conf *conf, struct serving **v_r,
    struct errbuf *eb)
{
	struct serving *v = calloc(1, sizeof(*v));
	enum err e;

	close(conf->counts_fd[0]);
	close(conf->counts_fd[1]);
	if (v != NULL) {
		v->conf = *conf;
		e = make(w, v, eb);
	} else {
		e = err_set(eb, E_NOMEM, "out of memory");
	}
	close(conf->languages_fd);
	if (e != E_OK)
		close_all(conf);
	if (e != E_OK && v != NULL)
		serving_free(v);
	free(conf);
	*v_r = e == E_OK ? v : NULL;
	return e;
}

/* ---- life ---- */

void
serving_accept(struct worker *w, struct serving *v)
{
	for (unsigned i = 0; i < v->conf.n_listeners; i++)
		ev_io_start(w->loop, &v->listener[i].accept);
}

void
serving_pause(struct worker *w, struct serving *v)
{
	for (unsigned i = 0; i < v->conf.n_listeners; i++)
		ev_io_stop(w->loop, &v->listener[i].accept);
}

void
serving_shut(struct worker *w, struct serving *v)
{
	serving_pause(w, v);
	close_all(&v->conf);
}

void
serving_drop(struct worker *w, struct serving *v)
{
	if (v->n_sessions == 0 && v != w->serving)
		serving_free(v);
}

void
serving_leave(struct worker *w, struct serving *v)
{
	v->n_sessions--;
	serving_drop(w, v);
}

void
serving_forget(struct serving **v)
{
	if (*v == NULL)
		return;
	close_all(&(*v)->conf);
	serving_free(*v);
	*v = NULL;
}
