#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# No private key, and no password of nova.conf, ever leaves its place: not into reports, output, logs, the journal, temporary
# files, or the arguments of any program; not with a shared key pair, a dry run, --verbose, or a run that fails.
# shellcheck disable=SC2016 # expanded on the hosts
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq strace xmllint
lab_up 2
password=Tr0ub4dor.and.3+x/7q
seen=$WORK/seen # everything that anybody could read afterwards
mkdir "$seen"

for host in compute1 compute2; do
	on $host sh -c "printf '%s\n' '[DEFAULT]' 'transport_url = rabbit://nova:$password@10.77.0.9:5672/' '[database]' \
		'connection = mysql+pymysql://nova:$password@10.77.0.9/nova' >/etc/nova/nova.conf"
done
run_migprep apply
expect_status 0 "the hosts are in order, libvirt restarted: no tracer gets hold of it"

for host in compute1 compute2; do
	# What any process is started with, from every login on: the agent and all that it runs.
	on $host sh -c 'cat >/usr/sbin/lab-shell && chmod 0755 /usr/sbin/lab-shell && mkdir -m 0700 /run/argv' <<-'SH'
		#!/bin/bash
		export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 # a tracer stands in the way of the leak detector
		exec strace -D -f --seccomp-bpf -qq -s 1000000 -v -e trace=execve -o "/run/argv/$$" /bin/bash "$@"
	SH
	on $host usermod -s /usr/sbin/lab-shell root
	on $host sh -c 'rm -rf /root/.ssh/id_* /var/lib/nova/.ssh/id_*'
done

# Every private key that there is, now: of root and nova, of sshd, and the controller's own.
collect_keys() { # to $WORK/keys, one file each
	mkdir -p "$WORK/keys"
	local host f
	for host in compute1 compute2; do
		for f in $(on $host find /root /var/lib/nova /etc/ssh -type f -path '*/.ssh/*id_*' -o -name 'ssh_host_*_key'); do
			case $f in *.pub*) continue ;; esac
			on $host cat "$f" >"$WORK/keys/$host$(tr / _ <<<"$f").${1// /-}"
		done
	done
	ctl cat "$MIGPREP_LAB/fs/home/.ssh/id_ed25519" >"$WORK/keys/controller"
	chmod 0600 "$WORK"/keys/*
	# One of them is damaged in the end.
	for f in "$WORK"/keys/*; do ssh-keygen -y -P '' -f "$f" 2>/dev/null || [ "$1" = "a run that fails" ]; done >"$WORK/public"
}

# The lines of all keys, and pieces of them wherever they begin: what is not in the public half, and not in every key.
make_needles() {
	local f
	for f in "$WORK"/keys/*; do
		grep -v -e '-----' "$f" | grep -E '.{20}' || [ $? = 1 ]
		# Joined and cut anew, for a writer that breaks lines elsewhere or not at all; without the head, which is the
		# same in all keys, and the public half: the last third is secret, comment and padding.
		grep -v -e '-----' "$f" | tr -d '\n' | awk '{ n = length($0); for (i = int(n * 2 / 3); i + 24 <= n; i += 8) print substr($0, i, 24) }'
	done | sort -u >"$WORK/needles.all"
	# What the public halves say, too, is no secret; nor what several keys have in common.
	for f in "$WORK"/keys/*; do
		grep -v -e '-----' "$f" | sort -u
	done | sort | uniq -c | awk '$1 > 1 { print $2 }' >"$WORK/common"
	awk 'NR == FNR { public = public " " $0; next } index(public, $0)' "$WORK/public" "$WORK/needles.all" >>"$WORK/common"
	{
		grep -vxFf "$WORK/common" "$WORK/needles.all" || [ $? = 1 ]
		echo "$password"
		echo "BEGIN OPENSSH PRIVATE"
		echo "PRIVATE KEY-----"
	} >"$WORK/needles"
}

# migprep with everything that comes out of it kept: as $seen/NAME.*
job() { # NAME STATUS ARG...
	local name=$1 expected=$2
	shift 2
	STATUS=0
	mkdir -p "$WORK/tmp"
	ctl env TMPDIR="$WORK/tmp" ASAN_OPTIONS="log_path=$WORK/sanitizer:detect_leaks=0" \
		strace -f --seccomp-bpf -qq -s 1000000 -v -e trace=execve,openat,creat,mkdir -o "$seen/$name.argv" \
		"$MIGPREP_BUILD/migprep" -i "$INVENTORY" --report "json:$seen/$name.json" --report "junit:$seen/$name.xml" \
		--report "text:$seen/$name.txt" "$@" >"$seen/$name.out" 2>"$seen/$name.err" </dev/null || STATUS=$?
	cp "$seen/$name.json" "$JSON" 2>/dev/null || :
	cp "$seen/$name.out" "$OUT"
	cp "$seen/$name.err" "$ERR"
	expect_status "$expected" "$name: exit status $expected"
}

# Copies what the hosts keep: the journal without the kept old files, logs, arguments.
gather() { # NAME
	local host
	for host in compute1 compute2; do
		mkdir -p "$seen/$1.$host"
		on $host sh -c 'tar -cf - --exclude="*.old" -C / var/lib/migprep/journal var/log run/argv 2>/dev/null || [ $? = 1 ]' |
			tar -xf - -C "$seen/$1.$host"
		# The old content of files that are no keys may have a password, and is for root only; a key must not be there.
		mkdir -p "$seen/$1.$host.old"
		on $host sh -c 'cd /var/lib/migprep/journal && tar -cf - $(find . -name "*.old")' | tar -xf - -C "$seen/$1.$host.old"
	done
}

nothing_seen() { # DESCRIPTION
	local found
	collect_keys "$1"
	make_needles
	# Nova's own file was kept before it was changed, so the password is in the journal's copy, and only there.
	found=$(grep -rlFf "$WORK/needles" "$seen" --exclude-dir='*.old' | sed "s|$seen/||" || [ $? = 1 ])
	found+=$(grep -vxF "$password" "$WORK/needles" | grep -rlFf - "$seen" | sed "s|$seen/||" || [ $? = 1 ])
	expect_same "$1: no secret in $(find "$seen" -type f | wc -l) files of output, reports, logs, journal and arguments ($(wc -l <"$WORK/needles") needles)" \
		"$found" ""
}

# ---- the needles are sharp ----

collect_keys start
make_needles
try "the needles find a key in a file that holds one" grep -qFf "$WORK/needles" "$WORK/keys/controller"
try "and one with other line breaks" grep -qFf "$WORK/needles" <(tr -d '\n' <"$WORK/keys/controller")
expect_same "and no public key" \
	"$(on compute1 sh -c 'cat /etc/ssh/*.pub /root/.ssh/authorized_keys' | grep -cFf "$WORK/needles" || [ $? = 1 ])" 0

# ---- the jobs ----

job dry-run 2 run --dry-run --verbose
nothing_seen "run --dry-run --verbose"
job run 0 run --verbose
gather run
nothing_seen "run --verbose"
try "the journal has the old nova.conf, passwords included" grep -rqF "$password" "$seen"/run.compute1.old
for host in compute1 compute2; do
	expect_same "$host: its journal is for root only: directories 0700, files 0600" \
		"$(on $host sh -c 'find /var/lib/migprep -maxdepth 0 -printf "%u:%g %y %m\n"; find /var/lib/migprep/journal -printf "%u:%g %y %m\n"' | sort -u)" \
		$'root:root d 700\nroot:root f 600'
done
job check 0 check
job facts 0 facts
gather facts
nothing_seen "facts"
try "the facts have the public halves" grep -q 'SHA256:' "$seen/facts.out"
try "the witness of arguments has seen the agent and ssh-keygen" \
	grep -qE 'execve\("[^"]*/migprep-agent' <(cat "$seen"/facts.compute1/run/argv/*)
try "and ssh-keygen" grep -qE 'execve\("[^"]*/ssh-keygen' <(cat "$seen"/run.compute1/run/argv/*)

# One pair for all: the only time that a private key travels.
for host in compute1 compute2; do on $host sh -c 'rm -rf /root/.ssh/id_* /var/lib/nova/.ssh/id_*'; done
job shared 0 run --set ssh.keys=shared --verbose
gather shared
expect_same "shared: both hosts have one pair" \
	"$(on compute1 sha256sum /root/.ssh/id_ed25519 /var/lib/nova/.ssh/id_ed25519)" "$(on compute2 sha256sum /root/.ssh/id_ed25519 /var/lib/nova/.ssh/id_ed25519)"
nothing_seen "run --set ssh.keys=shared"
job shared-facts 0 facts --set ssh.keys=shared

# A run that fails in the middle of the keys, and one with a key that is damaged.
on compute2 sh -c 'rm -f /root/.ssh/id_ed25519 /root/.ssh/id_ed25519.pub; mkdir /root/.ssh/id_ed25519.pub'
on compute1 sed -i '3s/^...../#####/' /var/lib/nova/.ssh/id_ed25519
on compute2 sh -c "echo 'connection $password' >>/etc/nova/nova.conf; printf '[libvirt\n' >>/etc/nova/nova.conf"
job failing 6 run --set ssh.keys=shared --verbose
gather failing
nothing_seen "a run that fails"

# ---- the controller's temporary files ----

expect_same "the controller leaves no temporary file" "$(find "$WORK/tmp" -mindepth 1)" ""
expect_same "what it makes lies in directories of mode 0700" \
	"$(grep -hE "mkdir.*$WORK/tmp|$WORK/tmp.*O_CREAT" "$seen"/*.argv | sed -E "s#.*(mkdir|openat).*$WORK/tmp/migprep-......#\1 #; s/^openat \/.*/inside/; s/^mkdir \", 0700.*/directory 0700/" | sort -u)" \
	$'directory 0700\ninside'
for host in compute1 compute2; do on $host usermod -s /bin/bash root; done
lab_down
plan
