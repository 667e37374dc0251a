/*
 * smtp_words.h - what a server has said of a message or an address, and what the
 * person can do about it.
 */
#ifndef CLIENT_SEND_SMTP_WORDS_H
#define CLIENT_SEND_SMTP_WORDS_H

struct smtp;

enum { SMTP_WORDS = 800 };

/* The reply to the last command: code, status and text, and advice if there is
 * any.  Returns out. */
char *smtp_words(char out[SMTP_WORDS], const struct smtp *s);

/* Makes the reply that a server would give that was asked for what it does not
 * offer. */
void smtp_words_no_utf8(struct smtp *s);
void smtp_words_too_large(struct smtp *s);

#endif
