#!/usr/bin/env bash
# The inside of a node. `link` runs in a network namespace of its own and makes
# the cable to the bridge; then `boot` becomes process 1 of the rest.
#
# This is not `ip netns exec`: that mounts another /sys, which hides the control
# groups from the engine, and leaves /run/netns behind.
set -euo pipefail

link() {
	ip link set lo up
	ip link add eth0 address "$NODE_MAC" type veth peer name "$NODE_VETH" netns "$LAB_PID"
	nsenter --net="/proc/$LAB_PID/ns/net" ip link set "$NODE_VETH" master "$NODE_BRIDGE" up
	ip address add "$NODE_ADDRESS" dev eth0
	ip link set eth0 up
	exec unshare --mount --uts --ipc --pid --fork --kill-child bash "$0" boot
}

boot() {
	note_process_id
	hostname "$NODE_NAME"
	# -n: mount would make a folder for its notes in the machine's /run.
	mount -n -t tmpfs -o mode=755 tmpfs /run
	mount -t proc proc /proc
	private_folders
	disk

	mkdir -p /run/sshd
	/usr/sbin/sshd -D -e -f "$NODE_DIR/sshd_config" >>"$NODE_DIR/sshd.log" 2>&1 &
	dockerd --config-file "$NODE_DIR/daemon.json" >>"$NODE_DIR/engine.log" 2>&1 &

	# Process 1 collects the children of those who died; bash does so by itself
	# as long as it waits.
	while :; do
		sleep infinity &
		wait $! || true
	done
}

# While /proc is still the machine's, it tells which process we are there.
note_process_id() {
	local pid rest
	# shellcheck disable=SC2034 # only the first word is wanted
	read -r pid rest </proc/self/stat
	echo "$pid" >"$NODE_PID_FILE"
}

# The node reads the machine's files, but what is written to these folders (the
# engine's key in /etc/docker, containerd's /opt, logins, …) stays in memory here.
# Root has a home of its own: a shell there is not the machine's, and `docker
# login` lasts as long as the node's disk.
private_folders() {
	local folder layer
	mount --bind "$NODE_DIR/home" "$(getent passwd 0 | cut -d: -f6)"
	for folder in /etc /opt /var/log /var/lib; do
		[ -d "$folder" ] || continue
		layer=/run/private$folder
		mkdir -p "$layer/new" "$layer/work"
		mount -t overlay -o "lowerdir=$folder,upperdir=$layer/new,workdir=$layer/work" overlay "$folder"
	done

	# A locked root may not log in without PAM; nobody else logs in here.
	rm -f /etc/shadow /etc/resolv.conf
	(umask 077 && echo 'root:*:19000:0:99999:7:::' >/etc/shadow)
	# Nothing listens there, so that a name that nobody knows fails at once
	# instead of after a time-out.
	echo "nameserver $NODE_DNS" >/etc/resolv.conf
}

# The engine's disk lies where every engine has it: whatever its data root is
# called, an engine also writes to /var/lib/docker/network.
disk() {
	mkdir -p /var/lib/docker
	if [ -f "$NODE_DIR/data.img" ]; then
		mount -o loop "$NODE_DIR/data.img" /var/lib/docker
	else
		mount --bind "$NODE_DIR/data" /var/lib/docker
	fi
}

"$1"
