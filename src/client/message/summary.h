/*
 * summary.h - what a person knows a message by: Date, From, Subject of its header.
 */
#ifndef CLIENT_MESSAGE_SUMMARY_H
#define CLIENT_MESSAGE_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

/* Texts are UTF-8, and may hold control characters; empty where the field is not
 * there. */
struct summary {
	char *from, *subject;
	int64_t date; /* Unix seconds; 0: there is none that can be read */
};

/* Takes the header, or the beginning of it.  What there is no memory for is
 * NULL. */
void summary_read(struct summary *s, const char *header, size_t n);
/* When the message arrived where it was collected: by the uppermost Received, else
 * by Date.  Unix seconds; 0: neither can be read. */
int64_t summary_arrived(const char *header, size_t n);
void summary_clear(struct summary *s);

#endif
