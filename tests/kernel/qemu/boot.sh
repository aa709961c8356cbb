#!/bin/bash
# boot.sh --kernel 6.1|6.12 [OPTION]... -- COMMAND [ARGUMENT]...
#
# Boots Debian's newest kernel of that series under QEMU (software emulation, no root, no network), runs the command in
# it as root and exits with the command's exit code; its output is this script's. 124: no answer in time; 125: the
# guest did not come up (its console is printed).
#
#   --file HOST[:GUEST]  put a file into the guest (default: the same path), with every shared library it needs
#   --module NAME        load a kernel module, with those it needs (repeatable)
#   --env NAME=VALUE     set a variable for the command
#   --fetch GUEST:HOST   copy one file out of the guest after the command
#   --memory MB          default 1024
#   --cpus N             default 2
#   --timeout SECONDS    default 240
#
# The guest has busybox's tools, proc, sys, a cgroup2 tree, bpf and tracefs mounted, loopback up, and nothing else.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

kernel='' memory=1024 cpus=2 timeout=240 fetch=''
files=() modules=() variables=()
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2 ;;
	--file) files+=("$2") ;;
	--module) modules+=("$2") ;;
	--env) variables+=("$2") ;;
	--fetch) fetch=$2 ;;
	--memory) memory=$2 ;;
	--cpus) cpus=$2 ;;
	--timeout) timeout=$2 ;;
	--) break ;;
	*)
		echo "boot.sh: unknown option $1" >&2
		exit 2
		;;
	esac
	shift 2
done
if [ -z "$kernel" ] || [ $# -lt 2 ]; then
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
shift

work=$(mktemp -d "${TMPDIR:-/tmp}/kindling-guest.XXXXXX")
qemu_pid=
finish() {
	[ -z "$qemu_pid" ] || kill -KILL "$qemu_pid" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP

image=$("$here/fetch_kernels.sh" "$kernel")
release=$(basename "$image")
release=${release#linux-image-}
vmlinuz=$image/boot/vmlinuz-$release
tree=$work/tree
mkdir -p "$tree"/{bin,sbin,dev,proc,sys,tmp,run,root,etc,modules}
chmod 1777 "$tree/tmp"
cp "$(command -v busybox)" "$tree/bin/busybox"
echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
echo '127.0.0.1 localhost' >"$tree/etc/hosts"

# put HOST GUEST: copies a file and the shared libraries that the loader would map for it.
put() {
	mkdir -p "$tree$(dirname "$2")"
	cp -L "$1" "$tree$2"
	{ ldd "$1" 2>/dev/null || true; } | sed -nE 's/^\t(.* => )?(\/[^ ]+) \(0x.*/\2/p' | while read -r library; do
		if [ ! -e "$tree$library" ]; then
			mkdir -p "$tree$(dirname "$library")"
			cp -L "$library" "$tree$library"
		fi
	done
}

for file in ${files[@]+"${files[@]}"}; do
	host=${file%%:*}
	guest=${file#*:}
	case $guest in
	/*) ;;
	*) guest=$(readlink -f "$guest") ;;
	esac
	put "$host" "$guest"
done

# Modules in load order, unpacked, numbered so that the guest need not know their dependencies.
number=100
for module in ${modules[@]+"${modules[@]}"}; do
	# A module that is built in is listed as such and needs nothing.
	/sbin/modprobe -d "$image" -S "$release" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p' \
		>"$work/depends" || true
	if [ ! -s "$work/depends" ] && ! grep -q "/${module//_/[-_]}\.ko" "$image/lib/modules/$release/modules.builtin"; then
		echo "boot.sh: kernel $release has no module $module" >&2
		exit 125
	fi
	while read -r path; do
		name=$(basename "${path%%.ko*}").ko
		if compgen -G "$tree/modules/*-$name" >/dev/null; then continue; fi
		case $path in
		*.xz) xz -dc "$path" >"$tree/modules/$number-$name" ;;
		*.zst) zstd -qdc "$path" >"$tree/modules/$number-$name" ;;
		*) cp "$path" "$tree/modules/$number-$name" ;;
		esac
		number=$((number + 1))
	done <"$work/depends"
done

# ttyS0 is the kernel's console, ttyS1 the command's output, ttyS2 its exit code, ttyS3 the file asked for.
{
	echo '#!/bin/sh'
	for variable in ${variables[@]+"${variables[@]}"}; do
		printf 'export %s=%q\n' "${variable%%=*}" "${variable#*=}"
	done
	printf '%q ' "$@"
	echo
} >"$tree/command"
cat >"$tree/init" <<-'EOF'
	#!/bin/busybox sh
	/bin/busybox --install -s /bin
	export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=dumb
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev
	mkdir -p /dev/pts /dev/shm
	mount -t devpts devpts /dev/pts
	mount -t tmpfs tmpfs /dev/shm
	mount -t tmpfs tmpfs /tmp
	mount -t tmpfs tmpfs /run
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mount -t bpf bpf /sys/fs/bpf
	mount -t tracefs tracefs /sys/kernel/tracing
	ip link set lo up
	hostname guest
	ulimit -l unlimited
	ulimit -n 65536
	for port in 1 2 3; do stty -F /dev/ttyS$port raw -echo; done
	echo begun >/dev/ttyS2
	for module in /modules/*.ko; do
	    [ ! -e "$module" ] || insmod "$module" || echo "insmod $module failed"
	done
	cd /root
	sh /command </dev/null >/dev/ttyS1 2>&1
	echo "exit $?" >/dev/ttyS2
	EOF
if [ -n "$fetch" ]; then
	printf '[ ! -e %q ] || cat %q >/dev/ttyS3\n' "${fetch%%:*}" "${fetch%%:*}" >>"$tree/init"
fi
echo 'exec poweroff -f' >>"$tree/init"
chmod 755 "$tree/init" "$tree/command"
(cd "$tree" && find . -print0 | cpio --null -o -H newc --owner 0:0 2>/dev/null | gzip -1) >"$work/initramfs"

# Runs the guest until it ends or its time is over.
boot() {
	: >"$work/status"
	qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-machine q35 -accel tcg -cpu max -smp "$cpus" -m "$memory" \
		-kernel "$vmlinuz" -initrd "$work/initramfs" \
		-append "console=ttyS0 rdinit=/init panic=-1 oops=panic loglevel=5 mitigations=off" \
		-chardev file,id=console,path="$work/console" -serial chardev:console \
		-chardev stdio,id=output,signal=off -serial chardev:output \
		-chardev file,id=status,path="$work/status" -serial chardev:status \
		-chardev file,id=fetched,path="$work/fetched" -serial chardev:fetched \
		</dev/null &
	qemu_pid=$!

	deadline=$((SECONDS + timeout))
	while kill -0 "$qemu_pid" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
		read -r -t 0.1 <> <(:) || true
	done
	timed_out=
	if kill -0 "$qemu_pid" 2>/dev/null; then
		timed_out=1
		kill -KILL "$qemu_pid"
	fi
	wait "$qemu_pid" 2>/dev/null || true
	qemu_pid=
}

boot
# It happened once in many runs that a guest ended while it started: that says nothing of the command.
if [ -z "$timed_out" ] && ! grep -q ^begun "$work/status"; then
	echo "boot.sh: the guest ended before it began, and is booted once more; its console ends:" >&2
	tail -n 20 "$work/console" >&2
	boot
fi

code=$(sed -n 's/^exit \([0-9]*\).*/\1/p' "$work/status" | tail -1)
if [ -z "$code" ]; then
	echo "boot.sh: no exit code from the guest; its console ends:" >&2
	tail -n 60 "$work/console" >&2
	[ -z "$timed_out" ] || exit 124
	exit 125
fi
if [ -n "$fetch" ] && [ -s "$work/fetched" ]; then
	cp "$work/fetched" "${fetch#*:}"
fi
exit "$code"
