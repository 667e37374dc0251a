#include "pop3/wire_vector.h"

#include <stdint.h>

#if defined(__x86_64__) && !defined(WIRE_PORTABLE)

#include <immintrin.h>

#define VECTOR __attribute__((target("avx2,bmi,popcnt")))

enum {
	STEP = 32,
	AHEAD = 2 * STEP, /* as far as is read from a step's start on */
	/* As far as is written, when each octet of a step gets another. */
	ROOM = 3 * STEP,
	SUMS = 255, /* rounds until a sum of eight bits is full */
};

bool
pop3_wire_vector_works(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("popcnt");
}

VECTOR static inline __m256i
load(const char *p)
{
	return _mm256_loadu_si256((const __m256i *)p);
}

VECTOR static inline void
store(char *q, __m256i v)
{
	_mm256_storeu_si256((__m256i *)q, v);
}

VECTOR static inline uint32_t
where(__m256i v, __m256i octet)
{
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, octet));
}

/* One octet goes in before the next of those that `add` marks, the nth of its
 * step: what follows is copied once more, behind it.  If there is none, this
 * writes where the next step will. */
VECTOR static inline uint32_t
put_one(const char *p, char *q, uint32_t add, unsigned nth, char octet)
{
	unsigned k = _tzcnt_u32(add);

	q[k + nth] = octet;
	store(q + k + nth + 1, load(p + k));
	return _blsr_u32(add);
}

/* No branch depends on where lines end, as long as a step has no dot to stuff
 * and at most two of them. */
VECTOR struct pop3_wire_run
pop3_wire_vector_encode(const char *in, size_t n, char *out, size_t room)
{
	const __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r'),
		      dot = _mm256_set1_epi8('.');
	const char *p = in, *end = in + n;
	char *q = out, *full = out + room;
	uint32_t after_lf = 1, after_cr = 0;
	size_t stuffed = 0;

	while (end - p >= AHEAD && full - q >= ROOM) {
		__m256i v = load(p);
		uint32_t lfs = where(v, lf), crs = where(v, cr);
		uint32_t dots = where(v, dot) & (lfs << 1 | after_lf);
		uint32_t add = (lfs & ~(crs << 1 | after_cr)) | dots, rest;
		unsigned nth = 0;

		store(q, v);
		rest = put_one(p, q, add, nth++, '\r');
		rest = put_one(p, q, rest, nth++, '\r');
		if (__builtin_expect(dots != 0 || rest != 0, 0))
			for (rest = add, nth = 0; rest != 0; nth++)
				rest = put_one(p, q, rest, nth,
				    dots & rest & -rest ? '.' : '\r');
		after_lf = lfs >> 31;
		after_cr = crs >> 31;
		stuffed += (unsigned)_mm_popcnt_u32(dots);
		p += STEP;
		q += STEP + _mm_popcnt_u32(add);
	}
	return (struct pop3_wire_run){ (size_t)(p - in), (size_t)(q - out),
		stuffed };
}

VECTOR size_t
pop3_wire_vector_bare(const char *in, size_t n, bool after_cr)
{
	const __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r');
	const char *p = in, *end = in + n;
	__m256i total = _mm256_setzero_si256();
	uint64_t sums[4], bare = 0;

	if (p < end)
		bare += *p++ == '\n' && !after_cr;
	while (end - p >= STEP) {
		__m256i few = _mm256_setzero_si256();

		for (int i = 0; i < SUMS && end - p >= STEP; i++, p += STEP) {
			__m256i is_lf = _mm256_cmpeq_epi8(load(p), lf);
			__m256i is_behind = _mm256_cmpeq_epi8(load(p - 1), cr);

			few = _mm256_sub_epi8(
			    few, _mm256_andnot_si256(is_behind, is_lf));
		}
		total = _mm256_add_epi64(
		    total, _mm256_sad_epu8(few, _mm256_setzero_si256()));
	}
	_mm256_storeu_si256((__m256i *)sums, total);
	for (; p < end; p++)
		bare += p[0] == '\n' && p[-1] != '\r';
	return bare + sums[0] + sums[1] + sums[2] + sums[3];
}

#else

bool
pop3_wire_vector_works(void)
{
	return false;
}

struct pop3_wire_run
pop3_wire_vector_encode(const char *in, size_t n, char *out, size_t room)
{
	return (struct pop3_wire_run){ 0, 0, 0 };
}

size_t
pop3_wire_vector_bare(const char *in, size_t n, bool after_cr)
{
	return 0;
}

#endif
