# shellcheck shell=bash
# What the scenarios (tests/scenario/*.sh) share: a lab of their own, the built migprep in it, and
# expectations about its exit status and its JSON report. A scenario is
#
#	. "$(dirname "$0")/../lib/scenario.sh"
#	needs root
#	lab_up 2
#	run_migprep check
#	expect_status 2 "untouched hosts have drift"
#	expect_finding compute1 nova-shell drift nologin
#	plan
#
# MIGPREP_BUILD is the build directory (./check gives one with sanitizers); KEEP_LAB=1 leaves the lab running.
set -euo pipefail
scenario_name=$(basename "$0" .sh)
SRCDIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$SRCDIR/tests/lib/tap.sh"
MIGPREP_BUILD=$(cd "${MIGPREP_BUILD:-$SRCDIR/build/check/asan}" 2>/dev/null && pwd) ||
	{ echo "Bail out! no build in ${MIGPREP_BUILD:-build/check/asan}; run ./check, or set MIGPREP_BUILD"; exit 1; }
export MIGPREP_LAB=/run/migprep-scenario-$scenario_name.$$
export MIGPREP_AGENT_DIR=$MIGPREP_BUILD MIGPREP_PROFILE_PATH=$SRCDIR/profiles
WORK=$(mktemp -d)
INVENTORY=$WORK/inventory.ini # of the lab; a scenario may edit it
OUT=$WORK/stdout ERR=$WORK/stderr JSON=$WORK/report.json
STATUS=
lab_size=0

lab() { "$SRCDIR/tests/lab/lab" "$@"; }
on() { lab exec "$@"; }  # HOST CMD...
ctl() { lab ctl "$@"; }  # CMD...: where the hosts can be reached

scenario_end() {
	local status=$?
	trap - EXIT
	if [ -z "${KEEP_LAB-}" ]; then
		lab down
		rm -rf "$WORK"
	else
		diag "kept: MIGPREP_LAB=$MIGPREP_LAB, $WORK"
	fi
	exit "$status"
}
trap scenario_end EXIT
set -E
trap '[ "$BASH_SUBSHELL" -gt 0 ] || echo "Bail out! ${BASH_SOURCE[0]##*/} line $LINENO: $BASH_COMMAND"' ERR
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Ends the scenario as skipped unless everything named is there: "root" or a program.
needs() {
	local what
	for what in "$@"; do
		if [ "$what" = root ]; then
			[ "$(id -u)" = 0 ] || skip_all "needs root"
		else
			command -v "$what" >/dev/null || skip_all "needs $what"
		fi
	done
}

# A fresh lab: an earlier one of this scenario is taken down, with its sanitizer reports looked at.
lab_up() { # N [--sshd-only]
	local i
	lab_down
	lab up "$@" >"$WORK/lab" 2>&1 || { cat "$WORK/lab"; echo "Bail out! the lab did not come up"; exit 1; }
	lab_size=$1
	lab inventory >"$INVENTORY"
	for ((i = 1; i <= lab_size; i++)); do
		# Read by PAM for every SSH session, so that a sanitizer in the agent reports to a file of its own.
		on "compute$i" sh -c 'mkdir -m 1777 /var/log/sanitizer && printf "%s\n" \
			"ASAN_OPTIONS=log_path=/var/log/sanitizer/asan" \
			"UBSAN_OPTIONS=print_stacktrace=1:log_path=/var/log/sanitizer/ubsan" >>/etc/environment'
	done
}

lab_down() {
	[ "$lab_size" -gt 0 ] || return 0
	sanitizers_silent
	lab down
	lab_size=0
}

# Fails when a sanitizer has reported anything, here or on a host.
sanitizers_silent() {
	local i text
	text=$(find "$WORK" -name 'sanitizer.*' -exec cat {} +)
	for ((i = 1; i <= lab_size; i++)); do
		# A host whose plug was pulled cannot be asked.
		if grep -q "^compute$i .* up" <<<"$(lab status)"; then
			text+=$(on "compute$i" find /var/log/sanitizer -type f -exec cat {} +)
		fi
	done
	if [ -z "$text" ]; then
		ok "sanitizers are silent"
	else
		not_ok "sanitizers are silent" "$text"
	fi
}

# Runs migprep on the lab; sets STATUS and fills $OUT, $ERR, $JSON. The command comes first, options may follow.
run_migprep() { # COMMAND [ARG...]
	rm -f "$JSON"
	STATUS=0
	ctl env ASAN_OPTIONS="log_path=$WORK/sanitizer" \
		UBSAN_OPTIONS="print_stacktrace=1:log_path=$WORK/sanitizer" \
		"$MIGPREP_BUILD/migprep" -i "$INVENTORY" --report "json:$JSON" "$@" >"$OUT" 2>"$ERR" </dev/null ||
		STATUS=$?
}

expect_status() { # N [DESCRIPTION]
	local what="${2:-exit status $1}"
	if [ "$STATUS" = "$1" ]; then
		ok "$what"
	else
		not_ok "$what" "exit status $STATUS, expected $1"$'\n'"$(tail -n 25 "$OUT")"$'\n'"$(tail -n 25 "$ERR")"
	fi
}

# Prints findings of the last report, one a line: "PLACE ID STATUS REASON | REMEDY"; PLACE is a host, SOURCE->TARGET, or
# cluster.
findings() {
	jq -r 'def line($place): .results[]? | "\($place) \(.id) \(.status) \(.reason) | \(.remedy)";
		(.hosts[]? | line(.name)), (.pairs[]? | line("\(.source)->\(.target)")),
		(.cluster[]? | "cluster \(.id) \(.status) \(.reason) | \(.remedy)")' "$JSON"
}

# One finding with this place, id and status, and a reason or remedy that matches the regular expression, must be there.
expect_finding() { # PLACE ID STATUS [REGEX]
	local what="$1: $2 is $3${4:+ ($4)}" found
	found=$(findings | awk -v p="$1" -v i="$2" '$1 == p && $2 == i')
	if awk -v s="$3" '$3 == s' <<<"$found" | grep -qE -- "${4:-.}"; then
		ok "$what"
	else
		not_ok "$what" "found: ${found:-nothing}"
	fi
}

# No finding but these statuses anywhere.
expect_only() { # STATUS...
	local found
	# No NFS server runs in the lab, so what apply put into fstab stays unmounted.
	found=$(findings | awk -v all=" $* " 'index(all, " " $3 " ") == 0' |
		grep -v ' nfs-mount warn .* is in fstab but not mounted') || [ $? = 1 ]
	if [ -z "$found" ] && [ -s "$JSON" ]; then
		ok "only $* in the report"
	else
		not_ok "only $* in the report" "${found:-no report}"
	fi
}

expect_same() { # DESCRIPTION GOT EXPECTED
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "$(diff <(echo "$3") <(echo "$2"))"
	fi
}

# A query over the last report that must be true.
expect_json() { # DESCRIPTION JQ-FILTER
	local got
	if got=$(jq -e "$2" "$JSON" 2>&1); then
		ok "$1"
	else
		not_ok "$1" "$2: $got"
	fi
}

# Everything of a host that migprep may manage: inode, times, owner, mode and content of files, and the kernel's
# rules without their counters. Equal before and after means untouched.
fingerprint() { # HOST
	# shellcheck disable=SC2016 # expanded on the host
	on "$1" sh -c 'for d in /etc/passwd /etc/group /etc/shadow /etc/hosts /etc/exports /etc/fstab /etc/idmapd.conf \
			/etc/nova /etc/nftables.conf /etc/nftables.d /etc/libvirt /etc/sysctl.d /root/.ssh /var/lib/nova; do
		[ -e "$d" ] || continue
		find "$d" -printf "%p %y %i %T@ %U:%G %m %s\n"
		find "$d" -type f -exec sha256sum {} +
	done | sort; nft -s list ruleset; cat /proc/sys/net/ipv4/ip_local_reserved_ports'
}
