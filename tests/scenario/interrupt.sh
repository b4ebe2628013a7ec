#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Ctrl-C in the middle of each phase: migprep ends within seconds, exit status 130, its report is written and says that it was
# interrupted, nothing is left behind on any host or here, and it can be run again.
# shellcheck disable=SC2016,SC2317 # expanded on the hosts; called by name
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq strace
seconds=8 # what an end may take, on a busy machine
lab_up 2
read -r anchor < <(lab status | sed -n 's/.*anchor pid \([0-9]*\)$/\1/p')
mkdir "$WORK/tmp"
# libssh2 1.10 does not free its X25519 pair (two times 32 bytes) of a key exchange that is given up half way:
# libssh2_session_free() does not look into the state of the exchange.
echo 'leak:libssh2.so' >"$WORK/lsan.supp"

# Starts migprep; $pid is itself (nsenter without --pid becomes the program).
begin() { # ARG...
	rm -f "$JSON"
	(exec nsenter --target "$anchor" --mount --net --wdns=/ -- env -u SSH_AUTH_SOCK HOME="$MIGPREP_LAB/fs/home" TMPDIR="$WORK/tmp" \
		LSAN_OPTIONS="suppressions=$WORK/lsan.supp:print_suppressions=0" ASAN_OPTIONS="log_path=$WORK/sanitizer" UBSAN_OPTIONS="print_stacktrace=1:log_path=$WORK/sanitizer" \
		"$MIGPREP_BUILD/migprep" -i "$INVENTORY" --report "json:$JSON" "$@") >"$OUT" 2>"$ERR" </dev/null &
	pid=$!
}

# Sends the signal and waits for the end.
interrupt() { # DESCRIPTION [SIGNAL]
	local start=${EPOCHREALTIME/./} ms
	kill "-${2:-INT}" "$pid"
	STATUS=0
	wait "$pid" || STATUS=$?
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	expect_status 130 "$1: exit status 130"
	if [ "$ms" -lt $((seconds * 1000)) ]; then ok "$1: ends within seconds"; else not_ok "$1: ends within seconds" "$ms ms"; fi
	expect_json "$1: the report says that it was interrupted" '.interrupted == true and .schema == 1'
	try "$1: and so does the text" grep -qi interrupted "$OUT"
}

# What a host has, but for what belongs to it: guests, agents, ssh from peers, listeners of the range.
remains() {
	local host
	for host in compute1 compute2; do
		on $host sh -c 'virsh -q -c qemu:///system list --all; pgrep -a migprep-agent; pgrep -a qemu-system
			pgrep -ax "ssh|ssh-keygen"
			ss -Hltn "sport >= :49152 and sport <= :49261"; find / -xdev -name ".*.migprep-??????" 2>/dev/null; ls -d /run/migprep* 2>/dev/null' || :
	done
	find "$WORK/tmp" -mindepth 1
	# Children of the controller, wherever they went.
	grep -lsz "^TMPDIR=$WORK/tmp" /proc/[0-9]*/environ | sed 's/$/ is still running/' || :
}

nothing_remains() { # DESCRIPTION
	local start=$SECONDS left
	while left=$(remains) && [ -n "$left" ] && [ $((SECONDS - start)) -lt 10 ]; do sleep 0.1; done
	expect_same "$1: nothing is left behind, on the hosts or here" "$left" ""
}

slow_shell() { # a login shell under strace with these options
	on compute2 sh -c 'cat >/usr/sbin/lab-shell && chmod 0755 /usr/sbin/lab-shell' <<-SH
		#!/bin/bash
		export ASAN_OPTIONS=\$ASAN_OPTIONS:detect_leaks=0 # a tracer stands in the way of the leak detector
		exec strace -q -o /dev/null $* /bin/bash "\$@"
	SH
	on compute2 usermod -s /usr/sbin/lab-shell root
}
plain_shell() { on compute2 usermod -s /bin/bash root; }

# ---- look ----

on compute2 sh -c 'kill -STOP "$(cat /run/sshd.pid)"'
begin check
sleep_until_connected() { grep -q ':0016 ' <(nsenter --target "$pid" --net cat /proc/net/tcp | awk '$4 == "01" { print $3 " " }'); }
wait_until 20 sleep_until_connected
interrupt "check, with a host that stalls"
on compute2 sh -c 'kill -CONT "$(cat /run/sshd.pid)"'
expect_json "check, with a host that stalls: that host says that it was stopped" \
	'.hosts[] | select(.name == "compute2") | .reached == false and .error.code == "cancelled"'
nothing_remains "check"
run_migprep check
expect_status 2 "check, run again, is whole"

on compute2 sh -c 'kill -STOP "$(cat /run/sshd.pid)"'
begin check
wait_until 20 sleep_until_connected
interrupt "check, ended by SIGTERM" TERM
on compute2 sh -c 'kill -CONT "$(cat /run/sshd.pid)"'

# ---- apply ----

slow_shell -e trace=fsync -e inject=fsync:delay_exit=20000
begin apply
wait_until 60 on compute2 sh -c 'ls /var/lib/migprep/journal/*-nova-conf'
interrupt "apply"
nothing_remains "apply"
try "apply: not all was done on the slow host" not on compute2 sh -c 'ls /var/lib/migprep/journal/*-ssh-known-hosts'
expect_same "apply: the transaction that was under way was ended, and told" \
	"$(on compute2 sh -c 'for t in /var/lib/migprep/journal/*; do tail -n 1 $t/log; done' | grep -vc '"state":"done"' || [ $? = 1 ])" 0
plain_shell
run_migprep apply
expect_status 0 "apply, run again, brings everything into line"
run_migprep apply
expect_json "and then has nothing to change" '.summary.applied.total == 0'

# ---- mesh ----

slow_shell -e trace=fork,vfork,clone,clone3 -e inject=clone,clone3,fork,vfork:delay_enter=400000
begin mesh
listening() { [ -n "$(on compute1 ss -Hltn 'sport >= :49152 and sport <= :49261')" ]; }
wait_until 60 listening
interrupt "mesh"
nothing_remains "mesh"
plain_shell
run_migprep mesh
expect_status 0 "mesh, run again, is in order"

# ---- verify ----

# A link on which a move takes long enough to be met half way.
for host in compute1 compute2; do on $host tc qdisc add dev eth1 root tbf rate 2mbit burst 16kb latency 200ms; done
begin verify --set verify.memory_mib=64
moving() { on compute1 virsh -q -c qemu:///system domjobinfo "$(on compute1 virsh -q -c qemu:///system list --name | head -n 1)" | grep -q 'Job type: *\(Unbounded\|Bounded\)'; }
try "verify: a move is under way" wait_until 60 moving
expect_same "the look for remains sees the guest, both emulators, the connections and their directory" \
	"$(remains | grep -oE 'migprep-verify-[0-9a-f]*-1 |qemu-system|/tmp/migprep-[A-Za-z0-9]{6}$|is still running' | sed 's/-[0-9a-f]*-1 $//; s|^\(/tmp/migprep\)-.*|\1|' | sort -u)" \
	$'/tmp/migprep\nis still running\nmigprep-verify\nqemu-system'
seconds=15
interrupt "verify, in the middle of a move"
for host in compute1 compute2; do on $host tc qdisc del dev eth1 root; done
nothing_remains "verify"
expect_json "verify: no move counts as proved" '[.moves[] | select(.outcome == "ok")] | length == 0'
run_migprep verify
expect_status 0 "verify, run again, moves the guest both ways"
expect_json "with two moves that are proved" '[.moves[] | select(.outcome == "ok")] | length == 2'
nothing_remains "verify, run again"

# ---- the second Ctrl-C ----

on compute2 sh -c 'kill -STOP "$(cat /run/sshd.pid)"'
begin check
wait_until 20 sleep_until_connected
kill -INT "$pid"
kill -INT "$pid" || :
STATUS=0
wait "$pid" || STATUS=$?
on compute2 sh -c 'kill -CONT "$(cat /run/sshd.pid)"'
expect_status 130 "pressed twice: exit status 130"
lab_down
plan
