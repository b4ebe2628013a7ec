# Runs the agent on a host, after having received it where it is not there yet (src/fleet/bootstrap.c).
# The lines are joined by blanks to ONE line and handed over inside single quotes to whatever login shell the user
# has, csh included: so no single quote, no exclamation mark, no backslash other than in \n, and each line ends
# with a separator. Lines starting with # are left out.
umask 077; PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; LC_ALL=C; export LC_ALL;
n=@nonce@; b=@dir@; d=$b/@address@; t=$b/.new.$$; p=migprep-agent;
say() { printf "\nmigprep %s %s\n" "$n" "$1"; };
why() { printf %s "$1" | grep -m 1 annot || printf %s "$1" | head -n 1; };
fail() { rm -rf "$t" 2>/dev/null; say "fail $(printf %s "$1" | tr "\n" " ")"; exit 1; };
good() { cd "$d" 2>/dev/null && [ -O . ] && printf "%s\n" @sums@ | sha256sum -c >/dev/null 2>&1; };
run() {
	[ -x "$d/$p" ] || fail "denied the file system of $b is mounted noexec; run: mount -o remount,exec <its mount point>";
	cd /; exec "$d/$p" --greet "$n"; };
if good; then run; fi;
for c in sha256sum tar head mkdir; do
	command -v $c >/dev/null 2>&1 || fail "unsupported the program $c is missing; install coreutils and tar"; done;
e=$(mkdir -p "$t" 2>&1) || fail "system the agent cannot be stored: $(why "$e"); make $b writable and give it room";
[ -O "$b" ] || fail "denied $b does not belong to root; find out who made it, then remove it";
chmod 700 "$b";
say push;
e=$(head -c @size@ | { tar -xf - -C "$t" 2>&1; r=$?; cat >/dev/null; exit $r; }) || fail "system the agent cannot be stored in $b: $(why "$e"); make room on its file system (df -h $b), or mend what is wrong with it";
d0=$d; d=$t;
good || fail "protocol the agent arrived damaged in $b; look at the disk, then try again";
d=$d0; cd /;
if good; then rm -rf "$t"; else rm -rf "$d"; mv "$t" "$d"; rm -rf "$d/.new.$$"; fi;
find "$b" -mindepth 1 -maxdepth 1 -name "[0-9a-f]*" -printf "%T@ %f\n" | sort -rn | tail -n +3 | while read -r _ o; do
	rm -rf "${b:?}/$o"; done;
find "$b" -maxdepth 1 -name ".new.*" -mmin +60 -exec rm -rf {} + 2>/dev/null;
run;
