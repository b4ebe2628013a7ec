#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# libvirt is not restarted under a guest on the move: neither where it leaves nor where it comes to, which libvirt tells
# in different ways. The move goes on to its end; after that, apply restarts.
# shellcheck disable=SC2016,SC2317 # a host's shell expands it; wait_until calls what it is given
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq

daemons() { for i in 1 2; do on "compute$i" cat /run/libvirtd.pid; done; }
reason() { on "$1" virsh -q domstate slow --reason; }
moved() { on compute1 test -s /run/move.status; }

lab_up 2
run_migprep apply
expect_status 0 "two hosts are in order"

# Memory that does not compress to nothing, put there by QEMU itself: 32 MiB at 1 MiB/s.
for i in 1 2; do
	on "compute$i" sh -c 'openssl enc -aes-128-ctr -nosalt -pass pass:x -in /dev/zero 2>/dev/null | head -c 33554432 >/run/noise'
done
on compute1 virsh -q create /dev/stdin >/dev/null <<-'XML'
	<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		<name>slow</name>
		<memory unit='MiB'>96</memory>
		<os><type arch='x86_64' machine='pc'>hvm</type></os>
		<devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
		<qemu:commandline>
			<qemu:arg value='-device'/>
			<qemu:arg value='loader,file=/run/noise,addr=0x2000000,force-raw=on'/>
		</qemu:commandline>
	</domain>
XML
before=$(daemons)
for i in 1 2; do
	on "compute$i" touch /etc/libvirt/qemu.conf
done
on compute1 sh -c 'setsid sh -c "virsh migrate --live --p2p --bandwidth 1 slow qemu+ssh://compute2/system >/run/move.log 2>&1
	echo \$? >/run/move.status" </dev/null >/dev/null 2>&1 &'
try "the guest's memory comes to compute2" wait_until 30 on compute2 sh -c 'virsh -q domstate slow --reason | grep -q paused'
diag "on compute2: $(reason compute2), $(on compute2 virsh -q domjobinfo slow 2>&1)"

run_migprep apply
expect_status 6 "apply is refused while the guest is on the move"
for i in 1 2; do
	expect_json "compute$i: the reason names the guest" ".hosts[] | select(.name == \"compute$i\") | .applied | length == 1 and
		(.[0] | .resource == \"libvirt-restart\" and
			(.error | tostring | test(\"guest slow is in the middle of a migration .* libvirt is not restarted, run apply again\")))"
done
expect_same "no daemon was restarted" "$(daemons)" "$before"
try "the guest was on the move all the while" not moved

on compute1 virsh -q migrate-setspeed slow 1000
try "the move comes to its end" wait_until 30 moved
expect_same "it went well" "$(on compute1 cat /run/move.status /run/move.log)" "0"
expect_same "the guest runs on compute2" "$(on compute2 virsh -q domstate slow | head -n 1)" running

run_migprep apply
expect_status 0 "apply restarts libvirt when the guest has arrived"
expect_same "both daemons are others now" "$(comm -12 <(sort <<<"$before") <(daemons | sort))" ""
expect_same "the guest runs on" "$(on compute2 virsh -q domstate slow | head -n 1)" running
on compute2 virsh -q destroy slow >/dev/null
lab_down
plan
