/*
 * sender.h - who sent a message, by its Return-Path.
 */
#ifndef CLIENT_DELIVER_SENDER_H
#define CLIENT_DELIVER_SENDER_H

enum { SENDER_SIZE = 256 };

/* The address of the first Return-Path in the header, looked for at the head of
 * the file; empty if there is none, or if it is not printable ASCII without
 * spaces and angle brackets. */
void sender_read(int fd, char out[SENDER_SIZE]);

#endif
