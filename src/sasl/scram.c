/*
 * The mechanisms that are SCRAM: RFC 5802, 7677.  scram_server.c and
 * scram_client.c are their two ends, scram_key.c is what both share.
 */
#include "sasl/scram.h"

#define SCRAM(id, title, more, strength, digest) \
	const struct sasl_mechanism sasl_scram_sha_##id = { \
		.name = (title), \
		.flags = SASL_NEEDS_PASSWORD | SASL_MUTUAL | (more), \
		.asks = SASL_LOOKUP, \
		.rank = (strength), \
		.hash = (digest), \
		.state_n = sizeof(struct scram), \
		.begin = scram_begin, \
		.end = scram_end, \
		.server_step = scram_server_step, \
		.client_step = scram_client_step, \
	}

SCRAM(256_plus, "SCRAM-SHA-256-PLUS", SASL_NEEDS_BINDING, 90, "SHA256");
SCRAM(1_plus, "SCRAM-SHA-1-PLUS", SASL_NEEDS_BINDING, 80, "SHA1");
SCRAM(256, "SCRAM-SHA-256", 0, 60, "SHA256");
SCRAM(1, "SCRAM-SHA-1", 0, 50, "SHA1");
