# shellcheck shell=bash
# The Swarm over the nodes. Node 1 made it and is its manager.

swarm_state() { engine "$1" info --format '{{.Swarm.LocalNodeState}}' 2>/dev/null; }
is_member() { [ "$(swarm_state "$1")" = active ]; }

# A manager that has just come back has no leader for a moment.
has_leader() { engine 1 node ls >/dev/null 2>&1; }

all_nodes_are_ready() {
	local ready known
	ready=$(engine 1 node ls --format '{{.Status}}' 2>/dev/null | grep -c Ready || true)
	known=$(known_nodes | wc -l)
	[ "$ready" -eq "$known" ]
}

swarm_make() {
	# A lost node is noticed after three heartbeats; the usual five seconds
	# make for long tests.
	is_member 1 || engine 1 swarm init --advertise-addr "$(node_address 1)" --dispatcher-heartbeat 2s >/dev/null
	wait_until 30 "a leader of the Swarm" has_leader
	each_node swarm_join_worker
	wait_until 30 "all nodes to be ready" all_nodes_are_ready
}

swarm_join_worker() { swarm_join "$1" worker; }

# swarm_join N ROLE
swarm_join() {
	is_member "$1" && return
	engine "$1" swarm join --advertise-addr "$(node_address "$1")" \
		--token "$(engine 1 swarm join-token -q "$2")" "$(node_address 1):2377" >/dev/null
}

node_is_ready() {
	[ "$(engine 1 node inspect --format '{{.Status.State}}' "$(node_name "$1")" 2>/dev/null)" = ready ]
}

# When the manager comes back, the others need a moment to find it again.
wait_until_ready() {
	! lab_pid "node-$1.init" >/dev/null || wait_until 30 "node $1 to be ready" node_is_ready "$1"
}

# swarm_resume N: the power is back; the Swarm has noticed when this returns.
swarm_resume() {
	if node_runs "$1"; then
		say "node $1 runs already"
		return
	fi
	node_stop "$1"
	node_start "$1"
	if is_member "$1" && engine_answers 1 >/dev/null 2>&1; then
		each_node wait_until_ready
	fi
}

# swarm_add N [ROLE]: one more node.
swarm_add() {
	bridge_exists || die "the lab is not up"
	node_runs "$1" || node_start "$1"
	write_known_hosts
	swarm_join "$1" "${2:-worker}"
	wait_until 30 "all nodes to be ready" all_nodes_are_ready
}

swarm_remove() {
	[ "$1" != 1 ] || die "node 1 holds the Swarm; take the lab down instead"
	engine 1 node demote "$(node_name "$1")" >/dev/null 2>&1 || true
	! is_member "$1" || engine "$1" swarm leave --force >/dev/null
	node_stop "$1"
	engine 1 node rm --force "$(node_name "$1")" >/dev/null 2>&1 || true
	rm -rf "$STATE/node-$1"
	write_known_hosts
}

swarm_replace_with_small_disk() {
	[[ ${2:-} =~ ^[0-9]+[KMG]$ ]] || die "a size is a number with K, M or G"
	swarm_remove "$1"
	export "LAB_SMALL_DISK_$1=$2"
	swarm_add "$1"
}
