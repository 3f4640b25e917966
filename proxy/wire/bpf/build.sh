#!/bin/sh
# Compiles the program for the kernel, here or to the file given (an absolute path); the object runs on any machine,
# without a compiler there. Each header must compile alone: what it uses, it includes.
set -eu
cd "$(dirname "$0")"
object=${1:-ehlowire.bpf.o}
# The headers of the kernel's own types lie where Debian keeps them by architecture.
compile() {
	clang -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter \
		-I"/usr/include/$(uname -m)-linux-gnu" "$@"
}
for header in *.h; do
	echo "#include \"$header\"" | compile -Wno-unused-function -I. -fsyntax-only -x c -
done
mkdir -p "$(dirname "$object")"
compile -c ehlowire.bpf.c -o "$object"
