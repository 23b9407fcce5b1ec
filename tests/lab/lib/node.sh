# shellcheck shell=bash
# A node: namespaces that look like a host, with an engine and an sshd in them.
# Its inside is machine.sh.

node_name() { echo "docker-infra-$1"; }
node_address() { echo "10.77.0.$((10 + $1))"; }
# A machine keeps its network card when its power is cut; with a new one the
# others would talk to the old one until they forget it, half a minute later.
node_mac() { echo "02:00:0a:4d:00:0$1"; }
node_socket() { echo "$STATE/node-$1/docker.sock"; }

# The nodes this lab has, running or not.
known_nodes() {
	local folder
	for folder in "$STATE"/node-[1-9]; do
		[ ! -d "$folder" ] || echo "${folder##*-}"
	done
}

each_node() {
	local nodes
	mapfile -t nodes < <(known_nodes)
	each "$1" "${nodes[@]}"
}

need_number() {
	[[ ${1:-} =~ ^[1-9]$ ]] || die "a node is a number from 1 to 9"
}

need_node() {
	need_number "$@"
	[ -d "$STATE/node-$1" ] || die "there is no node $1"
}

# engine N ARGUMENT…: the docker client on the engine of node N.
engine() {
	local n=$1
	shift
	env -u DOCKER_CONTEXT -u DOCKER_TLS_VERIFY -u DOCKER_CERT_PATH docker -H "unix://$(node_socket "$n")" "$@"
}

engine_answers() { engine "$1" version; }
sshd_answers() { (exec 3<>"/dev/tcp/$(node_address "$1")/22") 2>/dev/null; }
node_runs() { lab_pid "node-$1.init" >/dev/null && engine_answers "$1" >/dev/null 2>&1 && sshd_answers "$1"; }

# node_exec N CMD…
node_exec() {
	need_node "$@"
	local n=$1 pid
	shift
	pid=$(lab_pid "node-$n.init") || die "node $n is stopped"
	env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		nsenter --target "$pid" --mount --uts --ipc --net --pid --wd=/ -- "${@:-bash}"
}

# node_start N: makes what is missing of the node and waits until it answers.
node_start() {
	node_prepare "$1"
	node_boot "$1"
	wait_until 30 "the engine of node $1 (see $STATE/node-$1/engine.log)" engine_answers "$1"
	wait_until 10 "the sshd of node $1 (see $STATE/node-$1/sshd.log)" sshd_answers "$1"
}

node_prepare() {
	local n=$1 folder=$STATE/node-$1 size
	size=LAB_SMALL_DISK_$n
	mkdir -p "$folder/data" "$folder/home"
	[ -f "$folder/ssh_host_key" ] || ssh-keygen -q -t ed25519 -N '' -C "" -f "$folder/ssh_host_key"
	if [ -n "${!size:-}" ] && [ ! -f "$folder/data.img" ]; then
		truncate -s "${!size}" "$folder/data.img"
		mkfs.ext4 -q -m 0 "$folder/data.img"
	fi
	write_engine_config "$n" >"$folder/daemon.json"
	write_sshd_config "$n" >"$folder/sshd_config"
}

# A configuration of its own also keeps the engine from reading the machine's.
write_engine_config() {
	jq -n --arg folder "$STATE/node-$1" --arg tls "$STATE/tls" --arg address "$(node_address "$1")" \
		--arg cgroup "/$CGROUP/node-$1" --arg subnet "$SUBNET" '{
		"hosts": ["unix:///run/docker.sock", "unix://\($folder)/docker.sock", "tcp://\($address):2376"],
		"tlsverify": true,
		"tlscacert": "\($tls)/ca.pem",
		"tlscert": "\($tls)/server-cert.pem",
		"tlskey": "\($tls)/server-key.pem",
		"insecure-registries": [$subnet],
		"cgroup-parent": $cgroup,
		"exec-opts": ["native.cgroupdriver=cgroupfs"]
	}'
}

# Node 3 forbids stream forwarding, as some hosts do, so that both ways to reach
# an engine over ssh are met. Strict modes are off since the lab lies below a
# folder that everybody may write to; the lab's own folder is closed.
write_sshd_config() {
	local forwarding=yes
	[ "$1" != 3 ] || forwarding=no
	cat <<-CONFIG
		ListenAddress $(node_address "$1")
		HostKey $STATE/node-$1/ssh_host_key
		AuthorizedKeysFile $STATE/ssh/id_ed25519.pub
		PidFile none
		StrictModes no
		UsePAM no
		UseDNS no
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitUserRC no
		PrintMotd no
		PrintLastLog no
		MaxSessions 200
		MaxStartups 200
		AllowStreamLocalForwarding $forwarding
		Subsystem sftp internal-sftp
	CONFIG
}

node_boot() {
	ip link delete "$BRIDGE-n$1" 2>/dev/null || true
	rm -f "$(node_socket "$1")"
	LAB_PID=$$ NODE_BRIDGE=$BRIDGE NODE_VETH=$BRIDGE-n$1 NODE_NAME=$(node_name "$1") \
		NODE_MAC=$(node_mac "$1") \
		NODE_ADDRESS=$(node_address "$1")/${SUBNET#*/} NODE_DNS=$BRIDGE_ADDRESS \
		NODE_DIR=$STATE/node-$1 NODE_PID_FILE=$STATE/run/node-$1.init.pid \
		launch "node-$1" "$STATE/node-$1/machine.log" \
		unshare --net bash "$LAB_SOURCE/lib/machine.sh" link
}

# node_stop N: as if the power were cut. Ending process 1 of the node ends all
# that runs on it; its network and its mounts go with the last process.
node_stop() {
	end "node-$1.init" "node-$1"
	rm -f "$(node_socket "$1")"
	remove_cgroups "node-$1"
}

# remove_cgroups [NODE]: the kernel keeps a container's control groups when
# whoever made them is killed.
remove_cgroups() {
	local root
	for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ ! -d "$root/$CGROUP${1:+/$1}" ] ||
			find "$root/$CGROUP${1:+/$1}" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
}
