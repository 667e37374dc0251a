/*
 * courierpop3dsizelist.
 *
 *	/<version> <next uid> <uidvalidity>
 *	<file name> <size> <uid>:<uidvalidity>:<utf8>
 *
 * A file name may hold spaces.  Version 2 lacks the last field.
 */
#include <string.h>

#include "server/store/maildir/foreign.h"
#include "server/store/maildir/lines.h"

bool
courier_header(struct foreign *f, struct slice line)
{
	struct slice word;

	return lines_word(&line, ' ', &word) && word.n > 1 &&
	       word.p[0] == '/' &&
	       str_to_u32(
		   (struct slice){ word.p + 1, word.n - 1 }, &f->version) &&
	       (f->version == 2 || f->version == 3) &&
	       lines_word(&line, ' ', &word) && lines_word(&line, ' ', &word) &&
	       str_to_u32(word, &f->validity);
}

/* Cuts the last word off. */
static bool
last_word(struct slice *rest, struct slice *word_r)
{
	const char *space = memrchr(rest->p, ' ', rest->n);

	if (space == NULL)
		return false;
	word_r->p = space + 1;
	word_r->n = rest->n - (size_t)(space + 1 - rest->p);
	rest->n = (size_t)(space - rest->p);
	return true;
}

bool
courier_record(struct foreign *f, struct slice line, struct foreign_record *r_r)
{
	struct foreign_entry *entry = &r_r->entry;
	struct slice ids, size, word;
	uint64_t octets;

	if (!last_word(&line, &ids) || !last_word(&line, &size) ||
	    !str_to_u64(size, &octets) || !lines_word(&ids, ':', &word) ||
	    !str_to_u32(word, &entry->uid) || !lines_word(&ids, ':', &word) ||
	    !str_to_u32(word, &entry->validity))
		return false;
	r_r->file = line;
	return line.n != 0;
}
