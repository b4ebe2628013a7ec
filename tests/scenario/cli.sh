#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Mistakes on the command line and in inventory and profile: each ends with exit status 1 and a message that names the place
# and the nearest right word, quickly, and before any host is contacted. And help, for every command and every id.
. "$(dirname "$0")/../lib/scenario.sh"
needs root jq strace
lab_up 1 --sshd-only
bad=$WORK/bad.ini
limit=2000 # ms; sanitizers and a tracer make large inputs ten times as slow
! grep -q __asan_init "$MIGPREP_BUILD/migprep" || limit=20000
quiet_asan="ASAN_OPTIONS=log_path=$WORK/sanitizer:detect_leaks=0" # a tracer stands in the way of the leak detector

# Runs migprep where the hosts can be reached, with its connections written down.
watched() { # ARG...
	local start=${EPOCHREALTIME/./}
	STATUS=0
	ctl env "$quiet_asan" strace -f -qq -e trace=connect -o "$WORK/connects" \
		"$MIGPREP_BUILD/migprep" "$@" >"$OUT" 2>"$ERR" </dev/null || STATUS=$?
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
}

# The last run has complained as it should, in time, and without a connection.
refused() { # DESCRIPTION REGEX
	local why=
	[ "$STATUS" = 1 ] || why+="exit status $STATUS; "
	grep -qE -- "$2" "$ERR" || why+="no match for $2; "
	! grep -q 'AF_INET' "$WORK/connects" || why+="connected: $(cat "$WORK/connects"); "
	[ "$ms" -lt "$limit" ] || why+="took $ms ms; "
	[ "$(wc -l <"$ERR")" = 1 ] || why+="not one line; "
	if [ -z "$why" ]; then ok "$1"; else not_ok "$1" "$why$(head -c 2000 "$ERR")"; fi
}

mistake() { # DESCRIPTION REGEX INVENTORY-TEXT
	printf '%b' "$3" >"$bad"
	watched -i "$bad" check
	refused "inventory: $1" "^migprep: $bad:$2"
}

# The witness itself: a right inventory does connect.
watched -i "$INVENTORY" check
try "an inventory without a mistake gets as far as the host" grep -q 'AF_INET' "$WORK/connects"

host='[host compute1]\naddress = 10.77.0.1\n'
mistake "a section with a typing mistake" "1: .*defaults" '[defaluts]\nssh_user = root\n'"$host"
mistake "a key with a typing mistake" "3: .*address" '[host compute1]\n\nadress = 10.77.0.1\n'
mistake "a key with a typing mistake in defaults" "4: .*ssh_user" "$host"'[defaults]\nssh_usr = root\n'
mistake "a role that is none" "3: .*compute" "$host"'roles = compuet\n'
mistake "a transport that is none" "3: .*openssh" "$host"'transport = opnssh\n'
mistake "a section twice" "3: .*compute1" "$host$host"
mistake "a key twice" "3: .*address" "$host"'address = 10.77.0.2\n'
mistake "a bad address" "2: .*10\\.77\\.0\\.256" '[host compute1]\naddress = 10.77.0.256\n'
mistake "a bad migration address" "3: .*fe80" "$host"'migration_address = fe80::%%eth0\n'
mistake "two hosts with one address" "4: .*10\\.77\\.0\\.1.*compute1" "$host"'[host b]\naddress = 10.77.0.1\n'
mistake "two hosts with one address, written in two ways" "4: .*compute1" \
	'[host compute1]\naddress = 2001:db8::1\n[host b]\naddress = 2001:0db8:0::01\n'
mistake "an alias that is another host" "5: .*compute1" "$host"'[host b]\naddress = 10.77.0.2\naliases = compute1\n'
mistake "a range that runs backwards" "1: .*20-10" '[host compute[20-10]]\n'
mistake "ranges of different length" "2: " '[host compute[1-3]]\naddress = 10.77.0.[1-2]\n'
mistake "a port that is none" "3: .*65535" "$host"'ssh_port = 70000\n'
mistake "a group with a host that is not there" "4: .*compute1" "$host"'[group g]\nhosts = computer1\n'
mistake "a line that is nothing" "3: " "$host"'what is this\n'
mistake "a NUL byte" "3: " "$host"'ssh_user = ro\0ot\n'
mistake "an empty file" "? .*host" ''
mistake "only comments" "? .*host" '# nothing here\n'
mistake "a bad profile parameter" "4: .*nova.release" "$host"'[profile]\nnova.relaese = 29\n'
rm -f "$bad"
watched -i "$bad" check
refused "inventory: the file is missing" "^migprep: .*$bad.*(No such file|does not exist)"
watched -i "$WORK" check
refused "inventory: it is a directory" "^migprep: .*$WORK"
{ printf '%b' "$host"; printf 'aliases = '; head -c 1048576 /dev/zero | tr '\0' a; echo; } >"$bad"
watched -i "$bad" check
refused "inventory: a line of 1 MiB" "^migprep: $bad:3: .*65536"
{ echo '[host n[000001-100000]]'; } >"$bad"
watched -i "$bad" check
refused "inventory: a range of 100,000 hosts" "^migprep: $bad: 100000 hosts; at most 10000"
awk 'BEGIN { for (i = 1; i <= 100000; i++) print "[host n" i "]" }' >"$bad"
watched -i "$bad" check
refused "inventory: 100,000 sections" "^migprep: $bad: 100000 hosts; at most 10000"

# ---- forms that are right ----

{ printf '\357\273\277'; cat "$INVENTORY"; } >"$bad"
run_migprep check
cp "$JSON" "$WORK/plain.json"
accepted() { # DESCRIPTION
	INVENTORY=$bad run_migprep check
	expect_same "$1 is read like the plain file" "$(jq -S '[.hosts, .summary]' "$JSON")" "$(jq -S '[.hosts, .summary]' "$WORK/plain.json")"
}
accepted "a byte order mark"
sed 's/$/\r/' "$INVENTORY" >"$bad"
accepted "CRLF"
printf '%s' "$(cat "$INVENTORY")" >"$bad"
accepted "a last line without newline"

# ---- the command line ----

wrong() { # DESCRIPTION REGEX ARG...
	local what=$1 regex=$2
	shift 2
	watched -i "$INVENTORY" "$@"
	refused "command line: $what" "^migprep: .*$regex"
}
wrong "an unknown command" "'chekc'.*check" chekc
wrong "an unknown option" "'--reprot'.*--report" --reprot json:- check
wrong "an unknown letter" "'-Z'" -Z check
wrong "an option without its value" "needs a value" check --report
wrong "an unknown profile" "nova-nsf.*nova-nfs" -p nova-nsf check
wrong "an unknown section of a parameter" "nvoa.*nova" --set nvoa.release=29 check
wrong "an unknown parameter" "nova.relaese.*release" --set nova.relaese=29 check
wrong "a parameter with a value that is none" "release" --set nova.release=new check
wrong "a parameter without a value" "=VALUE|=" --set nova.release check
wrong "an unknown host" "'compute2'.*compute1" check compute2
wrong "an unknown report format" "'jsn'.*json" --report jsn:/tmp/x check
wrong "a report without a file" "FILE" --report json: check
wrong "a report to a directory that is not there" "$WORK/none/report.json.*No such file" --report "json:$WORK/none/report.json" check
wrong "a report to a directory" "$WORK.*[Ii]s a directory" --report "json:$WORK" check
wrong "a number that is none" "--forks 'many'" --forks many check
wrong "a number out of bounds" "--timeout '0'" --timeout 0 check
wrong "an ssh configuration that is not there" "$WORK/none" -F "$WORK/none" check
watched
expect_same "no command at all: the usage, and exit status 1" "$STATUS $(grep -c ^usage: "$ERR")" "1 1"
STATUS=0
ctl env "$quiet_asan" "$MIGPREP_BUILD/migprep" -i "$INVENTORY" check >/dev/full 2>"$ERR" || STATUS=$?
expect_same "a standard output that is full costs exit status 1 and a message" "$STATUS $(grep -c -m 1 'No space left' "$ERR")" "1 1"

# ---- help ----

migprep() { "$MIGPREP_BUILD/migprep" "$@"; }
commands=$(migprep --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
expect_same "--help names every command of the design that is built" \
	"$(grep -cxE 'check|apply|mesh|verify|run|facts|explain|help' <<<"$commands")" 8
options=$(migprep --help | grep -oE -- '--[a-z-]+' | sort -u)
try "--help names every option" [ "$(wc -l <<<"$options")" -ge 16 ]
for command in $commands; do
	status=0
	text=$(migprep "$command" --help) || status=$?
	expect_same "$command --help exits 0, says how it is used, and names every option" \
		"$status $(head -n 1 <<<"$text" | cut -d ' ' -f 1-4) $(grep -oE -- '^ .*--[a-z-]+' <<<"$text" | grep -oE -- '--[a-z-]+' | sort -u | xargs)" \
		"0 usage: migprep [OPTION...] $command $(xargs <<<"$options")"
done
man_options=$(sed -n '/^\.Sh OPTIONS/,/^\.Sh /p' "$SRCDIR/man/migprep.1" | grep -oE 'Fl Fl [a-z-]+|Fl -[a-z-]+' | sed 's/.* -*/--/' | sort -u)
expect_same "the man page has the same options" "$man_options" "$options"

ids=$(migprep explain --list)
expect_same "explain --list and the man page have the same ids" \
	"$(sort <<<"$ids")" "$(sed -n '/^\.Sh FINDINGS/,/^\.Sh /s/^\.It Cm //p' "$SRCDIR/man/migprep.1" | sort)"
bad=
for id in $ids; do
	text=$(migprep explain "$id") || bad+="$id: exit status $?"$'\n'
	[[ $text == "$id: "?* ]] || bad+="$id: no summary"$'\n'
	for part in prevents checked remedy apply source; do
		# The label, and more than two words of text.
		grep -qE "^$part +[^ ]+" <<<"$text" || bad+="$id: no $part"$'\n'
	done
done
try "explain knows more than 25 ids" [ "$(wc -l <<<"$ids")" -gt 25 ]
expect_same "explain ID says all five parts of each" "$bad" ""
status=0
migprep explain nova-shel 2>"$ERR" || status=$?
expect_same "an id with a typing mistake gets the nearest one" "$status $(grep -c "'nova-shel'.*'nova-shell'" "$ERR")" "1 1"
lab_down
plan
