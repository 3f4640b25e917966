"""attached.py [DEVICE HOOK]: what is at an interface's hook, or at all there are: programs by tcx links, one a line, then
filters in the words of tc. A program's name is there once.
Asks the kernel itself, in the network namespace it is run in, by none of the product's code."""
import ctypes, os, re, socket, struct, subprocess, sys
from bpf import bpf

PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, PROG_QUERY = 13, 15, 16
TCX = {"ingress": 46, "egress": 47}
MOST = 64


def name(number):
    fd, _ = bpf(PROG_GET_FD_BY_ID, struct.pack("<I", number))
    info = ctypes.create_string_buffer(256)
    bpf(OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, len(info), ctypes.addressof(info)))
    os.close(fd)
    # struct bpf_prog_info: name behind type, id, tag, two lengths, two pointers, load time, uid, and two of the maps.
    return info.raw[64:80].split(b"\0")[0].decode()


def links(device, hook):
    numbers = (ctypes.c_uint32 * MOST)()
    index = socket.if_nametoindex(device)
    result, attr = bpf(PROG_QUERY, struct.pack("<IIIIQI", index, TCX[hook], 0, 0, ctypes.addressof(numbers), MOST))
    # EINVAL: a kernel without tcx.
    count = struct.unpack_from("<I", attr, 24)[0] if result >= 0 else 0
    return [name(number) for number in numbers[:count]]


def filters(device, hook):
    shown = subprocess.run(["tc", "filter", "show", "dev", device, hook], stdout=subprocess.PIPE, text=True, check=True).stdout
    # libbpf calls a filter by its program's name and number, which tc tells behind it as well.
    return [re.sub(r" \S+:\[\d+\](?= )", "", line) for line in shown.splitlines()]


everywhere = [(device, hook) for _, device in socket.if_nameindex() for hook in TCX]
for device, hook in [sys.argv[1:3]] if len(sys.argv) > 1 else everywhere:
    for line in [f"link {each}" for each in links(device, hook)] + filters(device, hook):
        print(f"{device} {hook}: {line}")
