/*
 * i18n.h - words for people, in their language (gettext, domain "malote").
 *
 * Without bindtextdomain() they are English: the server never calls it; malote and
 * malotectl do.
 */
#ifndef BASE_I18N_H
#define BASE_I18N_H

#include <libintl.h>

#define _(s)  gettext(s)
#define N_(s) (s) /* for a table: translated where it is used */

#endif
