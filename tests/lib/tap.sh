# shellcheck shell=bash
# Test Anything Protocol for shell tests. Source it; end with `plan`.
tap_n=0 tap_failed=0

ok() { # DESCRIPTION
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1"
}

not_ok() { # DESCRIPTION [DETAIL]
	tap_n=$((tap_n + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_n - $1"
	[ -z "${2-}" ] || diag "$2"
}

skip() { # DESCRIPTION REASON
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

diag() { # TEXT
	# shellcheck disable=SC2001 # every line
	sed 's/^/# /' <<<"$1"
}

# The command must succeed; what it prints is shown when it does not.
try() { # DESCRIPTION CMD...
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		ok "$what"
	else
		not_ok "$what" "command: $*"$'\n'"$out"
	fi
}

not() { ! "$@"; }

same() { # GOT EXPECTED
	[ "$1" = "$2" ] && return
	printf 'expected: %s\ngot:      %s\n' "$2" "$1"
	return 1
}

# Tries a condition until it holds; never waits longer than it must.
wait_until() { # SECONDS CMD...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

skip_all() { # REASON: ends a test that cannot run here
	echo "1..0 # SKIP $1"
	exit 0
}

# Ends the test.
plan() {
	echo "1..$tap_n"
	[ "$tap_failed" = 0 ] || exit 1
	exit 0
}
