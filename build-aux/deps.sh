#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian packages that migprep needs, as far as they are missing, without a question.
# usage: deps.sh [--print] runtime|build|test...
set -euo pipefail

# A word with | is satisfied by the first of its packages that the release has.
declare -A lists=(
	[runtime]="libssh2-1|libssh2-1t64 libvirt0 libnftnl11 libmnl0 libselinux1 libjansson4 libinih1
		libgnutls30|libgnutls30t64 libnettle8|libnettle8t64 openssh-client tar"
	[build]="gcc libc6-dev make autoconf automake pkg-config|pkgconf binutils tar gawk|mawk
		libssh2-1-dev libvirt-dev libnftnl-dev libmnl-dev libselinux1-dev libjansson-dev
		libinih-dev libgnutls28-dev nettle-dev libcmocka-dev"
	[test]="openssh-server openssh-client iptables tcsh acl perl libvirt-daemon-system libvirt-clients qemu-system-x86
		nftables iproute2 util-linux procps dpkg netcat-openbsd kmod jq strace time libxml2-utils
		shellcheck mandoc universal-ctags clang-format-14|clang-format git"
)

die() {
	echo "deps.sh: $*" >&2
	exit 1
}

print=
if [ "${1-}" = --print ]; then
	print=1
	shift
fi
[ $# -gt 0 ] || die "say which: runtime, build, test"
words=()
for list in "$@"; do
	[ -n "${lists[$list]-}" ] || die "no list '$list'; there are: runtime, build, test"
	read -ra more <<<"$(tr -s '\n\t' '  ' <<<"${lists[$list]}")"
	words+=("${more[@]}")
done
if [ -n "$print" ]; then
	printf '%s\n' "${words[@]}" | sort -u
	exit
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	die "this installs on Debian only; install these by hand: ${words[*]}"
fi

installed() { # PACKAGE
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

known() { # PACKAGE: does apt know a version to install?
	apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

# Prints what is missing, with the alternatives decided.
missing() {
	local word p
	for word in "${words[@]}"; do
		for p in ${word//|/ }; do
			! installed "$p" || continue 2
		done
		for p in ${word//|/ }; do
			if known "$p"; then
				echo "$p"
				continue 2
			fi
		done
		echo "${word%%|*}"
	done | sort -u
}

mapfile -t todo < <(missing)
[ ${#todo[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || die "run as root, or let an administrator run: apt-get install ${todo[*]}"

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
	rm -f "$log"
	[ -z "$made_policy" ] || rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

apt() {
	# The lock is waited for: other package managers run on a fresh machine.
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1 </dev/null
}

fail() { # TEXT
	tail -n 15 "$log" >&2
	die "$1"
}

echo "installing ${#todo[@]} packages: ${todo[*]}"
apt update || fail "the package lists could not be fetched; this machine needs a Debian mirror \
(network, /etc/apt/sources.list, proxy)"
mapfile -t todo < <(missing)
# sshd and libvirtd are for the lab's hosts: their packages must not start them on this machine.
if [ ! -e "$policy" ]; then
	made_policy=1
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 0755 "$policy"
fi
apt install --no-install-recommends "${todo[@]}" || fail "the packages could not be installed (above)"
