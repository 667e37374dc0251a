#include "server/conf/auth_conf.h"

static const struct ipc_field known[] = {
	FIELD_STR(struct known_users, name),
	FIELD_ENUM(struct known_users, driver, USER_DRIVER_KINDS - 1),
	FIELD(struct known_users, index),
	FIELD(struct known_users, timeout),
	FIELD(struct known_users, connections),
	FIELD_STR(struct known_users, scheme),
};
static const struct ipc_fields known_fields = FIELDS(known);

static const struct ipc_field place[] = {
	FIELD_STR(struct known_place, mail),
	FIELD_STR(struct known_place, root),
	FIELD(struct known_place, number),
};
static const struct ipc_fields place_fields = FIELDS(place);

static const struct ipc_field service[] = {
	FIELD_STR(struct known_service, name),
};
static const struct ipc_fields service_fields = FIELDS(service);

static const struct ipc_field issuer[] = {
	FIELD_STR(struct known_issuer, name),
	FIELD_STR(struct known_issuer, scope),
	FIELD_STR(struct known_issuer, openid_configuration),
};
static const struct ipc_fields issuer_fields = FIELDS(issuer);

#define F(m)   FIELD(struct auth_conf, m)
#define STR(m) FIELD_STR(struct auth_conf, m)

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct auth_conf),
	ROLE_TALLY_FIELDS(struct auth_conf),
	FIELD_ROWS(struct auth_conf, known, n_known, &known_fields),
	FIELD_ROWS(struct auth_conf, place, n_places, &place_fields),
	FIELD_ROWS(struct auth_conf, service, n_services, &service_fields),
	FIELD_ROWS(struct auth_conf, issuer, n_issuers, &issuer_fields),
	F(token_timeout),
	STR(host),
	STR(default_domain),
	F(login_lower),
	STR(login_characters),
	STR(login_separators),
	F(penalties),
	F(apop),
	F(sdps),
	F(login_delay),
	STR(upgrade_scheme),
	STR(mechanisms),
	STR(name_key),
	STR(master_separator),
	STR(anonymous),
	STR(proxies),
	F(local_clients),
	FIELD_ENUM(struct auth_conf, client_name, CLIENT_NAMES - 1),
	F(retention),
	STR(realms),
	STR(principals),
	F(mail_uid),
	F(mail_gid),
	F(first_uid),
	F(last_uid),
	F(n_stores),
	F(hash_threads),
	F(hash_queue),
};
const struct ipc_fields auth_conf_fields = FIELDS(field);
