/*
 * dovecot-uidlist.
 *
 *	3 V<uidvalidity> N<next uid> G<guid>
 *	<uid> [<letter><value> ...] :<file name>
 *
 * P is the message's POP3 unique-id (empty: its base name), G its guid
 * (without one: its base name).  Version 1 has no fields and no colon.
 */
#include "server/store/maildir/foreign.h"
#include "server/store/maildir/lines.h"

bool
uidlist_header(struct foreign *f, struct slice line)
{
	struct slice word;

	if (!lines_word(&line, ' ', &word) || !str_to_u32(word, &f->version) ||
	    !lines_word(&line, ' ', &word))
		return false;
	if (f->version == 1)
		return str_to_u32(word, &f->validity);
	if (f->version != 3)
		return false;
	do
		if (word.n > 1 && word.p[0] == 'V' &&
		    str_to_u32(
			(struct slice){ word.p + 1, word.n - 1 }, &f->validity))
			return true;
	while (lines_word(&line, ' ', &word));
	return false;
}

bool
uidlist_record(struct foreign *f, struct slice line, struct foreign_record *r_r)
{
	struct foreign_entry *entry = &r_r->entry;
	struct slice word, value;

	if (!lines_word(&line, ' ', &word) || !str_to_u32(word, &entry->uid) ||
	    entry->uid <= f->last_uid)
		return false;
	f->last_uid = entry->uid;
	entry->validity = f->validity;
	while (f->version == 3 && line.n != 0 && line.p[0] != ':') {
		lines_word(&line, ' ', &word);
		if (word.n == 0)
			return false;
		value = (struct slice){ word.p + 1, word.n - 1 };
		if (word.p[0] == 'P')
			entry->pop3 = value;
		else if (word.p[0] == 'G')
			entry->guid = value;
	}
	if (f->version == 3 && line.n != 0)
		line = (struct slice){ line.p + 1, line.n - 1 };
	r_r->file = line;
	return line.n != 0;
}
