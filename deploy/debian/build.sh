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
mkdir -p "$lib/dist" "$doc/examples" "$root/DEBIAN" "$root/usr/bin" "$root/usr/share/man/man8" \
	"$root/lib/systemd/system" "$root/etc/ehlowire" "$root/etc/logrotate.d"

# What runs needs, and nothing of what builds.
dependencies() { npm ls --omit=dev --all --parseable | tail -n +2; }

npx tsc -p tsconfig.build.json --outDir "$lib/dist"
proxy/wire/bpf/build.sh "$lib/dist/proxy/wire/bpf/ehlowire.bpf.o"
cp ehlowire package.json "$lib/"
ln -s ../lib/ehlowire/ehlowire "$root/usr/bin/ehlowire"
dependencies | while read -r folder; do
	to=$lib/${folder#"$PWD"/}
	mkdir -p "$(dirname "$to")"
	cp -R "$folder" "$to"
done

cp deploy/systemd/*.service "$root/lib/systemd/system/"
cp README.md CHANGELOG.md CONFIG.md deploy/runbooks/*.md "$doc/"
cp deploy/debian/bridge.env deploy/debian/host.env deploy/debian/relay.json "$doc/examples/"
{
	cat deploy/debian/copyright
	dependencies | while read -r folder; do
		node -p 'const p = require(process.argv[1] + "/package.json"); ` ${p.name} ${p.version}: ${p.license}`' "$folder"
	done
} >"$doc/copyright"
cp deploy/debian/logrotate "$root/etc/logrotate.d/ehlowire"
echo /etc/logrotate.d/ehlowire >"$root/DEBIAN/conffiles"
sed "s/@VERSION@/$version/" deploy/debian/ehlowire.8 | gzip -9n >"$root/usr/share/man/man8/ehlowire.8.gz"
size=$(du -sk --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
	deploy/debian/control.in >"$root/DEBIAN/control"
(cd "$root" && find lib usr -type f -exec md5sum {} + | sort -k 2 >DEBIAN/md5sums)
for script in postinst prerm postrm; do install -m 755 "deploy/debian/$script" "$root/DEBIAN/$script"; done
chmod -R u=rwX,go=rX "$root"
find "$lib/node_modules" -type f -exec chmod a-x {} +
dpkg-deb --root-owner-group --build "$root" "$out/ehlowire_${version}_$architecture.deb"
