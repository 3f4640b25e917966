#!/bin/sh
# A machine that boots: systemd as process 1 over a copy-on-write view of this machine's own files, in a network
# namespace that is there already. Nothing of it outlives the first process of `hold`.
#   machine.sh hold FOLDER     its disk, until killed; says `held`
#   machine.sh boot FOLDER CGROUP    within hold's mount namespace: processes from 1 on, until killed (which is a power cut)
set -eu
folder=$2

hold() {
	mount -t tmpfs -o mode=755 machine "$folder"
	mkdir "$folder/changed" "$folder/work" "$folder/disk" "$folder/cgroup"
	# What is changed lies in another file system: an overlay must not contain itself.
	mount -t overlay -o "lowerdir=/,upperdir=$folder/changed,workdir=$folder/work" machine "$folder/disk"
	mount -t cgroup2 none "$folder/cgroup"
	cd "$folder/disk"
	bare
	echo held
	exec sleep infinity
}

# No service but what a start needs: neither this machine's own, nor what sets up hardware and the kernel.
bare() {
	# A container's mark would keep systemd from mounting the bpffs and from seeing devices.
	rm -rf .dockerenv etc/fstab etc/systemd/system lib/systemd/system/*.wants
	: >etc/fstab
	# An index of all manual pages, made anew with each package.
	rm -f var/lib/man-db/auto-update
	# What ehlowire wrote on this machine when it ran here is not that machine's: only its view of the disk loses it.
	rm -rf var/lib/ehlowire var/log/ehlowire var/log/ehlowire-relay var/log/private/ehlowire-relay etc/ehlowire
	rm -f $(find etc/systemd/system -name 'ehlowire-*.service' 2>/dev/null)
	own=etc/systemd/system
	mkdir -p $own/systemd-udev-trigger.service.d lib/systemd/system/sysinit.target.wants lib/systemd/system/sockets.target.wants
	for each in journald udevd udev-trigger tmpfiles-setup; do
		ln -s ../systemd-$each.service lib/systemd/system/sysinit.target.wants/
	done
	for each in journald journald-dev-log udevd-control udevd-kernel; do
		ln -s ../systemd-$each.socket lib/systemd/system/sockets.target.wants/
	done
	ln -s /dev/null $own/systemd-journald-audit.socket
	trigger='udevadm trigger --action=add --subsystem-match=net'
	printf '[Service]\nExecStart=\nExecStart=%s\n' "$trigger" >$own/systemd-udev-trigger.service.d/only-net.conf
}

boot() {
	cgroup=$folder/cgroup/$3
	# Of the boot before.
	[ ! -e "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} +
	mkdir "$cgroup"
	echo 0 >"$cgroup/cgroup.procs"
	exec unshare --pid --fork --mount --propagation private --cgroup --ipc --uts sh "$0" first "$folder"
}

first() {
	cd "$folder/disk"
	mount -t proc proc proc
	# The kernel's settings are this machine's, but for those of the network namespace.
	mount --bind proc/sys proc/sys
	mount --bind proc/sys/net proc/sys/net
	mount -o remount,bind,ro proc/sys
	mount -t sysfs sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 run run
	mount -t tmpfs -o mode=1777 tmp tmp
	# systemd listens to udev only where it is running already, or /dev is a devtmpfs.
	mkdir run/udev
	: >run/udev/control
	# What this machine's kernel was told is not meant for this systemd.
	echo >run/cmdline
	mount --bind run/cmdline proc/cmdline
	devices
	pivot_root . mnt
	umount -l mnt
	# Of what would reach beyond the namespaces, nothing. An empty `container` says: this is none, whatever else hints at it.
	exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin container= \
		setpriv --bounding-set -sys_module,-sys_boot,-sys_time,-sys_rawio,-audit_control,-audit_read,-mac_admin,-wake_alarm \
		/lib/systemd/systemd --unit=multi-user.target --log-target=journal --show-status=no
}

devices() {
	mount -t tmpfs -o mode=755 dev dev
	for each in null zero full random urandom tty; do
		: >dev/$each
		mount --bind /dev/$each dev/$each
	done
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	for each in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${each#*:}" "dev/${each%:*}"; done
}

"$1" "$@"
