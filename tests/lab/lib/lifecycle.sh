# shellcheck shell=bash
# The lab as a whole: up, down, and what is the case.

# Its presence says that a folder is a lab's, and may be removed as such.
MARK=.imgstack-lab

lab_up() {
	local failed=0 begin=$SECONDS was_there=0
	check_state_folder
	install_missing
	check_bridge_is_ours
	if lab_is_up; then
		say "already up in $STATE"
		return
	fi
	[ ! -d "$STATE" ] || was_there=1
	# In a subshell, and not as a condition, since bash would ignore its errors there.
	set +e
	(set -e && bring_up)
	failed=$?
	set -e
	if [ "$failed" -ne 0 ]; then
		[ "$was_there" -eq 1 ] || die "the lab does not come up"
		say "cannot mend what is there: starting over"
		lab_down
		bring_up
	fi
	say "up in $STATE after $((SECONDS - begin)) s; eval \"\$($LAB_SOURCE/lab env)\""
}

# Makes whatever is missing; what is there and well is left alone.
bring_up() {
	local n
	program lab-token-server >/dev/null
	mkdir -p "$STATE"
	chmod 700 "$STATE"
	touch "$STATE/$MARK"
	for n in "${FIRST_NODES[@]}"; do mkdir -p "$STATE/node-$n"; done
	make_keys
	make_bridge
	write_ssh_client
	each registry_start "${REGISTRIES[@]}"
	each_node node_mend
	write_known_hosts
	swarm_make
}

node_mend() {
	node_runs "$1" && return
	node_stop "$1"
	node_start "$1"
}

lab_is_up() {
	[ -f "$STATE/$MARK" ] && bridge_exists &&
		each registry_runs "${REGISTRIES[@]}" && each_node node_runs &&
		has_leader && all_nodes_are_ready &&
		[ "$(known_nodes | wc -l)" -ge "${#FIRST_NODES[@]}" ]
}

lab_down() {
	local n name
	check_state_folder
	check_bridge_is_ours
	each_node node_stop
	for name in "${REGISTRIES[@]}"; do registry_stop "$name"; done
	remove_bridge
	remove_cgroups
	remove_state_folder
}

# The mark goes last, so that a `down` that was killed can be said again.
remove_state_folder() {
	[ -d "$STATE" ] || return 0
	find "$STATE" -mindepth 1 -maxdepth 1 ! -name "$MARK" -exec rm -rf --one-file-system {} +
	rm -f "$STATE/$MARK"
	rmdir "$STATE"
}

# The nodes have these folders for themselves (see machine.sh) and would not see
# a lab in one of them; and what is not a lab's must not be removed.
check_state_folder() {
	local home
	home=$(getent passwd 0 | cut -d: -f6)
	case $STATE/ in
	/run/* | /etc/* | /opt/* | /var/log/* | /var/lib/* | "$home"/*) die "IMGSTACK_LAB may not be in $STATE: take a folder such as /var/tmp/imgstack-lab" ;;
	esac
	[[ $STATE =~ ^[A-Za-z0-9._/-]+$ ]] || die "the path IMGSTACK_LAB may hold letters, digits and . _ - / only"
	# A socket's path may have 107 characters.
	[ ${#STATE} -le 80 ] || die "the path IMGSTACK_LAB is too long for a socket in it"
	[ ! -e "$STATE" ] || [ -f "$STATE/$MARK" ] || [ -z "$(ls -A "$STATE")" ] ||
		die "$STATE is there, but it is no lab"
}

lab_env() {
	cat <<-ENV
		export IMGSTACK_LAB='$STATE'
		export IMGSTACK_LAB_ANONYMOUS='$(registry_address anonymous)'
		export IMGSTACK_LAB_PRIVATE='$(registry_address private)'
		case ":\$PATH:" in "*:$STATE/bin:*") ;; *) export PATH='$STATE/bin':"\$PATH" ;; esac
	ENV
}

lab_status() {
	local n name word
	for n in $(known_nodes); do
		word=stopped
		! node_runs "$n" || word="runs, $(swarm_state "$n") in the Swarm"
		printf '%-16s %-16s %s\n' "$(node_name "$n")" "$(node_address "$n")" "$word"
	done
	for name in "${REGISTRIES[@]}"; do
		word=stopped
		! registry_runs "$name" || word=runs
		printf '%-16s %-16s %s\n' "$name" "$(registry_address "$name")" "$word"
	done
	lab_is_up
}
