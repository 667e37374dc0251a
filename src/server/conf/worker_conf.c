#include "server/conf/worker_conf.h"

#define F(m)   FIELD(struct worker_conf, m)
#define STR(m) FIELD_STR(struct worker_conf, m)

static const struct ipc_field listener_field[] = {
	FIELD_FD(struct listen_conf, fd),
	FIELD_ENUM(struct listen_conf, tls, LISTEN_TLS),
	FIELD(struct listen_conf, plain_passwords),
	FIELD(struct listen_conf, client_certificates),
	FIELD(struct listen_conf, plaintext_gssapi),
	FIELD(struct listen_conf, kpop),
	FIELD(struct listen_conf, same_user),
	FIELD_ENUM(struct listen_conf, proxy, PROXY_BY_XCLIENT),
	FIELD(struct listen_conf, secured),
	FIELD(struct listen_conf, local),
	FIELD(struct listen_conf, certificates),
	FIELD_STR(struct listen_conf, mechanisms),
	FIELD_STR(struct listen_conf, allow_nets),
	FIELD_STR(struct listen_conf, deny_nets),
	FIELD_STR(struct listen_conf, proxy_from),
};
static const struct ipc_fields listener_fields = FIELDS(listener_field);

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct worker_conf),
	ROLE_TALLY_FIELDS(struct worker_conf),
	FIELD_ROWS(struct worker_conf, listener, n_listeners, &listener_fields),
	FIELD_FD(struct worker_conf, counts_fd[0]),
	FIELD_FD(struct worker_conf, counts_fd[1]),
	STR(host),
	STR(implementation),
	FIELD_FD(struct worker_conf, languages_fd),
	F(languages_octets),
	STR(language),
	STR(tls_min),
	STR(tls_ciphers),
	F(n_certificates),
	F(login_timeout),
	F(idle_timeout),
	F(write_timeout),
	F(tls_timeout),
	F(sessions_max),
	F(slots),
	F(per_address_max),
	F(bad_max),
	F(failures_max),
	F(shared_stores),
	F(apop),
	F(sdps),
	F(trace),
	F(mark_seen),
};
const struct ipc_fields worker_conf_fields = FIELDS(field);
