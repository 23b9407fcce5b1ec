#!/bin/sh
# A docker that builds nothing: it writes down what it was told, waits where a
# test wants to do something meanwhile, and gives the answers that lie in $STAGE.
printf '%s\n' "$*" >>"$STAGE/told"

wait_for() {
	[ -e "$STAGE/wait-$1" ] || return 0
	trap 'echo stopped >>"$STAGE/told"; exit 130' INT
	: >"$STAGE/at-$1"
	while [ -e "$STAGE/wait-$1" ]; do sleep 0.02; done
}

case "$1 $2" in
"buildx version") [ -e "$STAGE/driver" ] ;;
"buildx inspect") printf 'Name:          default\nDriver:        %s\n\nNodes:\n' "$(cat "$STAGE/driver")" ;;
"push "*)
	wait_for push
	[ ! -e "$STAGE/complaint" ] || { cat "$STAGE/complaint" >&2; exit 1; }
	printf '%s: digest: %s size: 528\n' "${2##*:}" "$(cat "$STAGE/digest")"
	;;
"buildx build" | "build "*)
	[ -z "$DOCKER_CONFIG" ] || cat "$DOCKER_CONFIG/config.json" >"$STAGE/config" 2>/dev/null
	stat -c %a "$DOCKER_CONFIG" "$DOCKER_CONFIG/config.json" >"$STAGE/modes" 2>/dev/null
	env | grep '^DOCKER_' >"$STAGE/environment"
	echo "Step 1/1 : FROM scratch"
	echo "a warning" >&2
	wait_for build
	[ ! -e "$STAGE/fail" ] || exit 1
	while [ $# -gt 1 ]; do
		case $1 in
		--metadata-file) printf '{"containerimage.digest":"%s"}' "$(cat "$STAGE/digest")" >"$2" ;;
		--iidfile) printf 'sha256:1234' >"$2" ;;
		esac
		shift
	done
	;;
*) exit 64 ;;
esac
