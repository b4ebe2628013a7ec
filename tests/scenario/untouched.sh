#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `check` over hosts as a deployment leaves them: it lists the drift, exits 2, and changes nothing.
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq
lab_up 2

before=$(fingerprint compute1)$'\n'$(fingerprint compute2)
run_migprep check
expect_status 2 "check finds drift"
expect_json "both hosts were reached" '[.hosts[] | select(.reached)] | length == 2'
for host in compute1 compute2; do
	expect_finding "$host" nova-shell drift nologin
	expect_finding "$host" ssh-keys drift
	expect_finding "$host" libvirt-running ok
done
expect_finding cluster nova-ids-equal ok
expect_finding compute1 nfs-export drift
expect_finding compute2 nfs-mount drift
expect_same "check has changed nothing" "$(fingerprint compute1)"$'\n'"$(fingerprint compute2)" "$before"
expect_same "the text report has the verdict too" "$(grep -c nologin "$OUT")" 1

lab stop compute2
run_migprep check
expect_status 4 "a host that is down costs exit status 4, no more"
expect_json "the other one was looked at" '.hosts[] | select(.name == "compute1") | .reached'
expect_finding compute2 host-reach fail 'no answer|[Nn]o route|unreachable'
lab_down
plan
