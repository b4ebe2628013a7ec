#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# An inventory with two addresses interchanged, and one with a machine in it twice: nothing is changed on those hosts, and
# nothing about them is written on others.
# shellcheck disable=SC2016 # a host's shell expands it
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq

traces() { # NAME|NAME...: lines of compute3's SSH files that name these
	on compute3 sh -c 'cat /root/.ssh/* /var/lib/nova/.ssh/* 2>/dev/null; true' | grep -E "($1)[,. ]" || [ $? = 1 ]
}

inventory() { # NAME ADDRESS [NAME ADDRESS...]
	printf '[defaults]\nssh_user = root\nroles = compute\n[profile]\nname = nova-nfs\n'
	printf '[host compute3]\naddress = 10.77.0.3\nroles = compute nfs\n'
	printf '[host %s]\naddress = %s\n' "$@"
}

lab_up 3
inventory compute1 10.77.0.2 compute2 10.77.0.1 >"$INVENTORY"
before=$(fingerprint compute1; fingerprint compute2)
run_migprep apply
expect_status 3 "interchanged: apply is not in order (the third resolves their names to other addresses)"
expect_finding compute1 host-reach fail '^compute1 host-reach fail 10\.77\.0\.2 answers as compute2, which is another host'
expect_finding compute2 host-reach fail '^compute2 host-reach fail 10\.77\.0\.1 answers as compute1, which is another host'
expect_same "interchanged: nothing was changed on them" "$(fingerprint compute1; fingerprint compute2)" "$before"
expect_json "interchanged: the third was changed" '[.hosts[] | select(.applied | length > 0) | .name] == ["compute3"]'
expect_same "interchanged: its SSH files have nothing about them" "$(traces 'compute1|compute2|10\.77\.0\.1|10\.77\.0\.2')" ""
run_migprep mesh
expect_json "interchanged: mesh tries none of their pairs" 'all(.pairs[]; .tried | not)'

# compute2 by its other address is no other machine; its name is none of the inventory's.
on compute2 hostname node17
inventory alpha 10.77.0.2 beta 10.78.0.2 >"$INVENTORY"
before=$(fingerprint compute2)
run_migprep apply
expect_status 3 "twice: apply is not in order (nobody resolves those names)"
for name in alpha beta; do
	expect_finding "$name" host-reach fail 'alpha,beta are one machine'
done
expect_same "twice: nothing was changed on it" "$(fingerprint compute2)" "$before"
expect_same "twice: the third has nothing about it" "$(traces 'alpha|beta|node17|10\.7[78]\.0\.2')" ""

on compute2 hostname compute2
inventory compute1 10.77.0.1 compute2 10.77.0.2 >"$INVENTORY"
run_migprep apply
expect_status 0 "with the inventory mended, apply changes all"
expect_finding compute1 host-reach ok
expect_finding compute2 host-reach ok
lab_down
plan
