"""Runs a program for which bpf(2) fails: ERRNO PROGRAM [ARGUMENT...]. As a container's seccomp profile has it
(EPERM), or a kernel that was built without (ENOSYS)."""

import ctypes
import errno
import os
import platform
import struct
import sys

BPF = {'x86_64': 321, 'aarch64': 280}[platform.machine()]
# linux/filter.h, linux/seccomp.h: load the call's number; is it bpf? then this errno, else allowed.
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ERRNO, ALLOW = 0x00050000, 0x7FFF0000
PROGRAM = [
    (LOAD, 0, 0, 0),
    (EQUAL, 0, 1, BPF),
    (RETURN, 0, 0, ERRNO | getattr(errno, sys.argv[1])),
    (RETURN, 0, 0, ALLOW),
]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2

filters = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *each) for each in PROGRAM))
prog = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(PROGRAM), ctypes.addressof(filters)))
libc = ctypes.CDLL(None, use_errno=True)
for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prog, 0, 0)):
    if libc.prctl(*call) != 0:
        sys.exit(f'prctl: {os.strerror(ctypes.get_errno())}')
os.execv(sys.argv[2], sys.argv[2:])
