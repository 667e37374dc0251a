/*
 * app_secret.h - app passwords as such: made here, one for each device.
 *
 * 28 of 32 letters and digits, none of which looks like another, are 140 bits:
 * nobody guesses one, so a fast hash keeps it as well as a costly one would.  It
 * is shown in groups of four; capitals, spaces and hyphens make no difference
 * when it is typed.
 */
#ifndef SERVER_USERS_APP_SECRET_H
#define SERVER_USERS_APP_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	APP_SECRET = 28,
	APP_SHOWN = APP_SECRET + APP_SECRET / 4, /* with a NUL */
	APP_SALT = 16,
	APP_DIGEST = 32,
};

/* A new one, as it is shown: "abcd-efgh-...". */
void app_secret_make(char shown[APP_SHOWN]);

/* What is meant by what was typed.  False: it has not the form of one. */
bool app_secret_read(char out[APP_SECRET], struct slice typed);

/* What is kept of it: SHA-256 of the salt and the secret. */
void app_secret_digest(uint8_t out[APP_DIGEST], const uint8_t salt[APP_SALT],
    const char secret[APP_SECRET]);

#endif
