#!/usr/bin/python3
"""Runs a program on a kernel that lacks something:

    old_kernel.py landlock|seccomp COMMAND...

A filter answers those system calls as a kernel without it does.  (That of the
program is another one, behind it.)
"""
import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_SET_SECCOMP = 38, 21, 22
FILTER = 2
PRCTL, SECCOMP, LANDLOCK_CREATE_RULESET = {
    "x86_64": (157, 317, 444), "aarch64": (167, 277, 444)}[os.uname().machine]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7fff0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16


def refuse(number, error, first=None):
    """The call, or only with that first argument."""
    answer = [(RETURN, 0, 0, ERRNO | error)]
    if first is not None:
        answer = [(LOAD, 0, 0, FIRST_ARGUMENT),
                  (EQUAL, 0, 1, first)] + answer
    return [(LOAD, 0, 0, NUMBER), (EQUAL, 0, len(answer), number)] + answer


LACKS = {
    "landlock": refuse(LANDLOCK_CREATE_RULESET, errno.ENOSYS),
    "seccomp": refuse(SECCOMP, errno.ENOSYS)
    + refuse(PRCTL, errno.EINVAL, PR_GET_SECCOMP)
    + refuse(PRCTL, errno.EINVAL, PR_SET_SECCOMP),
}


def put_on(instructions):
    code = b"".join(struct.pack("=HBBI", *i)
                    for i in instructions + [(RETURN, 0, 0, ALLOW)])
    octets = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(octets))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 2 + \
        [ctypes.c_ulong] * 2
    held = ctypes.create_string_buffer(program)
    for words in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                  (PR_SET_SECCOMP, FILTER, ctypes.addressof(held), 0, 0)):
        if prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    put_on(LACKS[sys.argv[1]])
    os.execvp(sys.argv[2], sys.argv[2:])
