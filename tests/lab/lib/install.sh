# shellcheck shell=bash
# What the lab needs from the machine: Debian's packages, and our own programs.

# command:package
NEEDED=(
	dockerd:docker.io docker:docker-cli docker-registry:docker-registry
	ip:iproute2 iptables:iptables sshd:openssh-server ssh:openssh-client
	openssl:openssl busybox:busybox-static jq:jq curl:curl
	nsenter:util-linux mkfs.ext4:e2fsprogs setsid:util-linux
)

install_missing() {
	local entry packages=()
	PATH=$PATH:/usr/sbin:/sbin
	for entry in "${NEEDED[@]}"; do
		command -v "${entry%%:*}" >/dev/null || packages+=("${entry#*:}")
	done
	# Debian's other busybox needs libraries that our images do not have.
	! ldd "$(command -v busybox)" >/dev/null 2>&1 || packages+=(busybox-static)
	[ ${#packages[@]} -gt 0 ] || return 0
	say "installing ${packages[*]}"
	apt-get update -q >&2
	# Before Debian 13 docker.io holds the client as well.
	if ! apt-cache show docker-cli >/dev/null 2>&1; then
		packages=("${packages[@]/#docker-cli/docker.io}")
	fi
	without_services apt-get install -y -q --no-install-recommends "${packages[@]}" >&2
}

# Runs CMD so that Debian's packages do not start the services they bring: a
# second engine, a second sshd and a registry on our port are not wanted.
without_services() {
	local policy=/usr/sbin/policy-rc.d
	if [ -e "$policy" ]; then
		DEBIAN_FRONTEND=noninteractive "$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	# shellcheck disable=SC2064 # the path is wanted as it is now
	trap "rm -f '$policy'" EXIT
	DEBIAN_FRONTEND=noninteractive "$@"
	rm -f "$policy"
	trap - EXIT
}

program_folder() {
	echo "${IMGSTACK_LAB_BIN:-${CARGO_TARGET_DIR:-$LAB_SOURCE/../../target}/debug}"
}

# program NAME: the path of one of our programs, built when it is absent or
# older than its source.
program() {
	local path sources=("$LAB_SOURCE/../src" "$LAB_SOURCE/../Cargo.toml")
	path=$(program_folder)/$1
	if [ -z "${IMGSTACK_LAB_BIN:-}" ] &&
		{ [ ! -x "$path" ] || [ -n "$(find "${sources[@]}" -newer "$path" -print -quit)" ]; }; then
		say "building $1"
		(cd "$LAB_SOURCE" && cargo build --quiet -p imgstack-tests --bin lab-token-server --bin lab-build) >&2 ||
			die "cannot build $1"
		touch "$path"
	fi
	[ -x "$path" ] || die "no program at $path"
	echo "$path"
}
