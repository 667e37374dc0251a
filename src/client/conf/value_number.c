/* Numbers, times and sizes. */
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/conf/value.h"

enum { DAY = 24 * 3600, WEEK = 7 * DAY, YEAR = 365 * DAY };

enum err
value_port(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	char shown[VALUE_SHOWN];
	uint32_t v;

	if (!str_to_u32((struct slice){ value, strlen(value) }, &v) || v == 0 ||
	    v > UINT16_MAX)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is no port; write 1 to 65535"), name,
		    value_shown(shown, value));
	*(uint16_t *)field = (uint16_t)v;
	return E_OK;
}

struct unit {
	char letter;
	uint64_t worth;
};

/* Digits and perhaps one unit behind them (units end with a 0). */
static bool
number(const char *value, const struct unit *units, uint64_t most,
    uint64_t *v_r, bool *has_unit_r)
{
	size_t n = strlen(value);
	uint64_t worth = 1;

	*has_unit_r = false;
	for (; n != 0 && units->letter != 0; units++)
		if (units->letter == value[n - 1]) {
			worth = units->worth;
			*has_unit_r = true;
			n--;
			break;
		}
	if (!str_to_u64((struct slice){ value, n }, v_r) || *v_r > most / worth)
		return false;
	*v_r *= worth;
	return true;
}

static const struct unit times[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 },
	{ 'd', DAY }, { 'w', WEEK }, { 0, 0 } };

static enum err
seconds(const char *name, unsigned *field, const char *value, unsigned most,
    struct errbuf *eb)
{
	char shown[VALUE_SHOWN];
	bool has_unit;
	uint64_t v;

	if (!number(value, times, most, &v, &has_unit) || v == 0)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is no time from 1s to %ud; write as in "
		      "\"90\" (seconds), \"5m\", \"2h\", \"1d\""),
		    name, value_shown(shown, value), most / DAY);
	*field = (unsigned)v;
	return E_OK;
}

enum err
value_day(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	return seconds(name, field, value, DAY, eb);
}

enum err
value_week(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	return seconds(name, field, value, WEEK, eb);
}

enum err
value_year(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	return seconds(name, field, value, YEAR, eb);
}

enum err
value_patience(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	if (strcmp(value, "0") != 0)
		return value_day(place, name, field, value, eb);
	*(unsigned *)field = 0;
	return E_OK;
}

enum err
value_keep(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	struct slice s = { value, strlen(value) };
	int64_t *keep = field;
	char shown[VALUE_SHOWN];
	bool has_unit;
	uint64_t v;

	if (slice_caseeq(s, "yes") || slice_caseeq(s, "no")) {
		*keep = s.n == 3 ? KEEP_ALWAYS : 0;
		return E_OK;
	}
	if (!number(value, times, 100ull * YEAR, &v, &has_unit))
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is not known; write \"yes\", \"no\", or a "
		      "time as in \"30d\""),
		    name, value_shown(shown, value));
	/* 30 seconds where somebody meant days would cost mail. */
	if (!has_unit && v != 0)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" does not say of what; write \"%sd\" for "
		      "days, or another of s, m, h, w"),
		    name, value_shown(shown, value), shown);
	*keep = (int64_t)v;
	return E_OK;
}

enum err
value_size(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	static const struct unit sizes[] = { { 'k', 1 << 10 }, { 'K', 1 << 10 },
		{ 'm', 1 << 20 }, { 'M', 1 << 20 }, { 'g', 1 << 30 },
		{ 'G', 1 << 30 }, { 0, 0 } };
	char shown[VALUE_SHOWN];
	bool has_unit;
	uint64_t v;

	if (!number(value, sizes, UINT64_MAX - 1, &v, &has_unit) || v == 0)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is no size; write as in \"500k\", \"10M\", "
		      "\"1G\", or octets"),
		    name, value_shown(shown, value));
	*(uint64_t *)field = v;
	return E_OK;
}

enum err
value_count(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	char shown[VALUE_SHOWN];
	uint32_t v;

	if (!str_to_u32((struct slice){ value, strlen(value) }, &v) || v == 0)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is no number; write 1 or more"), name,
		    value_shown(shown, value));
	*(unsigned *)field = v;
	return E_OK;
}
