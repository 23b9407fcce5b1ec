#!/bin/sh
# Stands in for Patroni: an HTTP API on port 8008, and one member that leads.
#
#   patroni serve MANNER   the member itself; MANNER is good, lagging or fading
#   patroni is PATH        whether GET /PATH would be answered with 200
#   patroni switchover [PEER]
#                          hands leadership to that replica, or to the first one
#                          that is ready
#
# PEERS are the services of all members, each with one task; MEMBER is the own
# one. A member leads when for three rounds nobody did, and nobody that is ready
# comes before it in PEERS. Of two that lead, the later term stays. A member
# that is new follows, so leadership moves when its holder stops.
#
# Absent on purpose: a database, and a quorum. A member that can reach nobody
# leads, which no real one does.

STATE=/tmp/patroni
PORT=8008
# A fading member is ready for so many seconds.
FADES=5
ROUNDS=3

own() { cat "$STATE/$1"; }

# become ROLE TERM
become() {
	echo "$2" >"$STATE/term"
	# Not seen half written by whoever answers meanwhile.
	echo "$1" >"$STATE/role.new"
	mv "$STATE/role.new" "$STATE/role"
	echo "$MEMBER is $1 in term $2"
}

is_ready() {
	case $(own manner) in
	lagging) [ "$(own role)" = leader ] ;;
	fading) [ $(($(date +%s) - $(own started))) -lt "$FADES" ] ;;
	*) true ;;
	esac
}

# is PATH: success for 200, 1 for 503, 2 for 404.
is() {
	case $1 in
	'' | primary | leader | read-write) [ "$(own role)" = leader ] ;;
	replica) [ "$(own role)" = replica ] && is_ready ;;
	readiness | read-only) is_ready ;;
	liveness | health) true ;;
	*) return 2 ;;
	esac || return 1
}

# ask PEER PATH: what it answers; nothing when it does not. Of a static busybox
# neither wget's names nor its time-outs work. A name that has no task is asked
# of servers that nobody reaches.
ask() {
	address=$(timeout 1 nslookup "tasks.$1" 2>/dev/null | sed -n '/^Name:/ { n; s/^Address: *//p; }' | head -n 1)
	[ -n "$address" ] || return 0
	printf 'GET /%s HTTP/1.0\r\n\r\n' "$2" | nc -w 2 "$address" "$PORT" 2>/dev/null | sed '1,/^\r$/d'
}

# ROLE TERM READY. Who is not ready is not elected.
state() {
	ready=no
	! is_ready || ready=yes
	echo "$(own role) $(own term) $ready"
}

# One connection: a request on standard input, the answer on standard output.
answer() {
	read -r _ path _ || return
	while read -r header && [ "${#header}" -gt 1 ]; do :; done
	path=${path#/}
	case $path in
	state) reply 200 "$(state)" ;;
	promote/*)
		become leader "${path#promote/}" >&2
		reply 200 promoted
		;;
	*)
		is "${path%%\?*}"
		case $? in
		0) status=200 ;;
		1) status=503 ;;
		*) status=404 ;;
		esac
		reply "$status" "{\"state\": \"running\", \"role\": \"$(own role)\", \"timeline\": $(own term)}"
		;;
	esac
}

# reply STATUS BODY
reply() {
	printf 'HTTP/1.0 %s x\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s\n' \
		"$1" $((${#2} + 1)) "$2"
}

# Looks at all others once: leads is who leads, and where; first is whether
# nobody that is ready comes before us.
look() {
	leads='' highest=$(own term) first=yes before=yes
	for peer in $PEERS; do
		if [ "$peer" = "$MEMBER" ]; then
			before=no
			continue
		fi
		# shellcheck disable=SC2046
		set -- $(ask "$peer" state)
		[ $# -eq 3 ] || continue
		[ "$2" -le "$highest" ] || highest=$2
		[ "$1" != leader ] || leads="$2 $before"
		[ "$before $3" != "yes yes" ] || first=no
	done
}

# What follows from a look.
decide() {
	# shellcheck disable=SC2086
	set -- $leads
	if [ "$(own role)" = leader ]; then
		quiet=0
		[ $# -eq 2 ] || return 0
		# Of the same term, the one that comes first.
		if [ "$1" -gt "$(own term)" ] || [ "$1 $2" = "$(own term) yes" ]; then
			become replica "$1"
		fi
	elif [ $# -eq 2 ]; then
		quiet=0
	else
		quiet=$((quiet + 1))
		if [ "$quiet" -ge "$ROUNDS" ] && [ "$first" = yes ] && is_ready; then
			become leader $((highest + 1))
		fi
	fi
}

# serve MANNER
serve() {
	mkdir -p "$STATE"
	echo "$1" >"$STATE/manner"
	date +%s >"$STATE/started"
	echo "build $(cat /etc/build) runs"
	become replica 0
	trap 'exit 0' TERM INT
	nc -ll -p "$PORT" -e patroni answer &
	quiet=0
	while :; do
		look
		decide
		sleep 1 &
		wait $!
	done
}

# switchover [PEER]
switchover() {
	if [ "$(own role)" != leader ]; then
		echo "$MEMBER does not lead" >&2
		return 1
	fi
	term=$(own term)
	become replica "$term"
	for peer in ${1:-$PEERS}; do
		[ "$peer" != "$MEMBER" ] || continue
		[ "$(ask "$peer" state | cut -d ' ' -f 3)" = yes ] || continue
		if [ "$(ask "$peer" "promote/$((term + 1))")" = promoted ]; then
			echo "$peer leads now"
			return 0
		fi
	done
	become leader "$term"
	echo "no replica is ready" >&2
	return 1
}

case $1 in
serve | is | answer | switchover) "$@" ;;
*)
	echo "usage: patroni serve MANNER | is PATH | switchover [PEER]" >&2
	exit 64
	;;
esac
