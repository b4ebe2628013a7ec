#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# One fault after the other on three hosts that are in order. Each must be told as itself: exactly the findings that
# the fault's expect_NAME lists, with its cause, and nothing else about anybody. Then apply mends it, or, where it may
# not, leaves everything alone until it is mended by hand. FAULTS="NAME..." runs only those; SHOW=1 prints what an
# operator sees.
# shellcheck disable=SC2317,SC2016 # the functions are called by the names in the table; a host and perl have variables
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq nc perl

# Name, commands with the exit status expected of each, and what mends it: apply; or apply, which leaves something to
# say, then the remedy and apply again; or only a hand.
faults=(
	"shell-nologin       check:2 mesh:3   apply"
	"alias-missing       check:2 mesh:3   apply"
	"authorized-open     check:2 mesh:3   apply"
	"authorized-owner    check:3          hand"
	"drop-before         check:2 mesh:3   apply"
	"drop-elsewhere      check:2          remedy"
	"reserved-in-kernel  check:2          apply"
	"qemu-range          check:2          apply"
	"old-spelling        check:2          apply"
	"nova-conf-shared    check:2          apply"
	"key-copied          check:2          remedy"
	"port-taken          check:0 mesh:0   hand"
	"all-ports-taken     check:3 mesh:3   hand"
	"other-address       check:3 mesh:3   hand"
	"peer-is-loopback    check:3          hand"
	"own-name-loopback   check:0 verify:0 hand"
	"nova-uid            check:3          hand"
	"libvirt-stopped     check:3          hand"
	"same-uuid           check:3          hand"
	"host-key-changed    check:2 mesh:3   apply"
	"host-down           check:4 mesh:4   hand"
)

# ---- the faults ----

break_shell-nologin() { on compute1 usermod -s /usr/sbin/nologin nova; }
expect_shell-nologin() {
	cat <<-'LINES'
		check compute1 nova-shell drift /usr/sbin/nologin.*-> /bin/bash|nologin.*/bin/bash
		mesh compute2->compute1 mesh-ssh fail ^shell login as nova by every name
		mesh compute3->compute1 mesh-ssh fail ^shell login as nova by every name
	LINES
}

break_alias-missing() {
	on compute1 sed -i 's/,compute2\.lab\.example//' /var/lib/nova/.ssh/known_hosts
}
expect_alias-missing() {
	cat <<-'LINES'
		check compute1 ssh-known-hosts drift /var/lib/nova/.ssh/known_hosts .*compute2.lab.example
		mesh compute1->compute2 mesh-ssh fail ^host-key-unknown login as nova by compute2.lab.example \(1 of 4 names\)
	LINES
}

break_authorized-open() { on compute2 chmod 0666 /var/lib/nova/.ssh/authorized_keys; }
expect_authorized-open() {
	cat <<-'LINES'
		check compute2 ssh-authorized drift ^- /var/lib/nova/.ssh/authorized_keys is 'mode 0666, owner nova'
		mesh compute1->compute2 mesh-ssh fail ^authentication login as nova by every name
		mesh compute3->compute2 mesh-ssh fail ^authentication login as nova by every name
	LINES
}

# The user may have moved a file of root's there, so nobody but a person gives it away.
break_authorized-owner() { on compute2 chown root:root /var/lib/nova/.ssh/authorized_keys; }
mend_authorized-owner() { on compute2 chown nova: /var/lib/nova/.ssh/authorized_keys; }
expect_authorized-owner() {
	echo "check compute2 ssh-authorized fail ^- /var/lib/nova/.ssh/authorized_keys belongs to uid 0 and not to nova.*chown nova:"
}

break_drop-before() { on compute2 nft insert rule inet filter input tcp dport 49152-49261 drop; }
expect_drop-before() {
	cat <<-'LINES'
		check compute2 migration-ports drift inet filter input.*drop
		mesh compute1->compute2 mesh-port fail ^timeout
		mesh compute3->compute2 mesh-port fail ^timeout
	LINES
}

break_drop-elsewhere() {
	on compute2 nft 'table inet corporate { chain early {
		type filter hook input priority -150; tcp dport 49200-49210 drop; }; }'
}
expect_drop-elsewhere() {
	cat <<-'LINES'
		check compute2 migration-ports drift TCP 49200-49210 .*inet corporate early .*drop
		left compute2 migration-ports warn will be gone after the next reboot: /etc/nftables.conf does not define the chain
	LINES
}
remedy_drop-elsewhere() { on compute2 nft delete table inet corporate; }

break_reserved-in-kernel() { on compute3 sh -c 'echo >/proc/sys/net/ipv4/ip_local_reserved_ports'; }
expect_reserved-in-kernel() {
	echo "check compute3 reserved-ports drift ^- /proc/sys/net/ipv4/ip_local_reserved_ports is '', should be '49152-49261'"
}

break_qemu-range() { on compute1 sed -i 's/^migration_port_max.*/migration_port_max = 49215/' /etc/libvirt/qemu.conf; }
expect_qemu-range() {
	# That the running libvirt has not read it is as true.
	cat <<-'LINES'
		check compute1 qemu-conf drift migration_port_max is '49215', should be '49261'
		check compute1 libvirt-restart drift libvirtd
	LINES
}

break_old-spelling() {
	on compute2 sed -i 's/^server_listen = .*/vncserver_listen = 127.0.0.1/' /etc/nova/nova.conf
}
expect_old-spelling() {
	echo "check compute2 nova-conf drift \[vnc\] vncserver_listen"
}

# A file of thousands of comments, odd spaces, some line ends of DOS and options that are not ours, with one value of
# ours wrong.
break_nova-conf-shared() {
	on compute3 perl -i -0777 -pe '
		my $own = $_;
		my $noise = join "", map { "# comment $_: [libvirt] live_migration_scheme = telnet\t " . ($_ % 9 ? "\n" : "\r\n") } 1 .. 2000;
		$_ = "\n;  The site\x27s own words: gr\xc3\xbc\xc3\x9f dich  \n$noise" . $own .
			"\n[ami]\nunknown_option   =  keep = me \t\n  and this line too\n\n#[libvirt]\n$noise# no newline at the end";
		s/^(live_migration_scheme)\s*=.*$/$1   =   tcp\r/m;
	' /etc/nova/nova.conf
	on compute3 sh -c 'cp -p /etc/nova/nova.conf /root/nova.conf.broken'
}
expect_nova-conf-shared() {
	echo "check compute3 nova-conf drift ^- /etc/nova/nova.conf \[libvirt\] live_migration_scheme is 'tcp', should be 'ssh'"
}
after_nova-conf-shared() {
	expect_same "nova-conf-shared: what is not ours keeps every byte, and ours its place" \
		"$(on compute3 sha256sum </dev/null /etc/nova/nova.conf | cut -d' ' -f1)" \
		"$(on compute3 sed -E 's/^(live_migration_scheme +=  +)tcp/\1ssh/' /root/nova.conf.broken | sha256sum | cut -d' ' -f1)"
	expect_same "nova-conf-shared: owner and mode stay" \
		"$(on compute3 stat -c '%U:%G %a' /etc/nova/nova.conf)" "$(on compute3 stat -c '%U:%G %a' /root/nova.conf.broken)"
	on compute3 rm /root/nova.conf.broken
}

break_key-copied() {
	on compute1 tar -C /var/lib/nova/.ssh -c id_ed25519 id_ed25519.pub | on compute2 tar -C /var/lib/nova/.ssh -x
}
expect_key-copied() {
	# The pair that compute2 had is not there any more, so nobody should let it in.
	cat <<-'LINES'
		check cluster ssh-key-shared warn compute\[1-2\] hold SHA256:.* of nova
		check compute1 ssh-authorized drift old key of compute2 .* should not be there
		check compute2 ssh-authorized drift old key of compute2 .* should not be there
		check compute3 ssh-authorized drift old key of compute2 .* should not be there
		left cluster ssh-key-shared warn compute\[1-2\] hold SHA256:.* of nova
	LINES
}
remedy_key-copied() { on compute2 sh -c 'rm /var/lib/nova/.ssh/id_ed25519*'; }

listen_on() { # HOST FROM TO: takes these ports, as a program that is no hypervisor
	on "$1" sh -c 'setsid perl -MIO::Socket::INET -e "
			my @taken = map { IO::Socket::INET->new(LocalPort => \$_, Listen => 1, ReuseAddr => 1) or die } $1 .. $2;
			open my \$f, q(>), q(/run/taken.up); close \$f; sleep" </dev/null >/run/taken.log 2>&1 &
		echo $! >/run/taken.pid' sh "$2" "$3"
	wait_until 20 on "$1" test -e /run/taken.up
}
listen_no_more() { # HOST
	on "$1" sh -c 'kill "$(cat /run/taken.pid)"; rm /run/taken.*'
}

break_port-taken() { listen_on compute2 49152 49152; }
mend_port-taken() { listen_no_more compute2; }
expect_port-taken() {
	echo "check compute2 port-free warn 49152 by perl \(uid 0\)"
}

break_all-ports-taken() { listen_on compute2 49152 49261; }
mend_all-ports-taken() { listen_no_more compute2; }
expect_all-ports-taken() {
	cat <<-'LINES'
		check compute2 port-free fail all ports of 49152-49261 taken: .*and 104 more
		mesh compute2 mesh-port fail no listener for the trial
	LINES
}

# sed -i would put a new file in place of what may be bind-mounted.
edit_hosts() { # HOST SED-SCRIPT
	on "$1" sh -c 'cp -n /etc/hosts /root/hosts.before && sed "$1" /root/hosts.before >/etc/hosts' sh "$2"
}
hosts_back() { # HOST
	on "$1" sh -c 'cat /root/hosts.before >/etc/hosts && rm /root/hosts.before'
}

# A stale line: somebody else lives at that address now.
break_other-address() { edit_hosts compute3 's/^10\.77\.0\.1\t/10.77.0.2\t/'; }
mend_other-address() { hosts_back compute3; }
expect_other-address() {
	cat <<-'LINES'
		check compute3 names-equal fail compute1 is 10.77.0.2 instead of 10.77.0.1; compute1.lab.example is 10.77.0.2
		mesh compute3->compute1 mesh-ssh fail ^host-key-changed login as root and nova by compute1, compute1.lab.example \(2 of 4 names\)
	LINES
}

break_peer-is-loopback() { edit_hosts compute2 's/^10\.77\.0\.3\t/127.0.1.1\t/'; }
mend_peer-is-loopback() { hosts_back compute2; }
expect_peer-is-loopback() {
	echo "check compute2 names-equal fail compute3 is 127.0.1.1 instead of 10.77.0.3"
}

# What the Debian installer writes. Nobody but the host itself asks there, so it must not be held against it.
break_own-name-loopback() { edit_hosts compute2 's/^10\.77\.0\.2\t/127.0.1.1\t/'; }
mend_own-name-loopback() { hosts_back compute2; }
expect_own-name-loopback() { :; }

break_nova-uid() { on compute3 usermod -u 1162 nova; }
mend_nova-uid() { on compute3 usermod -u 162 nova; }
expect_nova-uid() {
	echo "check cluster nova-ids-equal fail compute3 has 1162:162; compute\[1-2\] \(most\) has 162:162"
}

break_libvirt-stopped() { on compute2 service libvirtd stop; }
mend_libvirt-stopped() { on compute2 service libvirtd start; }
expect_libvirt-stopped() {
	echo "check compute2 libvirt-running fail libvirt-sock"
}

set_uuid='sed -i "s/^host_uuid = .*/host_uuid = \"$1\"/" /etc/libvirt/libvirtd.conf && service libvirtd restart'
uuid_of() { # HOST
	on "$1" sed -n 's/^host_uuid = "\(.*\)"/\1/p' /etc/libvirt/libvirtd.conf
}
break_same-uuid() {
	own_uuid=$(uuid_of compute3)
	on compute3 sh -c "$set_uuid" sh "$(uuid_of compute2)"
}
mend_same-uuid() { on compute3 sh -c "$set_uuid" sh "$own_uuid"; }
expect_same-uuid() {
	echo "check cluster host-uuid-unique fail refuses to migrate .*compute\[2-3\] have $(uuid_of compute2)"
}

sshd_restart='kill "$(cat /run/sshd.pid)" && rm -f /run/sshd.pid && until /usr/sbin/sshd; do sleep 0.1; done'
controller_learns() { # HOST: by way of its console, as the remedy says
	local number=${1#compute}
	on "$1" sh -c 'cat /etc/ssh/ssh_host_*_key.pub' | while read -r type blob _; do
		echo "$1,$1.lab.example,10.77.0.$number,10.78.0.$number $type $blob"
	done | ctl sh -c 'f=$HOME/.ssh/known_hosts; { grep -v "^$1," "$f"; cat; } >"$f.new" && mv "$f.new" "$f"' sh "$1"
}
break_host-key-changed() {
	on compute2 sh -c "rm /etc/ssh/ssh_host_*_key* && ssh-keygen -q -A && $sshd_restart"
	local before
	before=$(fingerprint compute2)
	run_migprep apply
	expect_status 4 "host-key-changed: the controller refuses the host, which costs exit status 4"
	expect_exactly apply <<-'LINES'
		apply compute2 host-reach fail host key .*SHA256:.*known_hosts
	LINES
	expect_same "host-key-changed: nothing was changed on the refused host" "$(fingerprint compute2)" "$before"
	expect_json "host-key-changed: nothing was changed anywhere" '.summary.applied.total == 0'
	controller_learns compute2
}
expect_host-key-changed() {
	# Every host knows every host, itself too.
	cat <<-'LINES'
		check compute1 ssh-known-hosts drift known_hosts .*compute2
		check compute2 ssh-known-hosts drift known_hosts .*compute2
		check compute3 ssh-known-hosts drift known_hosts .*compute2
		mesh compute1->compute2 mesh-ssh fail ^host-key-changed login as root and nova by every name
		mesh compute3->compute2 mesh-ssh fail ^host-key-changed login as root and nova by every name
	LINES
}

break_host-down() { lab stop compute3; }
mend_host-down() {
	lab start compute3
	# The lab's boot loads the packet filter but no sysctl.d.
	on compute3 sysctl -q -p /etc/sysctl.d/60-migprep.conf
}
expect_host-down() {
	cat <<-'LINES'
		check compute3 host-reach fail connect to 10.77.0.3 port 22
		mesh compute3 host-reach fail connect to 10.77.0.3 port 22
	LINES
}
during_host-down() { # COMMAND
	expect_json "host-down: $1 is over within the deadline of the one that is down" '.duration_ms < 15000'
	expect_json "host-down: $1 has looked at the others" '[.hosts[] | select(.reached) | .name] == ["compute1", "compute2"]'
	[ "$1" != mesh ] || expect_json "host-down: the pairs of the others were tried, those with it say why not" \
		'([.pairs[] | select(.tried)] | length) == 2 and ([.pairs[] | select(.why // "" | test("compute3"))] | length) == 4'
}

# ---- the frame ----

# What the last report tells of places that are not in order: "PLACE ID STATUS CAUSE REASON | REMEDY", CAUSE being - where
# the finding has none. No NFS server runs in the lab, so what apply put into fstab stays unmounted.
told() {
	jq -r 'def line($place): .results[]? | select(.status != "ok" and .status != "skip")
			| select(.id != "nfs-mount" or (.reason | test("is in fstab but not mounted") | not))
			| "\($place) \(.id) \(.status) \((.data | objects | .cause?) // "-") \(.reason) | \(.remedy)" | gsub("\n"; " ");
		(.hosts[]? | line(.name)), (.pairs[]? | line("\(.source)->\(.target)")),
		(.cluster[]? | select(.status != "ok" and .status != "skip") | {results: [.]} | line("cluster"))' "$JSON"
}

# These findings, "COMMAND PLACE ID STATUS REGEX" each, and no others but those in order.
expect_exactly() { # COMMAND <LINES
	local command place id status regex got want='' all lines
	lines=$(cat)
	all=$(told)
	while read -r command place id status regex; do
		[ "$command" = "$1" ] || continue
		want+="$place $id $status"$'\n'
		got=$(awk -v it="$place $id $status " 'index($0, it) == 1 { print substr($0, length(it) + 1) }' <<<"$all")
		if grep -qE -- "$regex" <<<"$got"; then
			ok "$name: $command tells of $place: $id is $status ($regex)"
		else
			not_ok "$name: $command tells of $place: $id is $status ($regex)" "${got:-not told}"
		fi
	done <<<"$lines"
	expect_same "$name: $1 tells of nothing else" "$(cut -d' ' -f1-3 <<<"$all" | LC_ALL=C sort)" \
		"$(printf %s "$want" | LC_ALL=C sort)"
}

defined() { declare -F "$1" >/dev/null; }

look() { # COMMAND STATUS
	run_migprep "$1" --connect-timeout 5
	[ -z "${SHOW-}" ] || diag "$(cat "$OUT" "$ERR")"
	expect_status "$2" "$name: $1 exits $2"
}

fault() { # NAME COMMAND:STATUS... MEND
	local name=$1 mend=${!#} step
	shift
	set -- "${@:1:$#-1}"
	"break_$name"
	for step in "$@"; do
		look "${step%:*}" "${step#*:}"
		expect_exactly "${step%:*}" < <("expect_$name")
		! defined "during_$name" || "during_$name" "${step%:*}"
	done
	if [ "$mend" = hand ]; then
		look apply "${1#*:}"
		expect_json "$name: apply changes nothing that it may not mend" '.summary.applied.total == 0'
		"mend_$name"
		look check 0
	else
		look apply 0
		expect_json "$name: apply has changed something, all of it well" \
			'.summary.applied.total > 0 and .summary.applied.failed == 0'
	fi
	if [ "$mend" = remedy ]; then
		expect_exactly left < <("expect_$name")
		"remedy_$name"
		look apply 0
	fi
	expect_exactly none </dev/null
	! defined "after_$name" || "after_$name"
}

lab_up 3
name=start
look apply 0
look mesh 0
for row in "${faults[@]}"; do
	read -ra words <<<"$row"
	if [ -z "${FAULTS-}" ] || grep -qwF -e "${words[0]}" <<<"$FAULTS"; then
		fault "${words[@]}"
	fi
done
# Each mesh above has told of its own fault only, so the ones before it were mended; this one tells of the last.
name=end
look mesh 0
expect_exactly none </dev/null
lab_down
plan
