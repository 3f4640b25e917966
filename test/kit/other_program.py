"""somebody.py DEVICE tcx|tc FOLDER: a program of somebody else's at an interface's ingress, which lets all pass. It stays
for as long as the interface does, a link for as long as its pin in FOLDER, which is in a bpffs."""
import ctypes, os, socket, struct, subprocess, sys
from bpf import bpf

PROG_LOAD, OBJ_PIN, LINK_CREATE = 5, 6, 28
SCHED_CLS, TCX_INGRESS = 3, 46
# r0 = -1 (TC_ACT_UNSPEC: whoever comes next decides); exit
CODE = struct.pack("<BBhi", 0xB7, 0, 0, -1) + struct.pack("<BBhi", 0x95, 0, 0, 0)


def must(command, attributes):
    result, _ = bpf(command, attributes)
    if result < 0:
        sys.exit(f"bpf command {command}: {os.strerror(-result)}")
    return result


device, how, folder = sys.argv[1:]
code, license = ctypes.create_string_buffer(CODE), ctypes.create_string_buffer(b"Apache-2.0")
# Type, count, instructions, license, no log, any kernel, no flags, name.
program = must(PROG_LOAD, struct.pack("<IIQQIIQII16s", SCHED_CLS, len(CODE) // 8, ctypes.addressof(code),
                                      ctypes.addressof(license), 0, 0, 0, 0, 0, b"somebody"))
os.makedirs(folder, exist_ok=True)
path = f"{folder}/somebody"
link = how == "tcx" and must(LINK_CREATE, struct.pack("<IIII", program, socket.if_nametoindex(device), TCX_INGRESS, 0))
name = ctypes.create_string_buffer(path.encode())
must(OBJ_PIN, struct.pack("<QI", ctypes.addressof(name), link or program))
if not link:
    subprocess.run(["tc", "qdisc", "replace", "dev", device, "clsact"], check=True)
    subprocess.run(["tc", "filter", "add", "dev", device, "ingress", "pref", "9", "bpf", "da", "pinned", path], check=True)
    os.unlink(path)
