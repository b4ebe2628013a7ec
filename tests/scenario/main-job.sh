#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The main job on five hosts as a deployment leaves them: check lists the drift, apply mends it and then finds nothing to
# do, every directed pair is tried, a guest goes round the ring. What migprep says is then tried without it: with ssh,
# nft, nc and virsh. At the end the whole job in one command, on two other fresh hosts.
# shellcheck disable=SC2016 # filters of jq have variables of their own, and so has a host
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq nc xmllint virsh

hosts=(compute1 compute2 compute3 compute4 compute5)
ssh=(ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20)

ok_report() { # DESCRIPTION
	local problems
	problems=$(jq -rf "$SRCDIR/tests/lib/report.jq" "$JSON" 2>&1) || problems+=" (jq failed)"
	expect_same "$1: the JSON report is as migprep(1) documents it" "$problems" ""
}

# Inode, times, owner and mode of everything that is configured, the rules with their handles, and libvirt's process.
whole() {
	local host
	for host in "${hosts[@]}"; do
		on "$host" sh -c 'hostname; find /etc /root /var/lib/nova -printf "%p %i %T@ %C@ %U:%G %m %s\n" | sort
			nft -s -a list ruleset; cat /proc/sys/net/ipv4/ip_local_reserved_ports /run/libvirtd.pid'
	done
}

# ---- as a deployment leaves them ----

lab_up 5
before=$(whole)
run_migprep check --report "junit:$WORK/junit.xml"
expect_status 2 "check of untouched hosts exits 2"
ok_report "check"
try "check: the JUnit report is XML" xmllint --noout "$WORK/junit.xml"
expect_same "check: the JUnit report counts the drift as failures" \
	"$(xmllint --xpath 'count(//failure)' "$WORK/junit.xml")" "$(jq .summary.statuses.drift "$JSON")"
expected() {
	local host id
	for host in "${hosts[@]}"; do
		for id in idmapd-conf instances-dir libvirt-restart migration-ports nova-conf nova-shell qemu-conf reserved-ports \
			ssh-authorized ssh-keys ssh-known-hosts "$([ "$host" = compute1 ] && echo nfs-export || echo nfs-mount)"; do
			echo "$host $id drift"
		done
	done
}
expect_same "check lists this drift on each host, and nothing else that is not in order" \
	"$(findings | cut -d' ' -f1-3 | grep -vE ' (ok|skip)$' | sort)" "$(expected | sort)"
expect_same "check has touched nothing" "$(whole)" "$before"
try "before apply, root cannot log in from host to host" not on compute4 "${ssh[@]}" root@compute5 true

# ---- apply, twice ----

run_migprep apply --report "junit:$WORK/junit.xml"
expect_status 0 "apply exits 0"
ok_report "apply"
expect_only ok skip
try "apply: the JUnit report is XML" xmllint --noout "$WORK/junit.xml"
expect_same "apply: the JUnit report has no failure" "$(xmllint --xpath 'count(//failure)' "$WORK/junit.xml")" 0
expect_same "apply has mended what check listed" \
	"$(jq -r '.hosts[] | .name as $h | .applied[] | select(.error == null) | "\($h) \(.resource) drift"' "$JSON" | sort)" \
	"$(expected | sort)"

before=$(whole)
run_migprep apply
expect_status 0 "a second apply exits 0"
expect_json "a second apply says that it changed nothing" '.summary.applied.total == 0'
expect_same "a second apply has touched nothing: inodes, times, rules, processes" "$(whole)" "$before"
run_migprep check
expect_status 0 "check exits 0 after apply"
expect_only ok skip

# ---- pairs and moves ----

run_migprep mesh
expect_status 0 "mesh exits 0"
ok_report "mesh"
expect_json "mesh has tried all 20 directed pairs" \
	'[.pairs[] | select(.tried and .ok) | [.source, .target]] | unique | length == 20 and all(.[]; .[0] != .[1])'
expect_json "mesh: each pair by four names as root and as nova, and both ends of the range at the migration address" \
	'all(.pairs[]; (.target | ltrimstr("compute")) as $n
		| [.trials[] | "\(.kind) \(.user) \(.target)"] | sort
		| .[0:8] == ([("root", "nova") as $u | "compute\($n)", "compute\($n).lab.example", "10.77.0.\($n)", "10.78.0.\($n)"
			| "ssh \($u) \(.)"] | sort)
		and .[8:] == ["tcp null 10.78.0.\($n):49152", "tcp null 10.78.0.\($n):49261"])'

guests() { # what tells of a guest on a host
	local host
	for host in "${hosts[@]}"; do
		on "$host" sh -c 'hostname; virsh -q list --all; pgrep -a qemu-system; find /run/libvirt/qemu /var/lib/libvirt/qemu /etc/libvirt/qemu' |
			sort
	done
}
before=$(guests)
run_migprep verify
expect_status 0 "verify exits 0"
ok_report "verify"
expect_json "verify: five moves, all ok" '[.moves[].outcome] == ["ok", "ok", "ok", "ok", "ok"]'
expect_json "verify: each host is source once and target once" \
	'([.moves[].source] | unique | length) == 5 and ([.moves[].target] | unique | length) == 5'
expect_json "verify: the guest goes on from where it came to, round to where it began" \
	'[.moves[1:][].source] == [.moves[:-1][].target] and .moves[0].source == .moves[-1].target'
expect_json "verify: each move was measured, and ended where it should" \
	'all(.moves[]; .total_ms > 0 and .downtime_ms > 0 and .downtime_ms <= .total_ms and .running_on == .target)'
expect_same "verify leaves nothing of a guest anywhere" "$(guests)" "$before"

# ---- the same without migprep ----

for i in 1 2 3 4 5; do
	peer=compute$((i % 5 + 1))
	expect_same "compute$i: root logs in to $peer" "$(on "compute$i" "${ssh[@]}" "root@$peer" hostname 2>&1)" "$peer"
	expect_same "compute$i: nova logs in to $peer.lab.example" \
		"$(on "compute$i" runuser -u nova -- "${ssh[@]}" "nova@$peer.lab.example" 'id -un; hostname' 2>&1)" \
		"nova"$'\n'"$peer"
done
for name in compute3 compute3.lab.example 10.77.0.3 10.78.0.3; do
	expect_same "ssh-keygen finds under $name what compute3 has" \
		"$(on compute1 ssh-keygen -F "$name" -f /var/lib/nova/.ssh/known_hosts | awk '!/^#/ { print $2, $3 }' | sort)" \
		"$(on compute3 sh -c 'cat /etc/ssh/ssh_host_*_key.pub' | cut -d' ' -f1,2 | sort)"
done

listen() { # HOST PORT
	on "$1" sh -c "setsid nc -l -k $2 </dev/null >/dev/null 2>&1 & echo \$! >>/run/listeners"
	wait_until 20 on "$1" sh -c "ss -Hltn sport = :$2 | grep -q ."
}
try "nft takes the rules that the host loads at boot" on compute2 nft -f /etc/nftables.conf
listen compute2 49152
listen compute2 49261
listen compute2 49262
for port in 49152 49261; do
	try "after that, a peer reaches port $port" on compute1 nc -z -w 10 10.78.0.2 "$port"
	try "after that, a peer reaches port $port from its other address" on compute1 nc -z -w 10 10.77.0.2 "$port"
done
try "a port beyond the range stays closed" not on compute1 nc -z -w 1 10.78.0.2 49262
try "the range stays closed to who is no host of the inventory" not ctl nc -z -w 1 10.77.0.2 49152
on compute2 sh -c 'kill $(cat /run/listeners)'
run_migprep check compute2
expect_status 0 "check exits 0 after nft has loaded the rules again"

on compute4 virsh -q create /dev/stdin >/dev/null <<-'XML'
	<domain type='qemu'>
		<name>by-hand</name>
		<memory unit='MiB'>32</memory>
		<os><type arch='x86_64' machine='pc'>hvm</type></os>
		<devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
	</domain>
XML
try "virsh migrates a guest by the target's own name" \
	on compute4 virsh migrate --live --p2p by-hand qemu+ssh://compute5/system
expect_same "it runs there" "$(on compute5 virsh -q domstate by-hand | head -n 1)" running
try "virsh migrates it back as nova-compute would, by the inbound address" \
	on compute5 virsh migrate --live --p2p by-hand qemu+ssh://10.78.0.4/system tcp://10.78.0.4
expect_same "it runs here again" "$(on compute4 virsh -q domstate by-hand | head -n 1)" running
on compute4 virsh -q destroy by-hand >/dev/null
lab_down

# ---- in one command ----

lab_up 2
run_migprep run --report "junit:$WORK/junit.xml" --report "text:$WORK/report.txt"
expect_status 0 "run on two fresh hosts exits 0"
ok_report "run"
expect_only ok skip
expect_json "run: every host in order, all pairs in order, two moves ok" \
	'.summary | .hosts.reached == 2 and .applied.total > 0 and .applied.failed == 0
		and .pairs == {total: 2, tried: 2, failed: 0} and .moves == {total: 2, ok: 2}'
try "run: the JUnit report is XML" xmllint --noout "$WORK/junit.xml"
expect_same "run: the text report is what is printed" "$(cat "$WORK/report.txt")" "$(cat "$OUT")"
expect_same "run: the text report ends with the verdict" "$(tail -n 1 "$OUT")" "Verdict: all in order (exit status 0)"
lab_down
plan
