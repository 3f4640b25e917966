"""The bpf() system call, by none of the product's code."""
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
SIZE = 128


def bpf(command, attributes):
    """What it returned, or the errno below zero; and the attributes as the kernel left them."""
    attr = ctypes.create_string_buffer(attributes, SIZE)
    result = libc.syscall(SYS_BPF, command, attr, SIZE)
    return result if result >= 0 else -ctypes.get_errno(), attr.raw
