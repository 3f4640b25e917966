#!/bin/sh
# Builds ehlowire_VERSION_ARCH.deb into the folder given, or the current one. Needs clang, libbpf-dev, and `npm ci` before.
# The tree that it is called in stays as it is.
set -eu
out=$(realpath "${1:-.}")
cd "$(dirname "$0")/../.."
version=$(node -p 'require("./package.json").version')
architecture=$(dpkg --print-architecture)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
lib=$root/usr/lib/ehlowire
doc=$root/usr/share/doc/ehlowire
mkdir -p "$lib/dist/proxy/wire" "$doc" "$root/DEBIAN" "$root/usr/bin" "$root/usr/share/man/man8" "$root/lib/systemd/system"

npx tsc -p tsconfig.build.json --outDir "$lib/dist"
proxy/wire/build.sh "$lib/dist/proxy/wire/ehlowire.bpf.o"
cp ehlowire package.json "$lib/"
ln -s ../lib/ehlowire/ehlowire "$root/usr/bin/ehlowire"
# What runs needs, and nothing of what builds.
npm ls --omit=dev --all --parseable | tail -n +2 | while read -r folder; do
	to=$lib/${folder#"$PWD"/}
	mkdir -p "$(dirname "$to")"
	cp -R "$folder" "$to"
done

cp deploy/systemd/*.service "$root/lib/systemd/system/"
cp README.md CHANGELOG.md CONFIG.md deploy/runbooks/*.md "$doc/"
cp LICENSE "$doc/copyright"
mkdir "$doc/examples"
cp deploy/debian/bridge.env "$doc/examples/"
sed "s/@VERSION@/$version/" deploy/debian/ehlowire.8 | gzip -9n >"$root/usr/share/man/man8/ehlowire.8.gz"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" deploy/debian/control.in >"$root/DEBIAN/control"
for script in postinst prerm postrm; do install -m 755 "deploy/debian/$script" "$root/DEBIAN/$script"; done
chmod -R u=rwX,go=rX "$root"
dpkg-deb --root-owner-group --build "$root" "$out/ehlowire_${version}_$architecture.deb"
