#!/bin/sh
# Packs the agent with the libraries it needs beside it (not glibc's own, which every host has and which must
# match its loader), reproducibly, and writes SHA256SUMS of the members.
# usage: bundle-agent.sh PROGRAM OUT.tar OUT.sums
set -eu
prog=$1 tar=$2 sums=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/agent"
cp "$prog" "$tmp/agent/migprep-agent"
strip --strip-debug "$tmp/agent/migprep-agent"
ldd "$prog" >"$tmp/ldd"
if grep 'not found' "$tmp/ldd" >&2; then
	echo "bundle-agent: a library of $prog is missing; install it" >&2
	exit 1
fi
awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' "$tmp/ldd" | while read -r name path; do
	case $name in
	libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | librt.so.* | libresolv.so.* | ld-linux*) ;;
	*) cp -L "$path" "$tmp/agent/$name" ;;
	esac
done
chmod 0700 "$tmp"/agent/*
(cd "$tmp/agent" && LC_ALL=C sha256sum -- *) >"$sums.tmp"
# Members are named one by one: an entry for "." would set the mode of the directory on the host.
(cd "$tmp/agent" && LC_ALL=C tar --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar -cf - -- *) >"$tar.tmp"
mv "$tar.tmp" "$tar"
mv "$sums.tmp" "$sums"
