#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Hosts that cannot be reached, each in its own way, beside hosts that can, in a strange way: each costs its own finding with
# the right cause, the others are judged, and nobody waits longer than the deadline of one host.
# shellcheck disable=SC2016 # expanded on the hosts
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq perl strace
connect_timeout=4 timeout=15
hosts=20
lab_up "$hosts" --sshd-only

ssh_config=$WORK/ssh_config
home=$MIGPREP_LAB/fs/home

# Ends a host's sshd and lets a server of ours answer in its place. The listener's pid is sshd's no more.
fake_server() { # HOST PERL-BODY: what is done with $c, the connection
	on "$1" sh -c 'kill "$(cat /run/sshd.pid)"; while pgrep -x sshd >/dev/null; do sleep 0.05; done
		setsid perl -MSocket -e "
			socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
			bind(S, sockaddr_in(22, INADDR_ANY)) or die; listen(S, 9); \$SIG{PIPE} = q(IGNORE);
			open(R, q(>), q(/run/fake.ready)); close(R);
			while (accept(C, S)) { $1; push @keep, *C{IO}; }" "$1" >/dev/null 2>&1 </dev/null &
		until [ -e /run/fake.ready ]; do sleep 0.05; done' sh "$2"
}

login_shell() { # HOST, script on standard input
	on "$1" sh -c 'cat >/usr/sbin/lab-shell && chmod 0755 /usr/sbin/lab-shell'
	on "$1" usermod -s /usr/sbin/lab-shell root
}

on compute3 nft insert rule inet filter input tcp dport 22 drop
on compute4 sh -c 'kill "$(cat /run/sshd.pid)"; while pgrep -x sshd >/dev/null; do sleep 0.05; done'
fake_server compute5 ''
fake_server compute6 'select(C); $| = 1; for (1 .. 200) { print C "x" or last; select(undef, undef, undef, 0.3) }'
fake_server compute7 'syswrite(C, "SSH-2.0-OpenSSH_9.2\r\n")'
on compute8 sh -c 'kill -STOP "$(cat /run/sshd.pid)"'
run_migprep check compute9 # the agent is there from now on
login_shell compute9 <<-'SH'
	#!/bin/bash
	# Stopped after its first write, the greeting; a tracer stands in the way of the leak detector.
	export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
	exec strace -q -o /dev/null -e trace=write -e inject=write:signal=STOP:when=1 /bin/bash "$@"
SH
other=$(ctl ssh-keyscan -t ed25519 10.77.0.1 2>/dev/null | cut -d ' ' -f 2-)
ctl sed -i "s|^compute10,.*|compute10,compute10.lab.example,10.77.0.10 $other|; /^compute11,/d" "$home/.ssh/known_hosts"
on compute12 sh -c ': >/root/.ssh/authorized_keys'
on compute13 sh -c 'mkdir -p /var/lib/migprep && mount -t tmpfs -o size=64k,mode=0700 none /var/lib/migprep'
on compute14 sh -c 'mkdir -p /var/lib/migprep && mount -t tmpfs -o ro none /var/lib/migprep'
on compute15 sh -c 'echo "head -c 100M /dev/zero | tr \"\\0\" \"\\n\"" >/root/.bashrc'
printf '#!/bin/sh\nexec cat /dev/zero\n' | login_shell compute16
on compute17 usermod -s /usr/sbin/nologin root
# From here on: hosts that work.
on compute18 sh -c 'echo "echo welcome to this host; echo warning >&2; stty -a; printf \"migprep ready\\n\\n\"" >/root/.bashrc'
on compute19 usermod -s /bin/sh root
on compute20 sh -c 'kill "$(cat /run/sshd.pid)"; while pgrep -x sshd >/dev/null; do sleep 0.05; done; nft insert rule inet filter input tcp dport 2222 accept
	echo "Port 2222" >>/etc/ssh/sshd_config; /usr/sbin/sshd'
ctl sh -c "sed -n 's/^compute20,/[10.77.0.20]:2222,/p' $home/.ssh/known_hosts >>$home/.ssh/known_hosts"

inventory() { # N... : the hosts of the numbers
	local n
	printf '[defaults]\nssh_user = root\n[host nfs1]\naddress = 10.77.0.1\nroles = nfs\n'
	for n in "$@"; do
		printf '[host compute%d]\naddress = 10.77.0.%d\nmigration_address = 10.78.0.%d\n' "$n" "$n" "$n"
		[ "$n" != 20 ] || echo 'ssh_port = 2222'
		[ "$n" != 2 ] || echo 'transport = openssh'
	done
}
seq -s ' ' 2 "$hosts" >"$WORK/all"
read -ra all <"$WORK/all"
{
	inventory "${all[@]}"
	printf '[host compute21]\naddress = 10.77.200.1\n' # nobody there, on the same network
	printf '[host compute22]\naddress = 10.99.0.1\n' # nor a route
	printf '[host compute23]\naddress = nowhere.lab.example\n'
} >"$INVENTORY"

run_migprep check --connect-timeout "$connect_timeout" --timeout "$timeout"
cp "$JSON" "$WORK/first.json"
expect_status 3 "without libvirt on the hosts, what check cannot mend outweighs that some are unreachable"
took=$(jq .duration_ms "$JSON")
if [ "$took" -lt $(((timeout + 4) * 1000)) ]; then
	ok "the whole check ends with the deadline of one host"
else
	not_ok "the whole check ends with the deadline of one host" "$took ms, with a deadline of $timeout s"
fi
for n in nfs1 compute2 compute18 compute19 compute20; do
	expect_finding "$n" host-reach ok
	expect_json "$n is judged" "[.hosts[] | select(.name == \"$n\") | .results[] | select(.status == \"drift\")] | length > 0"
done

unreached() { # HOST CODE REGEX DESCRIPTION
	local got
	got=$(jq -r --arg h "$1" '.hosts[] | select(.name == $h) | "\(.error.code): \(.results[] | select(.id == "host-reach") | "\(.status) \(.reason) | \(.remedy)")"' "$JSON")
	if [[ $got == "$2: fail "* ]] && grep -qiE -- "$3" <<<"$got"; then
		ok "$1: $4: $2"
	else
		not_ok "$1: $4: $2 ($3)" "$got"
	fi
}
unreached compute3 timeout 'no answer.*firewall' "packets are dropped"
unreached compute4 refused 'refused.*start sshd' "no sshd"
unreached compute5 timeout 'accepted the connection and then did not answer' "a server that says nothing"
unreached compute6 timeout 'did not answer' "a server that says a byte now and then"
unreached compute7 timeout 'did not answer' "a server that stalls after its banner"
unreached compute8 timeout 'did not answer' "a stopped sshd"
unreached compute9 timeout 'agent did not finish .observe. in time' "an agent that is stopped"
unreached compute10 host-key 'CHANGED' "another host key than in known_hosts"
unreached compute11 host-key 'not known|unknown' "a host key that is not in known_hosts"
unreached compute12 denied 'authorized_keys' "a key that is not authorised"
unreached compute13 system 'No space left' "a full disk"
unreached compute14 system 'Read-only' "a read-only file system"
unreached compute15 protocol '\.bashrc|login' "100 MB of noise before the greeting"
unreached compute16 protocol '\.bashrc|login|shell' "noise without end in place of a greeting"
unreached compute17 gone 'account is currently not available.*login shell' "a login shell that logs nobody in"
unreached compute21 unreachable 'No route to host' "an address that nobody has"
unreached compute22 unreachable 'unreachable' "an address without a route"
unreached compute23 unreachable 'nowhere.lab.example' "a name that nobody knows"

run_migprep check compute4 compute12 --connect-timeout "$connect_timeout" --timeout "$timeout"
expect_status 4 "hosts that cannot be reached, and nothing else, make exit status 4"

# The same from openssh: no cause is lost.
inventory "${all[@]}" | sed 's/^ssh_user.*/&\ntransport = openssh/; /^transport = openssh$/{x;s/^/x/;/^xx/{x;d};x}' >"$INVENTORY"
run_migprep check --connect-timeout "$connect_timeout" --timeout "$timeout"
took=$(jq .duration_ms "$JSON")
try "the deadline holds there as well" [ "$took" -lt $(((timeout + 4) * 1000)) ]
for n in nfs1 compute2 compute18 compute19 compute20; do expect_finding "$n" host-reach ok; done
unreached compute3 timeout '.' "openssh, packets are dropped"
unreached compute4 refused '.' "openssh, no sshd"
unreached compute5 timeout '.' "openssh, a server that says nothing"
unreached compute8 timeout '.' "openssh, a stopped sshd"
unreached compute10 host-key '.' "openssh, another host key"
unreached compute11 host-key '.' "openssh, an unknown host key"
unreached compute12 denied '.' "openssh, a key that is not authorised"
unreached compute13 system 'No space left' "openssh, a full disk"
unreached compute16 protocol '.' "openssh, noise without end"

# csh wants its own quoting.
if csh=$(command -v tcsh csh | head -n 1) && [ -n "$csh" ]; then
	on compute19 usermod -s "$csh" root
	inventory 19 >"$INVENTORY"
	run_migprep check
	expect_finding compute19 host-reach ok
else
	skip "csh as login shell" "no csh here"
fi

# ---- the operator's ssh configuration ----

# compute2 lets in SSH from compute1 only; the way leads over it.
on compute2 nft insert rule inet filter input ip saddr 10.77.255.254 tcp dport 22 drop
inventory 2 | sed '/^transport/d' >"$INVENTORY"
run_migprep check --connect-timeout 2
unreached compute2 timeout '.' "without ProxyJump there is no way"
printf 'Host 10.77.0.2\n\tProxyJump root@10.77.0.1\n' >"$ssh_config"
run_migprep check -F "$ssh_config"
expect_finding compute2 host-reach ok
expect_json "ProxyJump of an ssh_config leads there, and libssh2 talks through it" '.hosts[] | select(.name == "compute2") | .reached'

# Keys from ssh-agent, where no key file can be read.
ctl ssh-agent -a "$WORK/agent" >"$WORK/agent.env"
agent_pid=$(sed -n 's/.*SSH_AGENT_PID=\([0-9]*\).*/\1/p' "$WORK/agent.env")
printf 'IdentityFile %s/none\n' "$WORK" >"$ssh_config"
inventory 19 >"$INVENTORY"
run_migprep check -F "$ssh_config"
unreached compute19 denied '.' "without a key nobody gets in"
ctl env SSH_AUTH_SOCK="$WORK/agent" ssh-add -q "$home/.ssh/id_ed25519" 2>/dev/null
STATUS=0
ctl env SSH_AUTH_SOCK="$WORK/agent" ASAN_OPTIONS="log_path=$WORK/sanitizer" "$MIGPREP_BUILD/migprep" -i "$INVENTORY" \
	-F "$ssh_config" --report "json:$JSON" check >"$OUT" 2>"$ERR" || STATUS=$?
expect_finding compute19 host-reach ok
kill "$agent_pid"

# ---- another port ----

inventory 18 20 >"$INVENTORY"
run_migprep apply
expect_json "apply reaches a host whose sshd has another port" '.hosts[] | select(.name == "compute20") | .applied | length > 5'
for user in /root /var/lib/nova; do
	expect_same "its peer's $user/.ssh/known_hosts has the name with the port, and with the address" \
		"$(on compute18 sh -c "cut -d ' ' -f 1 $user/.ssh/known_hosts | tr , '\n' | grep -cxF -e '[compute20]:2222' -e '[10.77.0.20]:2222' -e '[10.78.0.20]:2222'")" 3
done
lab_down
plan
