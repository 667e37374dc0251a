/* The pop3 process's settings as IPC_CONF carries them. */
#include <stdlib.h>
#include <string.h>

#include "server/worker/worker.h"

void
pop3_conf_put(struct ipc_chan *c, const struct pop3_conf *conf)
{
	role_put(c, &conf->role);
	ipc_put_u16(c, conf->n_listeners);
	for (unsigned i = 0; i < conf->n_listeners; i++) {
		const struct listen_conf *l = &conf->listener[i];

		ipc_put_fd(c, l->fd, false);
		ipc_put_u8(c, (uint8_t)l->tls);
		ipc_put_u8(c, l->plain_passwords);
	}
	ipc_put_fd(c, conf->counts_fd, false);
	ipc_put_u16(c, conf->n_pop3);
	ipc_put_str(c, conf->host);
	ipc_put_str(c, conf->implementation);
	ipc_put_str(c, conf->mechanisms);
	ipc_put_str(c, conf->tls_min);
	ipc_put_str(c, conf->tls_ciphers);
	ipc_put_str(c, conf->certificate != NULL ? conf->certificate : "");
	ipc_put_str(c, conf->key != NULL ? conf->key : "");
	ipc_put_u32(c, conf->login_timeout);
	ipc_put_u32(c, conf->idle_timeout);
	ipc_put_u32(c, conf->write_timeout);
	ipc_put_u32(c, conf->tls_timeout);
	ipc_put_u32(c, conf->sessions_max);
	ipc_put_u32(c, conf->per_address_max);
	ipc_put_u16(c, conf->bad_max);
	ipc_put_u16(c, conf->failures_max);
	ipc_put_u8(c, conf->apop);
	ipc_put_u8(c, conf->trace);
	ipc_put_u8(c, conf->mark_seen);
}

/* NULL when it is empty, or too long (and then in->bad), or memory lacks. */
static char *
get_pem(struct ipc_in *in, enum err *e)
{
	struct slice s = ipc_get_slice(in);
	char *text;

	if (s.n > PEM_MAX || memchr(s.p, '\0', s.n) != NULL)
		in->bad = true;
	if (in->bad || s.n == 0)
		return NULL;
	if ((text = malloc(s.n + 1)) == NULL) {
		*e = E_NOMEM;
		return NULL;
	}
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return text;
}

static void
get_listeners(struct ipc_in *in, struct pop3_conf *conf)
{
	conf->n_listeners = ipc_get_u16(in);
	if (conf->n_listeners > LISTENERS_MAX) {
		in->bad = true;
		conf->n_listeners = 0;
	}
	for (unsigned i = 0; i < conf->n_listeners; i++) {
		struct listen_conf *l = &conf->listener[i];
		uint8_t tls;

		l->fd = ipc_get_fd(in);
		if ((tls = ipc_get_u8(in)) > LISTEN_TLS)
			in->bad = true;
		l->tls = (enum listen_tls)tls;
		l->plain_passwords = ipc_get_u8(in) != 0;
	}
}

enum err
pop3_conf_get(struct ipc_in *in, struct pop3_conf *conf)
{
	enum err e = E_OK;

	memset(conf, 0, sizeof(*conf));
	role_get(in, &conf->role);
	get_listeners(in, conf);
	conf->counts_fd = ipc_get_fd(in);
	conf->n_pop3 = ipc_get_u16(in);
	ipc_get_str(in, conf->host, sizeof(conf->host));
	ipc_get_str(in, conf->implementation, sizeof(conf->implementation));
	ipc_get_str(in, conf->mechanisms, sizeof(conf->mechanisms));
	ipc_get_str(in, conf->tls_min, sizeof(conf->tls_min));
	ipc_get_str(in, conf->tls_ciphers, sizeof(conf->tls_ciphers));
	conf->certificate = get_pem(in, &e);
	conf->key = get_pem(in, &e);
	conf->login_timeout = ipc_get_u32(in);
	conf->idle_timeout = ipc_get_u32(in);
	conf->write_timeout = ipc_get_u32(in);
	conf->tls_timeout = ipc_get_u32(in);
	conf->sessions_max = ipc_get_u32(in);
	conf->per_address_max = ipc_get_u32(in);
	conf->bad_max = ipc_get_u16(in);
	conf->failures_max = ipc_get_u16(in);
	conf->apop = ipc_get_u8(in) != 0;
	conf->trace = ipc_get_u8(in) != 0;
	conf->mark_seen = ipc_get_u8(in) != 0;
	return e != E_OK ? e : ipc_get_end(in);
}
