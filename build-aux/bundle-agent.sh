#!/bin/sh
# Packs the agent with the libraries it needs beside it (not glibc's own, which every host has and which must
# match its loader), reproducibly, and writes SHA256SUMS of the members.
# usage: bundle-agent.sh PROGRAM OUT.tar OUT.sums
set -eu
prog=$1 tar=$2 sums=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp "$prog" "$tmp/migprep-agent"
strip --strip-debug "$tmp/migprep-agent"
ldd "$prog" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | while read -r name path; do
	case $name in
	libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | librt.so.* | libresolv.so.* | ld-linux*) ;;
	*) cp -L "$path" "$tmp/$name" ;;
	esac
done
chmod 0755 "$tmp"/*
(cd "$tmp" && LC_ALL=C sha256sum -- *) >"$sums.tmp"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar -C "$tmp" -cf "$tar.tmp" .
mv "$tar.tmp" "$tar"
mv "$sums.tmp" "$sums"
