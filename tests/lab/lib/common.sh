# shellcheck shell=bash
# Words to people, waiting, and daemons that can always be found again.

say() { printf 'lab: %s\n' "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# wait_until SECONDS WHAT CMD…: asks CMD again and again until it says yes, or
# until the script that wanted to know was killed.
wait_until() {
	local seconds=$1 what=$2 end
	shift 2
	end=$((SECONDS + seconds))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || die "waited $seconds s in vain for $what"
		[ -d "/proc/$$" ] || exit 1
		sleep 0.05
	done
}

# each FUNCTION ARGUMENT…: FUNCTION for every argument, all at once; fails when one does.
each() {
	local function=$1 argument pid failed=0 pids=()
	shift
	for argument in "$@"; do
		"$function" "$argument" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	return "$failed"
}

# launch NAME LOG CMD…: a daemon that outlives this script. It notes its own
# process id before it turns into CMD, so that `down` finds it even when this
# script is killed in between.
launch() {
	local name=$1 log=$2
	shift 2
	mkdir -p "$STATE/run"
	# shellcheck disable=SC2016 # expanded by the inner shell
	IMGSTACK_LAB_PROCESS="$STATE/$name" setsid \
		bash -c 'echo $$ >"$0"; exec "$@"' "$STATE/run/$name.pid" "$@" \
		</dev/null >>"$log" 2>&1 {LOCK}<&- &
}

# lab_pid NAME: the process of that daemon. A number alone proves nothing after
# a reboot, so the process must carry the daemon's name in its environment.
lab_pid() {
	local pid
	pid=$(cat "$STATE/run/$1.pid" 2>/dev/null) || return 1
	grep -qzxF "IMGSTACK_LAB_PROCESS=$STATE/${1%.init}" "/proc/$pid/environ" 2>/dev/null || return 1
	echo "$pid"
}

# end NAME…: kills these daemons and waits until they are gone.
end() {
	local name pid
	for name in "$@"; do
		if pid=$(lab_pid "$name"); then
			kill -KILL "$pid" 2>/dev/null || true
			wait_until 20 "$name to end" process_is_gone "$pid"
		fi
		rm -f "$STATE/run/$name.pid"
	done
}

# A process nobody has collected yet is gone, too: what runs as process 1 of a
# container often collects nobody.
process_is_gone() {
	local state
	state=$(sed -n 's/^State:\s*\(\S\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 0
	[ -z "$state" ] || [ "$state" = Z ]
}
