#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `apply` killed with SIGKILL on the host before each of its changing system calls: every file is old or new, no key is
# torn or readable by others, a rerun converges and cleans up, and a third run changes nothing. Then the same for
# ssh-keygen, for libvirt's restart, and for the controller.
#
# Each victim (compute2...) has an inventory of its own: itself and compute1, which is looked at and never changed. So many
# victims are killed at once. The login shell of root there runs the agent under strace, which kills it.
# shellcheck disable=SC2016,SC2317 # expanded on the hosts; called by name
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq strace
victims=${KILL_VICTIMS:-8}

# Counts the conversations of a run. /run/kill/arm says what becomes of one of them: "CONVERSATION CALL K" kills the process
# that becomes the agent on entry to its K-th such call, "CONVERSATION trace" writes its calls down.
killshell() {
	cat <<-'SH'
		#!/bin/bash
		run() { # STRACE-OPTION...: a tracer stands in the way of the leak detector
			export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
			exec 9<&- strace -q "$@" /bin/bash "${args[@]}"
		}
		args=("$@")
		if [ -s /run/kill/arm ]; then
			n=$(($(cat /run/kill/n 2>/dev/null) + 1))
			echo "$n" >/run/kill/n
			while read -r -u 9 conversation call k; do
				[ "$conversation" = "$n" ] || continue
				[ "$call" != trace ] || run -o "/run/kill/trace.$n" -s 128 -e "trace=CALLS"
				run -o "/run/kill/trace" -e "trace=$call" -e "inject=$call:signal=KILL:when=$k"
			done 9</run/kill/arm
		elif [ -s /run/kill/slow ]; then
			run -o /dev/null -e trace=fsync -e inject=fsync:delay_exit=30000
		fi
		exec /bin/bash "$@"
	SH
}
# What changes files and the kernel's rules; the rest of an agent's calls leaves nothing behind.
changing=write,pwrite64,writev,ftruncate,truncate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat
changing+=,mkdir,mkdirat,rmdir,fchmod,fchmodat,chmod,fchown,fchownat,chown,lchown,setxattr,fsetxattr,lsetxattr,removexattr
changing+=,fremovexattr,sendmsg,sendto

# What a host keeps that migprep changes, one line each; this host's own public keys, which differ from run to run,
# are replaced by a word. A private key is "whole" where its public half can be derived.
state() {
	cat <<-'SH'
		#!/bin/bash
		paths="/etc/passwd /etc/shadow /etc/group /etc/nova /etc/exports /etc/fstab /etc/idmapd.conf /etc/nftables.conf
			/etc/nftables.d /etc/libvirt/qemu.conf /etc/sysctl.d /root/.ssh /var/lib/nova"
		edit=
		for key in /root/.ssh/id_* /var/lib/nova/.ssh/id_*; do
			case $key in *.pub | *'*') continue ;; esac
			if blob=$(ssh-keygen -y -P '' -f "$key" 2>/dev/null); then
				set -- $blob
				edit+="s|$2|OWN$key|;"
			fi
		done
		find $paths ! -name '.*.migprep-??????' -printf '%y %p %m %u:%g\n' 2>/dev/null | sort
		find $paths -type f ! -path '*/.ssh/*' ! -name '.*.migprep-??????' -exec sha256sum {} + 2>/dev/null |
			sed 's/^/sum /' | sort -k 3
		for f in /root/.ssh/* /var/lib/nova/.ssh/*; do
			case $f in
			*.pub | */authorized_keys | */known_hosts) echo "sum $(sed "$edit" "$f" | sha256sum) $f" ;;
			*/id_*) [[ $edit == *"OWN$f|"* ]] && echo "whole $f" || echo "TORN $f" ;;
			esac
		done 2>/dev/null
		echo "reserved $(cat /proc/sys/net/ipv4/ip_local_reserved_ports)"
		echo "rules $(nft -s list ruleset | sha256sum)"
	SH
}

# Puts a host back to how it was saved; the first call saves it.
restore() {
	cat <<-'SH'
		#!/bin/bash
		set -e
		paths="etc/passwd etc/shadow etc/group etc/nova etc/exports etc/fstab etc/idmapd.conf etc/nftables.conf
			etc/nftables.d etc/libvirt/qemu.conf etc/sysctl.d root/.ssh var/lib/nova"
		if [ ! -d /opt/saved ]; then
			mkdir -p /opt/saved /etc/nftables.d /etc/sysctl.d /run/kill
			rm -rf /var/lib/migprep/journal
			tar -cf /opt/saved/files.tar -C / $paths
			{ echo flush ruleset; nft -s list ruleset; } >/opt/saved/rules
			exit
		fi
		rm -rf /etc/nova /etc/nftables.d /etc/sysctl.d /root/.ssh /var/lib/nova /var/lib/migprep/journal \
			/run/migprep-keygen /run/kill
		tar -xpf /opt/saved/files.tar -C /
		nft -f /opt/saved/rules
		echo >/proc/sys/net/ipv4/ip_local_reserved_ports
		mkdir -p /run/kill
	SH
}

prepare() { # HOST: our programs on it, a snapshot, and our login shell
	local f
	for f in killshell state restore still after_kill after_rerun; do
		"$f" | sed "s/CALLS/$changing/" | on "$1" sh -c "cat >/usr/sbin/lab-$f && chmod 0755 /usr/sbin/lab-$f"
	done
	on "$1" sed -i '/^root:/s|:/bin/bash$|:/usr/sbin/lab-killshell|' /etc/passwd
	on "$1" lab-restore
}

# An inventory of compute1 and one victim.
pair_inventory() { # N
	cat <<-INI
		[defaults]
		ssh_user = root
		[host compute1]
		address = 10.77.0.1
		migration_address = 10.78.0.1
		aliases = compute1.lab.example
		roles = compute nfs
		[host compute$1]
		address = 10.77.0.$1
		migration_address = 10.78.0.$1
		aliases = compute$1.lab.example
	INI
}

# The same as `on` and `ctl` of the library, for the many that are needed here.
quick() { # HOST CMD...
	local host=$1
	shift
	nsenter --target "${pids[$host]}" --mount --net --pid --uts --ipc --root --wdns=/ -- \
		env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

quick_ctl() { # CMD...
	nsenter --target "${pids[anchor]}" --mount --net --wdns=/ -- env -u SSH_AUTH_SOCK HOME="$MIGPREP_LAB/fs/home" "$@"
}

read_pids() {
	local line
	declare -gA pids=()
	while read -r line; do
		case $line in
		lab*) pids[anchor]=${line##* } ;;
		*" up, pid "*) pids[${line%% *}]=${line##* } ;;
		esac
	done < <(lab status)
}

# apply on one victim; its report goes to REPORT. Never fails.
apply_on() { # N REPORT
	quick_ctl env ASAN_OPTIONS="log_path=$WORK/sanitizer" UBSAN_OPTIONS="print_stacktrace=1:log_path=$WORK/sanitizer" \
		"$MIGPREP_BUILD/migprep" -i "$WORK/pair$1.ini" --report "json:$2" apply "compute$1" >"$2.out" 2>&1 </dev/null || :
}

# Whether the report says that the victim is in order, but for what a host without libvirt lacks.
converged() { # REPORT
	jq -e '[.hosts[].results[]? | select(.status == "drift" or .status == "unknown" or
		(.status == "fail" and .id != "libvirt-running"))] == [] and ([.hosts[].results[]?] | length > 10)
		and .summary.applied.failed == 0' "$1" >/dev/null
}

# Everything of a host that a run without anything to do leaves as it is.
still() {
	cat <<-'SH'
		#!/bin/bash
		find /etc /root /var/lib -xdev -printf '%p %i %T@ %m\n' | sort
		nft -s list ruleset
		cat /proc/sys/net/ipv4/ip_local_reserved_ports
	SH
}

after_kill() {
	cat <<-'SH'
		#!/bin/bash
		rm -f /run/kill/arm
		grep '^+++ killed by SIGKILL' /run/kill/trace
		lab-state
		find /root/.ssh /var/lib/nova/.ssh /run/migprep-keygen -type f -name '*id_*' ! -name '*.pub*' -perm /077 \
			-printf 'OPEN %p %m\n' 2>/dev/null
		find /run/migprep-keygen -perm /077 ! -name '*.pub' -printf 'OPEN %p %m\n' 2>/dev/null
		find /var/lib/migprep/journal -perm /077 -printf 'OPEN %p %m\n' 2>/dev/null
	SH
}

after_rerun() {
	cat <<-'SH'
		#!/bin/bash
		lab-state
		find /etc /root /var /run /tmp -name '.*.migprep-??????' -printf 'LEFT %p\n' -o -name 'migprep-keygen*' -printf 'LEFT %p\n'
		for t in /var/lib/migprep/journal/*; do
			case $(tail -n 1 "$t/log") in *'"state"'*) ;; *) echo "UNCLOSED $t" ;; esac
		done
	SH
}

problem() { # KIND TEXT: to $dir/problems
	[ -z "$2" ] || echo "$1 at $point: $2" | tr '\n' '~' >>"$dir/problems"
	[ -z "$2" ] || echo >>"$dir/problems"
}

# One kill with its two reruns; what went wrong goes to $dir/problems.
kill_at() { # N CONVERSATION CALL K
	local host=compute$1 dir=$WORK/kill$1 point="$2 $3 $4" before after
	quick "$host" sh -c "lab-restore && echo '$point' >/run/kill/arm"
	apply_on "$1" "$dir/killed"
	[ "$(jq '.summary.exit_status' "$dir/killed")" = 6 ] || problem told "$(cat "$dir/killed.out")"
	quick "$host" lab-after_kill >"$dir/state"
	if ! grep -q '^+++ killed' "$dir/state"; then
		echo "$point" >>"$dir/missed"
		return
	fi
	echo "$point" >>"$dir/kills"
	kills+=x
	problem torn "$(grep -v '^+++' "$dir/state" | grep -vxFf "$dir/old-or-new")"
	problem torn "$(grep -vxFf "$dir/state" "$dir/always" | sed 's/^/missing: /')"
	apply_on "$1" "$dir/rerun"
	converged "$dir/rerun" || problem rerun "$(cat "$dir/rerun.out")"
	quick "$host" lab-after_rerun >"$dir/state"
	problem left "$(grep ^LEFT "$dir/state")"
	# The next transaction closes them; a rerun that has nothing to do begins none.
	! jq -e '.summary.applied.total > 0' "$dir/rerun" >/dev/null || problem journal "$(grep ^UNCLOSED "$dir/state")"
	problem rerun "$(grep -vE '^(LEFT|UNCLOSED)' "$dir/state" | diff "$dir/new" - )"
	[ $((${#kills} % 3)) = 0 ] || return
	before=$(quick "$host" lab-still)
	apply_on "$1" "$dir/third"
	after=$(quick "$host" lab-still)
	if ! converged "$dir/third" || ! jq -e '.summary.applied.total == 0' "$dir/third" >/dev/null; then
		problem third "$(cat "$dir/third.out")"
	fi
	[ "$before" = "$after" ] || problem third "$(diff <(echo "$before") <(echo "$after"))"
}

# The calls of a victim's undisturbed run, "CONVERSATION CALL K", without those that changed nothing: the ones that failed,
# and those that only talk, to migprep, to name services, to the kernel about its rules.
points() { # DIR
	local n
	for n in 2 3; do
		awk -v n="$n" '{ call = $0; sub(/\(.*/, "", call); k[call]++ }
			/ = -1 E/ || (/^write\(/ && /\\0\\0/) || (/^send(to|msg)\(/ && !/NFNL_MSG_BATCH|NFT_MSG_(NEW|DEL)/) { next }
			/^[a-z0-9]+\(/ { print n, call, k[call] }' "$1/trace.$n"
	done
}

# The calls of one victim: every victims-th.
kill_all() { # N
	local conversation call k i=0 kills='' dir=$WORK/kill$1
	trap - ERR # in a subshell of its own; what fails is a problem that is written down
	set +e
	while read -r conversation call k; do
		i=$((i + 1))
		[ $((i % victims)) = $(($1 - 2)) ] || continue
		kill_at "$1" "$conversation" "$call" "$k"
	done < <(points "$dir")
}

problems() { # KIND
	cat "$WORK"/kill*/problems | awk -v kind="$1" '$1 == kind && n++ < 10' | tr '~' '\n'
}

expect_none() { # KIND DESCRIPTION
	local text
	text=$(problems "$1")
	if [ -z "$text" ]; then ok "$2"; else not_ok "$2" "$text"; fi
}

# ---- the agent, at every call ----

lab_up $((victims + 1)) --sshd-only
read_pids
pair_inventory 1 | sed '/^\[host/,$d' >"$WORK/pair1.ini"
lab inventory | sed -n '/^\[host compute1/,/^$/p' >>"$WORK/pair1.ini"
apply_on 1 "$WORK/peer"
for ((i = 2; i <= victims + 1; i++)); do
	(
		mkdir "$WORK/kill$i"
		touch "$WORK/kill$i"/{problems,missed}
		prepare "compute$i"
		pair_inventory "$i" >"$WORK/pair$i.ini"
		on "compute$i" lab-state >"$WORK/kill$i/old"
		on "compute$i" sh -c 'printf "2 trace\n3 trace\n" >/run/kill/arm'
		apply_on "$i" "$WORK/kill$i/first"
		for n in 2 3; do on "compute$i" cat "/run/kill/trace.$n" >"$WORK/kill$i/trace.$n"; done
		on "compute$i" lab-state >"$WORK/kill$i/new"
		cat "$WORK/kill$i/old" "$WORK/kill$i/new" >"$WORK/kill$i/old-or-new"
		comm -12 <(sort "$WORK/kill$i/old") <(sort "$WORK/kill$i/new") >"$WORK/kill$i/always"
	) &
done
wait
for ((i = 2; i <= victims + 1; i++)); do
	kill_all "$i" &
done
wait
cat "$WORK"/kill*/kills >"$WORK/kills"
try "an undisturbed apply brings a victim into line" converged "$WORK/kill2/first"
expect_same "it changes files, directories, kernel rules and keys" \
	"$(comm -13 <(sort "$WORK/kill2/old") <(sort "$WORK/kill2/new") | grep -cE 'passwd|nova.conf|fstab|idmapd|nftables|qemu.conf|sysctl.d/|id_ed25519 600|known_hosts|authorized_keys|instances|^rules|^reserved')" 22
first=$(grep -c '^2 ' "$WORK/kills") second=$(grep -c '^3 ' "$WORK/kills")
diag "killed before $first calls of the first stage and $second of the second: $(cut -d ' ' -f 2 "$WORK/kills" | sort | uniq -c |
	awk '{ printf "%s %s, ", $1, $2 }')and $(cat "$WORK"/kill*/missed | wc -l) were not reached"
try "apply was killed at more than 100 calls of its first stage and 30 of its second" \
	[ "$first" -gt 100 -a "$second" -gt 30 ]
expect_none torn "after each kill every file is old or new, every private key whole and closed to others"
expect_none told "each time the controller says that apply has stopped part way, exit status 6"
expect_none rerun "after each kill a rerun converges"
expect_none left "after each rerun no temporary file is left"
expect_none journal "after each rerun every transaction in the journal is closed"
expect_none third "after every third kill a third run changes nothing"

# ---- the controller, and ssh-keygen ----

# The agent is slowed down, so that it is in the middle when the controller goes.
orphan() { # TRANSPORT
	local host=compute2 before
	on $host sh -c 'lab-restore && echo yes >/run/kill/slow'
	sed "s/^ssh_user.*/&\ntransport = $1/" "$WORK/pair2.ini" >"$WORK/orphan.ini"
	# nsenter without --pid becomes the program, so $! is migprep itself.
	(exec nsenter --target "${pids[anchor]}" --mount --net --wdns=/ -- env -u SSH_AUTH_SOCK HOME="$MIGPREP_LAB/fs/home" \
		"$MIGPREP_BUILD/migprep" -i "$WORK/orphan.ini" apply compute2) >"$WORK/orphan.out" 2>&1 </dev/null &
	wait_until 30 on $host sh -c 'ls /var/lib/migprep/journal/*-nova-conf'
	expect_same "$1: it is migprep that is killed" "$(cat "/proc/$!/comm")" migprep
	kill -KILL $!
	{ wait $! || :; } 2>/dev/null
	try "$1: the controller's death is noticed in the middle of apply: the agent ends within seconds" \
		wait_until 10 not on $host pgrep migprep-agent
	try "$1: not all was done by then" not on $host sh -c 'ls /var/lib/migprep/journal/*-ssh-known-hosts'
	on $host rm -f /run/kill/slow
	apply_on 2 "$WORK/orphan"
	try "$1: the lock is free, and a rerun converges" converged "$WORK/orphan"
	expect_same "$1: no temporary file and no open transaction is left" \
		"$(on $host lab-after_rerun | grep -E '^(LEFT|UNCLOSED)' || [ $? = 1 ])" ""
	before=$(on $host lab-still)
	apply_on 2 "$WORK/orphan"
	expect_same "$1: one more run changes nothing" "$(on $host lab-still)" "$before"
}
orphan libssh2
orphan openssh

# A private key is never open to others: from its creation on, and whatever umask there is.
on compute2 sh -c 'lab-restore; mv /usr/bin/ssh-keygen /usr/bin/ssh-keygen.real
	printf "%s\n" "#!/bin/sh" "exec strace -q -a 0 -o /run/kill/keygen.\$\$ \
		-e trace=openat,umask,chmod,fchmod,fchmodat /usr/bin/ssh-keygen.real \"\$@\"" >/usr/bin/ssh-keygen
	chmod 755 /usr/bin/ssh-keygen; printf "2 trace\n" >/run/kill/arm'
on compute2 sed -i 's/"trace=write/"trace=openat,write/; s/-q "\$@"/-q -y "$@"/' /usr/sbin/lab-killshell
apply_on 2 "$WORK/modes"
try "an apply under strace converges" converged "$WORK/modes"
on compute2 sh -c 'cat /run/kill/trace.2 /run/kill/keygen.*' >"$WORK/modes.trace"
expect_same "the agent makes both private keys with mode 0600" \
	"$(grep -E 'openat\(.*"\.id_ed25519\.migprep-[a-z0-9]{6}".*O_CREAT' "$WORK/modes.trace" | sed 's/.*, \(0[0-7]*\)).*/\1/')" \
	$'0600\n0600'
expect_same "ssh-keygen does so with umask 077" \
	"$(awk '/^umask/ { mask = $1 } /^openat\(.*\/key".*O_CREAT/ { print mask }' "$WORK/modes.trace")" \
	$'umask(077)\numask(077)'
expect_same "and never opened up by chmod" \
	"$(grep -E '^f?chmod(at)?\(.*id_ed25519(>|"|\.migprep-[a-z0-9]*>), 0' "$WORK/modes.trace" | sed 's/.*, \(0[0-7]*\)).*/\1/' | sort -u)" "0600"

# ssh-keygen itself is killed at each of its calls.
on compute2 sh -c 'printf "%s\n" "#!/bin/sh" "case \" \$* \" in *\" -t \"*) ;; *) exec ssh-keygen.real \"\$@\" ;; esac" \
	"exec strace -q -o /run/kill/keygen -e trace=openat,write,fchmod,rename -e inject=\$(cat /run/kill/call):signal=KILL:when=\$(cat /run/kill/k) \
	ssh-keygen.real \"\$@\"" >/usr/bin/ssh-keygen'
keygen_kills=0 bad=
for call in write fchmod openat; do
	for ((k = 1; k < 20; k++)); do
		[ "$call" != openat ] || [ "$k" -gt 8 ] || continue # the loader's
		on compute2 sh -c "lab-restore; echo $call >/run/kill/call; echo $k >/run/kill/k"
		apply_on 2 "$WORK/keygen"
		on compute2 grep -q '^+++ killed' /run/kill/keygen || break
		keygen_kills=$((keygen_kills + 1))
		[ "$(jq .summary.exit_status "$WORK/keygen")" = 6 ] || bad+="$call $k: $(cat "$WORK/keygen.out")"
		bad+=$(on compute2 find /run/migprep-keygen /root/.ssh/id_ed25519 2>/dev/null || [ $? = 1 ])
		on compute2 sh -c 'echo fchown >/run/kill/call'
		apply_on 2 "$WORK/keygen"
		converged "$WORK/keygen" || bad+="$call $k, rerun: $(cat "$WORK/keygen.out")"
	done
done
try "ssh-keygen was killed at more than 3 calls" [ "$keygen_kills" -gt 3 ]
expect_same "each time apply says so with exit status 6, leaves no key, and a rerun converges" "$bad" ""

# ---- in the middle of libvirt's restart ----

# The script stops libvirtd, and goes on only when the agent has been killed.
lab_up 2
read_pids
prepare compute2
pair_inventory 2 >"$WORK/pair2.ini"
on compute2 sh -c 'sed -i "s/^	stop\$/&\n\t[ ! -e \/run\/kill\/stall ] || { touch \/run\/kill\/stopped; while pgrep migprep-agent; do sleep 0.05; done; }/" \
	/etc/init.d/libvirtd && touch /run/kill/stall'
apply_on 2 "$WORK/restart" &
try "apply restarts libvirtd" wait_until 60 on compute2 test -e /run/kill/stopped
on compute2 pkill -KILL migprep-agent
wait
expect_same "the agent, killed in the middle of that, costs exit status 6" "$(jq .summary.exit_status "$WORK/restart")" 6
try "libvirtd comes up all the same" wait_until 20 on compute2 virsh -q -c qemu:///system version
on compute2 rm -f /run/kill/stall
apply_on 2 "$WORK/restart"
expect_same "a rerun exits 0" "$(jq .summary.exit_status "$WORK/restart"; grep -E ' (fail|drift) ' "$WORK/restart.out" || [ $? = 1 ])" 0
before=$(on compute2 lab-still; on compute2 cat /run/libvirtd.pid)
apply_on 2 "$WORK/restart"
expect_same "one more changes nothing, and restarts nothing" "$(on compute2 lab-still; on compute2 cat /run/libvirtd.pid)" "$before"
lab_down
plan
