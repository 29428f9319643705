#!/bin/sh
# SPDX-License-Identifier: MIT
# Sees that what a group of configs/packages names is installed, and installs what is missing.
#
# usage: deps.sh GROUP...
#
# Installs with apt as root, or through sudo where it asks for no password; otherwise prints the
# command to be typed and fails. Silent when nothing is missing. All it says goes to stderr.
set -u
here=$(dirname "$0")

# One at a time: make may ask for several groups at once.
if [ "${DEPS_LOCKED:-}" != "$0" ] && command -v flock >/dev/null; then
	DEPS_LOCKED=$0 exec flock "$here/packages" sh "$0" "$@"
fi

present() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	file:*) [ -e "${1#file:}" ] ;;
	py:*) /usr/bin/python3 -c "import ${1#py:}" >/dev/null 2>&1 ;;
	esac
}

absent=
for group in "$@"; do
	while read -r g probe packages; do
		[ "$g" = "$group" ] || continue
		present "$probe" || absent="$absent $packages"
	done <"$here/packages"
done
[ -n "$absent" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "This machine has no apt. Install what these Debian packages hold:$absent" >&2
	exit 1
fi

# The first of `a|b` that apt knows.
known() {
	for p in $(echo "$1" | tr '|' ' '); do
		if apt-cache show "$p" >/dev/null 2>&1; then
			echo "$p"
			return
		fi
	done
	echo "${1%%|*}"
}

names() {
	list=
	for p in $absent; do
		list="$list $(known "$p")"
	done
	echo "$list"
}

if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	as_root="sudo -n"
else
	echo "Some packages are missing and this is not root. Please type:" >&2
	echo "  sudo apt-get update && sudo apt-get install --no-install-recommends -y$(names)" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
	"$@" >"$log" 2>&1 </dev/null && return
	cat "$log" >&2
	echo "This failed: $*" >&2
	exit 1
}

echo "Looking for packages ..." >&2
quietly $as_root apt-get update
list=$(names)
echo "Installing:$list" >&2
quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get \
	-o DPkg::Lock::Timeout=600 install --no-install-recommends -y $list

for group in "$@"; do
	while read -r g probe packages; do
		[ "$g" = "$group" ] || continue
		if ! present "$probe"; then
			echo "'$packages' was installed, but ${probe#*:} is still not there." >&2
			exit 1
		fi
	done <"$here/packages"
done
