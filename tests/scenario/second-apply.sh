#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What apply does is what its dry run says; doing it again does nothing; it outlives a reboot; and no private key gets
# into anything that migprep writes.
# shellcheck disable=SC2016 # filters of jq have variables of their own
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq
hosts=(compute1 compute2 compute3)
lab_up 3

whole() {
	local host
	for host in "${hosts[@]}"; do
		on "$host" sh -c 'hostname; find /etc /root /var/lib/nova -printf "%p %i %T@ %C@ %U:%G %m %s\n" | sort
			nft -s -a list ruleset; cat /proc/sys/net/ipv4/ip_local_reserved_ports /run/libvirtd.pid'
	done
}

# The changes of a report, a line each, by this filter over hosts.
changes() { # JQ-FILTER
	jq -r ".hosts[] | .name as \$host | $1 | .changes[] | \"\(\$host) \(\$resource) \(.what): \(.before) -> \(.after)\"" "$JSON" | sort
}
# Keys that do not exist yet cannot be foretold.
blur() { sed -E 's/-> (the key that apply makes there|ssh-ed25519 SHA256:.*)$/-> a key/'; }

# Puts what the last run has printed and reported aside.
keep() {
	kept=$((${kept:-0} + 1))
	mkdir -p "$WORK/written/$kept"
	cp "$OUT" "$ERR" "$JSON" "$WORK/junit.xml" "$WORK/written/$kept"
}

# ---- the dry run ----

before=$(whole)
run_migprep apply --dry-run --verbose --report "junit:$WORK/junit.xml"
keep
expect_status 2 "a dry run exits as check does"
expect_json "a dry run says that it was one, and that nothing was changed" '.dry_run and .summary.applied.total == 0'
expect_same "a dry run has touched nothing" "$(whole)" "$before"
foretold=$(changes '.results[] | select(.status == "drift") | .id as $resource')
expect_same "nothing was journalled" "$(on compute1 sh -c 'find /var/lib/migprep/journal -type f 2>/dev/null | wc -l')" 0

run_migprep apply --verbose --report "junit:$WORK/junit.xml"
keep
expect_status 0 "apply exits 0"
applied=$(changes '.applied[] | .resource as $resource')
expect_same "apply has changed what the dry run said, on every host, and nothing else" \
	"$(blur <<<"$applied")" "$(blur <<<"$foretold")"
expect_same "libvirt was restarted once on each host" \
	"$(grep ' libvirt-restart ' <<<"$applied" | cut -d' ' -f1)" "$(printf '%s\n' "${hosts[@]}")"

# ---- again ----

before=$(whole)
for command in apply "apply --dry-run" check; do
	# shellcheck disable=SC2086 # two words
	run_migprep $command
	expect_status 0 "$command on hosts in order exits 0"
	expect_json "$command on hosts in order has no change to tell" \
		'.summary.applied.total == 0 and ([.hosts[].results[].changes | arrays[]] == [])'
done
expect_same "none of them has touched anything" "$(whole)" "$before"

# One thing goes wrong by hand: apply mends that, and nothing else moves.
on compute2 sed -i 's/^live_migration_scheme.*/live_migration_scheme = tcp/' /etc/nova/nova.conf
before=$(whole)
run_migprep apply compute2
expect_status 0 "apply of one host exits 0"
expect_same "it has changed that one option" "$(changes '.applied[] | .resource as $resource')" \
	"compute2 nova-conf /etc/nova/nova.conf [libvirt] live_migration_scheme: tcp -> ssh"
expect_same "of all files only that one, and its directory, is another" \
	"$(comm -13 <(sort <<<"$before") <(sort <<<"$(whole)") | cut -d' ' -f1)" "/etc/nova"$'\n'"/etc/nova/nova.conf"

# ---- what it leaves behind ----

# Every line of every private key, but the first ones, which are the same in all of them, and what is its public half.
for host in "${hosts[@]}"; do
	on "$host" sh -c 'cat /root/.ssh/id_*.pub /var/lib/nova/.ssh/id_*.pub /etc/ssh/ssh_host_*_key.pub; echo
		cat /root/.ssh/id_* /var/lib/nova/.ssh/id_* /etc/ssh/ssh_host_*_key'
done | awk '/ / { public = public " " $2; next }
	length > 40 && !/b3BlbnNzaC1rZXktdjE/ && !index(public, $0)' >"$WORK/secrets"
with_secrets() { # DIR: files with a line of a private key
	(cd "$1" && { grep -rlFf "$WORK/secrets" . || [ $? = 1 ]; })
}
run_migprep facts
mkdir "$WORK/written/facts"
cp "$OUT" "$ERR" "$WORK/written/facts"
for host in "${hosts[@]}"; do
	mkdir "$WORK/written/$host"
	on "$host" tar -C / -c var/lib/migprep/journal var/log root/.ssh/id_ed25519 | tar -C "$WORK/written/$host" -x
done
expect_same "no line of a private key is in a report, a log or the journal, but in the key file itself" \
	"$(with_secrets "$WORK/written" | sort)" "$(printf './%s/root/.ssh/id_ed25519\n' "${hosts[@]}")"

# ---- a reboot ----

for host in "${hosts[@]}"; do
	lab stop "$host"
	lab start "$host"
	# The lab's boot loads the packet filter but no sysctl.d.
	on "$host" sysctl -q -p /etc/sysctl.d/60-migprep.conf
done
run_migprep check
expect_status 0 "all is in order after a reboot"
expect_only ok skip
run_migprep apply
expect_json "apply has nothing to do after a reboot" '.summary.applied.total == 0'
lab_down
plan
