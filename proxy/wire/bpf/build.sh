#!/bin/sh
# Compiles the program for the kernel, here or to the file given (an absolute path); the object runs on any machine,
# without a compiler there.
set -eu
cd "$(dirname "$0")"
object=${1:-ehlowire.bpf.o}
mkdir -p "$(dirname "$object")"
# The headers of the kernel's own types lie where Debian keeps them by architecture.
exec clang -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter \
	-I"/usr/include/$(uname -m)-linux-gnu" -c ehlowire.bpf.c -o "$object"
