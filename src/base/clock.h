/*
 * clock.h - the two clocks.  Waits use the monotonic one, people the other.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_ms(void);      /* monotonic milliseconds */
uint64_t clock_unix_ms(void); /* milliseconds since 1970 */

enum { CLOCK_STAMP = 25 };
/* "2026-11-22T12:03:04.123Z" and a NUL, in UTC: no time zone file is read.
 * Returns out. */
char *clock_stamp(char out[CLOCK_STAMP], uint64_t unix_ms);

enum { CLOCK_LOCAL = 32 };
/* "12:03", or "2026-11-22 12:03" when that was not within the last day, and a
 * NUL, in local time: reads no file if tzset() was called before.  Returns
 * out. */
char *clock_local(char out[CLOCK_LOCAL], uint64_t unix_seconds);

enum { CLOCK_DATE = 64 };
/* "2026-11-22 12:03" and a NUL, in local time and in the person's form.  Returns
 * out. */
char *clock_date(char out[CLOCK_DATE], int64_t unix_seconds);

#endif
