#include "client/message/size.h"

#include <stddef.h>
#include <stdio.h>

char *
report_size(char out[REPORT_SIZE], uint64_t octets)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double v = (double)octets / 1000;
	size_t u = 0;

	if (octets < 1000) {
		snprintf(out, REPORT_SIZE, "%u B", (unsigned)octets);
		return out;
	}
	while (v >= 999.95 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1000;
		u++;
	}
	snprintf(
	    out, REPORT_SIZE, v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}
