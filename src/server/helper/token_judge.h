/*
 * token_judge.h - whose token of OAuth is it, and is it good?  What the process
 * net has loaded to say so: a module, as it needs libraries that nobody else does.
 *
 * A token that its issuer has signed (RFC 7519) is looked at here, by the issuer's
 * keys; any other is shown to the issuer (RFC 7662).
 */
#ifndef SERVER_HELPER_TOKEN_JUDGE_H
#define SERVER_HELPER_TOKEN_JUDGE_H

#include <stdbool.h>

#include "base/str.h"
#include "server/conf/net_conf.h"
#include "server/helper/db_driver.h"

struct token_verdict {
	enum token_result result;
	unsigned issuer; /* 1 for the first; 0: it is of none */
	char user[NAME_MAX_OCTETS + 1];
	struct errbuf why;
	/* Its keys are old: token_judge's refresh() is due. */
	bool is_stale;
};

struct token_judge {
	/* Before the process is confined and has threads: reads the files, and
	 * says what is to be reached later.  E_CONFIG with words, E_NOMEM. */
	enum err (*prepare)(
	    const struct net_conf *c, struct db_reach *r, struct errbuf *eb);

	/* From any thread.  False: the issuer must be asked, and may_ask is not
	 * true; it can take as long as the issuer's timeout. */
	bool (*judge)(
	    struct slice token, bool may_ask, struct token_verdict *v);

	/* Fetches the keys of the issuer at place i, if it has an address.  E_AGAIN
	 * with words: they are not to be had now; E_FORMAT: what is there is none. */
	enum err (*refresh)(unsigned i, struct errbuf *eb);

	/* Keys of the issuer at place i that another process has fetched; and those
	 * that this one has: token_source_kept(), token_source_news(). */
	void (*kept)(unsigned i, const struct token_kept *keys);
	bool (*news)(unsigned i, uint64_t *serial, struct token_kept *keys_r);

	/* Can the issuer at place i be asked, with these settings?  E_AGAIN,
	 * E_FORMAT, E_CONFIG, with words. */
	enum err (*try)(unsigned i, struct errbuf *eb);
};

#endif
