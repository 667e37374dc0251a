#include "server/store/maildir/uidl.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

void
uid_digest(struct uid *u_r, struct slice base, uint64_t salt)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char sum[SHA256_DIGEST_LENGTH];
	char in[INDEX_NAME_MAX + 32];
	int n;

	n = snprintf(in, sizeof(in), "%llu/%.*s", (unsigned long long)salt,
	    (int)base.n, base.p);
	SHA256((const unsigned char *)in, (size_t)n, sum);
	memcpy(u_r->s, "malote:", 7);
	u_r->n = 7;
	for (unsigned i = 0; i < 16; i++) {
		u_r->s[u_r->n++] = hex[sum[i] >> 4];
		u_r->s[u_r->n++] = hex[sum[i] & 15];
	}
}

void
uid_own(struct uid *u_r, struct slice base)
{
	if (!uid_set(u_r, base))
		uid_digest(u_r, base, 0);
}
