# shellcheck shell=bash
# The bridge that the nodes and the registries meet on.

FORWARD_RULE=(FORWARD -i "$BRIDGE" -o "$BRIDGE" -m comment --comment imgstack-lab -j ACCEPT)

bridge_exists() { ip link show "$BRIDGE" >/dev/null 2>&1; }

# The bridge carries the name of its lab: another lab's is left alone.
bridge_owner() { cat "/sys/class/net/$BRIDGE/ifalias" 2>/dev/null; }

check_bridge_is_ours() {
	local owner
	bridge_exists || return 0
	owner=$(bridge_owner)
	[ -z "$owner" ] || [ "$owner" = "$STATE" ] ||
		die "another lab is up: IMGSTACK_LAB=$owner $LAB_SOURCE/lab down"
}

make_bridge() {
	if ! bridge_exists; then
		# Without an address of its own it would take that of some node.
		ip link add "$BRIDGE" address 02:00:0a:4d:00:ff type bridge
		ip link set "$BRIDGE" alias "$STATE"
	fi
	ip address replace "$BRIDGE_ADDRESS/${SUBNET#*/}" dev "$BRIDGE"
	ip link set "$BRIDGE" up
	allow_forwarding
}

# Bridged frames pass the machine's FORWARD chain where br_netfilter is on, and
# an engine of the machine itself sets that chain to DROP. A chain that lets
# everything through needs no rule of ours.
allow_forwarding() {
	if iptables -S FORWARD 2>/dev/null | grep -qvxF -e '-P FORWARD ACCEPT' &&
		! iptables -C "${FORWARD_RULE[@]}" 2>/dev/null; then
		iptables -I "${FORWARD_RULE[@]}"
	fi
}

remove_bridge() {
	local link
	for link in /sys/class/net/"$BRIDGE"-n[1-9]; do
		[ ! -e "$link" ] || ip link delete "${link##*/}" 2>/dev/null || true
	done
	! bridge_exists || ip link delete "$BRIDGE"
	if iptables -S FORWARD 2>/dev/null | grep -qF imgstack-lab; then
		iptables -D "${FORWARD_RULE[@]}"
	fi
}
