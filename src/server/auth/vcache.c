#include "server/auth/vcache.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 4096, WAYS = 4, TAG = 32 };

struct entry {
	uint64_t until_ms; /* 0: empty */
	uint8_t tag[TAG];
};

struct vcache {
	uint8_t key[crypto_generichash_KEYBYTES];
	struct entry entry[SETS][WAYS];
};

struct vcache *
vcache_new(void)
{
	struct vcache *c = calloc(1, sizeof(*c));

	if (c != NULL)
		randombytes_buf(c->key, sizeof(c->key));
	return c;
}

void
vcache_free(struct vcache *c)
{
	if (c == NULL)
		return;
	explicit_bzero(c, sizeof(*c));
	free(c);
}

/* Each string with its NUL, so that no two keys are the same octets. */
static void
make_tag(const struct vcache *c, uint8_t tag[TAG], const struct vcache_key *key)
{
	const char *const text[] = { key->database, key->service, key->user,
		key->stored, key->password };
	crypto_generichash_state st;

	crypto_generichash_init(&st, c->key, sizeof(c->key), TAG);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		crypto_generichash_update(
		    &st, (const void *)text[i], strlen(text[i]) + 1);
	crypto_generichash_update(
	    &st, (const void *)&key->row, sizeof(key->row));
	crypto_generichash_final(&st, tag, TAG);
	explicit_bzero(&st, sizeof(st));
}

static size_t
set_of(const uint8_t tag[TAG])
{
	return (tag[0] | (size_t)tag[1] << 8) % SETS;
}

bool
vcache_has(
    const struct vcache *c, const struct vcache_key *key, uint64_t now_ms)
{
	const struct entry *set;
	uint8_t tag[TAG];

	make_tag(c, tag, key);
	set = c->entry[set_of(tag)];
	for (int i = 0; i < WAYS; i++)
		if (set[i].until_ms > now_ms &&
		    sodium_memcmp(set[i].tag, tag, TAG) == 0)
			return true;
	return false;
}

void
vcache_add(struct vcache *c, const struct vcache_key *key, uint64_t now_ms)
{
	struct entry *set, *e;
	uint8_t tag[TAG];

	make_tag(c, tag, key);
	e = set = c->entry[set_of(tag)];
	for (int i = 1; i < WAYS; i++)
		if (set[i].until_ms < e->until_ms)
			e = &set[i];
	for (int i = 0; i < WAYS; i++)
		if (sodium_memcmp(set[i].tag, tag, TAG) == 0)
			e = &set[i];
	memcpy(e->tag, tag, TAG);
	e->until_ms = now_ms + VCACHE_LIFE_MS;
}

void
vcache_clear(struct vcache *c)
{
	memset(c->entry, 0, sizeof(c->entry));
}
