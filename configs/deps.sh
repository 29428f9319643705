#!/bin/sh
# SPDX-License-Identifier: MIT
# Sees that what a group of configs/packages names is installed, and installs what is missing.
#
# usage: [TOOL_GROUPS='GROUP...'] deps.sh GROUP...
#
# Where something of the groups is missing, what is missing of TOOL_GROUPS comes along.
#
# Installs with apt as root or through sudo, which may ask for a password on a terminal only;
# otherwise prints the command to be typed and fails. Silent when nothing is missing. All it says
# goes to stderr.
set -u
here=$(dirname "$0")

# One at a time: make may ask for several groups at once.
if [ "${DEPS_LOCKED:-}" != "$0" ] && command -v flock >/dev/null; then
	DEPS_LOCKED=$0 exec flock "$here/packages" sh "$0" "$@"
fi

# What QEMU= and BIOS= name is used instead of the packages' own.
present() {
	case $1 in
	cmd:qemu-system-riscv64) [ -n "${QEMU:-}" ] || command -v "${1#cmd:}" >/dev/null ;;
	file:*opensbi*) [ "${BIOS:-default}" != default ] || [ -e "${1#file:}" ] ;;
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	file:*) [ -e "${1#file:}" ] ;;
	py:*) /usr/bin/python3 -c "import ${1#py:}" >/dev/null 2>&1 ;;
	esac
}

# Sets `absent`, each package once.
look() {
	absent=
	for group in "$@"; do
		while read -r g probe packages; do
			[ "$g" = "$group" ] && ! present "$probe" || continue
			case "$absent " in *" $packages "*) ;; *) absent="$absent $packages" ;; esac
		done <"$here/packages"
	done
}

look "$@"
[ -n "$absent" ] || exit 0
# All that make was asked for in one go, not group by group.
look "$@" ${TOOL_GROUPS:-}

if ! command -v apt-get >/dev/null; then
	echo "This machine has no apt. Install what these Debian packages hold:$absent" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
own_state=

# The first of `a|b` that apt knows.
known() {
	for p in $(echo "$1" | tr '|' ' '); do
		if apt-cache $own_state show "$p" >/dev/null 2>&1; then
			echo "$p"
			return
		fi
	done
	echo "${1%%|*}"
	return 1
}

# Sets `list`; fails where apt knows none of `a|b`.
choose() {
	list= sure=0
	for p in $absent; do
		list="$list $(known "$p")" || case $p in *\|*) sure=1 ;; esac
	done
	return $sure
}

# A fresh machine's apt knows no package before its first update; one in a folder of our own needs
# no root.
look_by_ourselves() {
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	own_state="-o Dir::State::lists=$work/lists -o Dir::Cache=$work/cache"
	apt-get $own_state update >/dev/null 2>&1 </dev/null
}

refuse() {
	choose || { look_by_ourselves; choose; }
	install="apt-get install --no-install-recommends -y$list"
	echo "Some packages are missing and this user may not install them. Please type:" >&2
	if command -v sudo >/dev/null; then
		echo "  sudo apt-get update && sudo $install" >&2
	else
		echo "  su -c 'apt-get update && $install'" >&2
	fi
	exit 1
}

if [ "$(id -u)" = 0 ]; then
	as_root=
elif ! command -v sudo >/dev/null; then
	refuse
elif sudo -n true 2>/dev/null; then
	as_root="sudo -n"
elif [ -t 0 ] && [ -t 2 ]; then
	echo "Some packages are missing; sudo asks for your password to install them." >&2
	sudo -v || refuse
	as_root=sudo
else
	refuse
fi

# `apt-get update` does not wait by itself for the one that the machine runs now and then.
update() {
	for turn in $(seq 120); do
		$as_root env LC_ALL=C apt-get update >"$log" 2>&1 </dev/null && return
		grep -q 'Could not get lock' "$log" || break
		[ "$turn" -ne 1 ] || echo "Waiting for another apt to end ..." >&2
		sleep 5
	done
	# Perhaps one source of several is broken: what is known may do.
	cat "$log" >&2
	echo "This failed: apt-get update. Trying with what apt knows." >&2
}

echo "Looking for packages ..." >&2
update
choose
echo "Installing:$list" >&2
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install \
	--no-install-recommends -y $list >"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	echo "This failed: apt-get install$list" >&2
	exit 1
fi

for group in "$@"; do
	while read -r g probe packages; do
		[ "$g" = "$group" ] || continue
		if ! present "$probe"; then
			echo "'$packages' was installed, but ${probe#*:} is still not there." >&2
			exit 1
		fi
	done <"$here/packages"
done
