/*
 * tls_memory.h - memory for handshakes that is given back.
 *
 * A handshake takes and frees blocks of 16 to 22 KB.  Taken from malloc they
 * lie between what lives as long as the session, and stay with the process.
 * So blocks of about that size have places of their own, whole pages, which
 * go back to the kernel when few of them are in use.
 */
#ifndef NET_TLS_MEMORY_H
#define NET_TLS_MEMORY_H

#include <stdbool.h>

/* For the whole process; before the first use of OpenSSL.  False: it has been
 * used already, or there is no memory, and all is as it was. */
bool tls_memory_pool(void);

#endif
