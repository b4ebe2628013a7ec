#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# --local on a host itself, as configuration management runs it: no terminal, no HOME, umask 077, no SSH. Only that host is
# looked at and changed.
# shellcheck disable=SC2016 # expanded on the host
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq strace
lab_up 2
lab inventory >"$INVENTORY"
# sshd and ssh are of no use here: that they are not needed is part of the trial.
tar -cf - -C "$MIGPREP_BUILD" migprep migprep-agent migprep-agent.tar SHA256SUMS -C "$SRCDIR" profiles |
	on compute2 sh -c 'mkdir /opt/migprep && tar -xf - -C /opt/migprep'
on compute2 sh -c 'mkdir /etc/migprep && cat >/etc/migprep/inventory.ini' <"$INVENTORY"

# Runs it there with an environment of nothing but what is needed; $JSON is its report.
run_local() { # ARG...
	STATUS=0
	on compute2 rm -f /run/report.json
	on compute2 sh -c 'umask 077; cd /; exec env -i PATH=/usr/bin:/bin MIGPREP_AGENT_DIR=/opt/migprep \
		MIGPREP_PROFILE_PATH=/opt/migprep/profiles ASAN_OPTIONS="$1" UBSAN_OPTIONS="log_path=/var/log/sanitizer/ubsan" \
		setsid --wait sh -c "shift; exec \"\$@\"" sh "$@" </dev/null' sh \
		"log_path=/var/log/sanitizer/asan:$asan_more" "${prefix[@]}" /opt/migprep/migprep --local --report json:/run/report.json "$@" \
		>"$OUT" 2>"$ERR" || STATUS=$?
	on compute2 sh -c '[ ! -e /run/report.json ] || cat /run/report.json' >"$JSON"
}
prefix=() asan_more=

peer=$(fingerprint compute1)
before=$(fingerprint compute2)
run_local check
expect_status 2 "--local check on a fresh host finds drift"
expect_finding compute2 nova-shell drift nologin
expect_json "this host is judged, and no other" '[.hosts[] | select((.results // []) | length > 0) | .name] == ["compute2"]'
expect_same "and changes nothing" "$(fingerprint compute2)" "$before"

# As a grandchild: it stays with the restarted libvirtd when migprep has ended.
prefix=(strace -D -f -qq -e 'trace=execve,connect' -o /run/calls) asan_more=detect_leaks=0
run_local apply
expect_status 0 "--local apply brings it into line"
expect_json "something was changed" '.summary.applied.total > 5'
on compute2 sh -c 'kill "$(pgrep -x strace)"; cat /run/calls' >"$WORK/calls"
expect_same "no ssh is run and nothing on the network is connected to" \
	"$(grep -E 'execve\("[^"]*/(ssh|scp|sftp)"|AF_INET6?,.*sin6?_port=htons\([1-9]' "$WORK/calls" || [ $? = 1 ])" ""
expect_same "the witness has seen the agent and ssh-keygen" \
	"$(grep -oE 'execve\("[^"]*/(migprep-agent|ssh-keygen)"' "$WORK/calls" | sed 's/.*\///' | sort -u)" $'migprep-agent"\nssh-keygen"'
prefix=() asan_more=

expect_same "the umask of the caller shows in no mode" \
	"$(on compute2 stat -c '%a %U %n' /root/.ssh/known_hosts /root/.ssh/id_ed25519.pub /etc/nftables.d/migprep.nft /etc/sysctl.d/60-migprep.conf /etc/nova/nova.conf /etc/fstab /var/lib/nova/instances)" \
"644 root /root/.ssh/known_hosts
644 root /root/.ssh/id_ed25519.pub
644 root /etc/nftables.d/migprep.nft
644 root /etc/sysctl.d/60-migprep.conf
640 root /etc/nova/nova.conf
644 root /etc/fstab
751 nova /var/lib/nova/instances"
before=$(fingerprint compute2)
run_local apply
expect_status 0 "a second --local apply exits 0"
expect_json "and has nothing to change" '.summary.applied.total == 0'
expect_same "not an inode, not a rule" "$(fingerprint compute2)" "$before"
run_local check
expect_status 0 "--local check is content"
expect_same "the other host was never touched" "$(fingerprint compute1)" "$peer"

# ---- what it says when it cannot know which host it is ----

run_local check compute1 compute2
expect_same "two hosts are no local one" "$STATUS $(grep -c 'exactly one host, not 2' "$ERR")" "1 1"
on compute2 hostname elsewhere
run_local check
expect_same "a machine that no host is named after: exit status 1, and how to name it" \
	"$STATUS $(grep -c "'elsewhere', which is no host.*--local check HOST" "$ERR")" "1 1"
run_local check compute2
expect_finding compute2 host-reach ok
expect_finding compute2 ssh-known-hosts ok # a name that the inventory does not have is not taken on the host's word
on compute2 hostname compute2
on compute2 sh -c 'chmod 0755 /opt /opt/migprep /opt/migprep/* && chmod -R a+rX /opt/migprep /etc/migprep'
STATUS=0
on compute2 setpriv --reuid nova --clear-groups --regid nova env MIGPREP_AGENT_DIR=/opt/migprep MIGPREP_PROFILE_PATH=/opt/migprep/profiles \
	/opt/migprep/migprep --local --report json:- check >"$JSON" 2>"$ERR" || STATUS=$?
expect_status 4 "without root the host counts as unreachable"
expect_finding compute2 host-reach fail 'needs root.*[Rr]un migprep as root'

# The whole job comes after: what --local made is what the controller wants, peers apart.
run_migprep apply compute1
expect_status 0 "the controller brings the other host into line"
run_migprep check
expect_finding compute2 ssh-authorized drift compute1 # --local could not know its peer's keys
run_migprep apply
expect_status 0 "together they are in order"
lab_down
plan
