/*
 * kerberos.h - the process that has the service's keys and looks at tickets.
 *
 * Auth hands it what clients show, and gets the principal whose ticket it is.
 * It knows no users and no mail, speaks to nobody else, and of the file system
 * has one folder, in which it remembers what it has seen: nothing is accepted
 * twice, also not after a restart.
 */
#ifndef SERVER_KERBEROS_KERBEROS_H
#define SERVER_KERBEROS_KERBEROS_H

int kerberos_main(int ctl);

#endif
