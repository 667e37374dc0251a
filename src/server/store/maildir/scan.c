#include "server/store/maildir/scan.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "server/store/maildir/expire_rule.h"

/* Where mail expires it is at least the day after the last look, even if the
 * clock is set back for a while, as that of a machine without a battery is after
 * its start: what is met in that while must not be old when the clock is right. */
static uint16_t
find_today(int root, bool expires)
{
	uint64_t now = clock_unix_ms() / 1000;
	struct expire_state x;
	struct errbuf eb;

	if (expires && expire_load(&x, root, &eb) == E_OK &&
	    x.held != EXPIRE_HELD_CLOCK && now < x.looked)
		now = x.looked + EXPIRE_DAY;
	return index_day((int64_t)now);
}

void
scan_init(struct scan *s, struct maildir *m, const struct maildir_dirs *d,
    struct errbuf *eb)
{
	bool expires = expire_is_kept(d->root);

	*s = (struct scan){ .m = m,
		.d = d,
		.eb = eb,
		.today = find_today(d->root, expires),
		.expires = expires };
	map_init(&s->by_uid);
	arena_init(&s->arena);
	names_init(&s->names);
	uidlfile_init(&s->uidl);
}

void
scan_clear(struct scan *s)
{
	free(s->v);
	map_free(&s->by_uid);
	arena_free(&s->arena);
	names_free(&s->names);
	uidlfile_free(&s->uidl);
}

/* The leading number of the file name. */
static uint64_t
delivery_time(const char *file)
{
	uint64_t t;

	return str_to_u64(
		   (struct slice){ file, strspn(file, "0123456789") }, &t)
		   ? t
		   : 0;
}

enum err
scan_add(
    struct scan *s, struct slice name, uint32_t base, struct scan_message **v_r)
{
	uint32_t *first = &s->names.base[base].user;
	struct scan_message *v;

	if ((v = array_room(s->v, s->n, &s->room, sizeof(*v))) == NULL)
		return E_NOMEM;
	s->v = v;
	v = &s->v[s->n];
	*v = (struct scan_message){
		.name = name.p,
		.time = delivery_time(name.p + 1),
		.base = base,
		.next = *first,
		.name_len = (uint16_t)name.n,
		.base_len = (uint16_t)names_base_len(name.p + 1),
		.seen = s->today,
	};
	*first = s->n++;
	*v_r = v;
	return E_OK;
}

enum err
scan_set_uid(struct scan *s, struct scan_message *v, struct slice uid)
{
	v->uid = scan_is_own(v, uid) ? v->name + 1
				     : arena_put(&s->arena, uid.p, uid.n);
	v->uid_len = (uint8_t)uid.n;
	return v->uid != NULL ? E_OK : E_NOMEM;
}

void
scan_forget(struct scan *s, uint32_t n)
{
	while (s->n > n) {
		const struct scan_message *v = &s->v[--s->n];

		s->names.base[v->base].user = v->next;
	}
}
