# shellcheck shell=bash
# The registries, and the token server that the private one sends its clients to.

REGISTRIES=(token anonymous private)

# From a web server's old words for a request to a line of JSON.
ACCESS_AS_JSON='s|^([^ ]+) - [^ ]+ \[([^]]*)\] "([^ ]+) (.*) HTTP/[0-9.]+" ([0-9]+) [0-9]+ ".*" "(.*)"$'\
'|{"time":"\2","client":"\1","method":"\3","uri":"\4","status":\5,"agent":"\6"}|'

registry_port() {
	case $1 in
	anonymous) echo 5000 ;;
	private) echo 5001 ;;
	token) echo 5002 ;;
	esac
}

registry_address() { echo "$BRIDGE_ADDRESS:$(registry_port "$1")"; }

need_registry() {
	case ${1:-} in
	anonymous | private | token) ;;
	*) die "a registry is one of: ${REGISTRIES[*]}" ;;
	esac
}

registry_answers() { (exec 3<>"/dev/tcp/$BRIDGE_ADDRESS/$(registry_port "$1")") 2>/dev/null; }
registry_runs() { lab_pid "registry-$1" >/dev/null && registry_answers "$1"; }

registry_start() {
	! registry_runs "$1" || return 0
	registry_stop "$1"
	! registry_answers "$1" || die "something else listens on $(registry_address "$1")"
	if [ "$1" = token ]; then
		token_server_launch
	else
		write_registry_config "$1" >"$STATE/registry-$1.yml"
		# Distribution writes its access log to standard output, one line a
		# request, and what it thinks about them to standard error.
		# shellcheck disable=SC2016 # expanded by the inner shell
		launch "registry-$1" "$STATE/registry-$1.debug.log" \
			bash -c 'exec docker-registry serve "$1" > >(exec sed -u -E "$2" >>"$3")' - \
			"$STATE/registry-$1.yml" "$ACCESS_AS_JSON" "$STATE/registry-$1.log"
	fi
	wait_until 10 "the registry $1 (see $STATE/registry-$1.debug.log)" registry_answers "$1"
}

registry_stop() { end "registry-$1"; }

token_server_launch() {
	launch registry-token "$STATE/token.debug.log" "$(program lab-token-server)" \
		--listen "$(registry_address token)" --log "$STATE/token.log" \
		--users "$STATE/token/users.json" --key "$STATE/token/key.pem" --certificate "$STATE/token/cert.pem" \
		--issuer imgstack-lab --service registry.lab
}

write_registry_config() {
	cat <<-CONFIG
		version: 0.1
		log:
		  level: info
		  formatter: json
		storage:
		  filesystem:
		    rootdirectory: $STATE/registry-$1
		  delete:
		    enabled: true
		http:
		  addr: $(registry_address "$1")
		  secret: imgstack-lab
	CONFIG
	[ "$1" != private ] || cat <<-CONFIG
		auth:
		  token:
		    realm: http://$(registry_address token)/token
		    service: registry.lab
		    issuer: imgstack-lab
		    rootcertbundle: $STATE/token/cert.pem
	CONFIG
}

# token_set_revoked USER true|false: the token server reads this file on every request.
token_set_revoked() {
	local users=$STATE/token/users.json
	[ -f "$users" ] || die "the lab is not up"
	jq -e --arg user "$1" '.users | has($user)' "$users" >/dev/null ||
		die "a user is one of: $(jq -r '.users | keys | join(", ")' "$users")"
	# Stories change the file, too.
	{
		flock 9
		jq --arg user "$1" --argjson revoked "$2" '.users[$user].revoked = $revoked' "$users" >"$users.new"
		mv "$users.new" "$users"
	} 9>"$STATE/token/users.lock"
}

# lab_build ARGUMENT…: `--registry private` stands for its address and the publisher's login.
lab_build() {
	local arguments=() before='' argument
	for argument in "$@"; do
		case "$before $argument" in
		"--registry anonymous") argument=http://$(registry_address anonymous) ;;
		"--registry private")
			arguments+=("http://$(registry_address private)" --username publisher --password-env)
			IMGSTACK_LAB_PASSWORD=$(jq -r .publisher "$STATE/credentials.json")
			export IMGSTACK_LAB_PASSWORD
			argument=IMGSTACK_LAB_PASSWORD
			;;
		esac
		arguments+=("$argument")
		before=$argument
	done
	"$(program lab-build)" "${arguments[@]}"
}
