# shellcheck shell=bash
# Keys, certificates and passwords, made anew for every lab.

# Everything is made in a folder aside and then moved: a lab that was killed in
# between has either all of it or nothing.
make_keys() {
	[ ! -d "$STATE/tls" ] || return 0
	local new=$STATE/keys.new
	rm -rf "$new" "$STATE/ssh" "$STATE/token"
	mkdir -p "$new/tls" "$new/ssh" "$new/token"
	ssh-keygen -q -t ed25519 -N '' -C imgstack-lab -f "$new/ssh/id_ed25519"
	make_token_key "$new/token"
	make_users "$new"
	make_tls "$new/tls"
	mv "$new/ssh" "$new/token" "$new/credentials.json" "$STATE/"
	mv "$new/tls" "$STATE/tls" # last: its presence says that all of it is there
	rmdir "$new"
}

ec_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

# What the token server signs with, and what the private registry trusts.
make_token_key() {
	ec_key "$1/key.pem"
	openssl req -x509 -new -key "$1/key.pem" -out "$1/cert.pem" -days 3650 -subj "/CN=imgstack lab tokens"
}

make_users() {
	local password=()
	for _ in publisher robot limited; do password+=("$(openssl rand -hex 20)"); done
	jq -n '{publisher: $ARGS.positional[0], robot: $ARGS.positional[1], limited: $ARGS.positional[2]}' \
		--args "${password[@]}" >"$1/credentials.json"
	jq '{
		expires_in: 300,
		users: {
			publisher: {password: .publisher, pull: ["*"], push: ["*"]},
			robot: {password: .robot, pull: ["*"], push: []},
			limited: {password: .limited, pull: ["limited/*"], push: []}
		},
		anonymous: {pull: ["public/*"]}
	}' "$1/credentials.json" >"$1/token/users.json"
}

# A CA, one certificate for all engines, one for clients, named as docker's
# DOCKER_CERT_PATH wants them.
make_tls() {
	local n names=()
	for n in {1..9}; do names+=("IP:$(node_address "$n")" "DNS:$(node_name "$n")"); done
	ec_key "$1/ca-key.pem"
	openssl req -x509 -new -key "$1/ca-key.pem" -out "$1/ca.pem" -days 3650 -subj "/CN=imgstack lab CA"
	signed_pair "$1" server-key.pem server-cert.pem "/CN=imgstack lab engine" \
		"extendedKeyUsage=serverAuth,clientAuth
		subjectAltName=$(IFS=, && echo "${names[*]}")"
	signed_pair "$1" key.pem cert.pem "/CN=imgstack lab client" "extendedKeyUsage=clientAuth"
}

# signed_pair FOLDER KEY CERT SUBJECT EXTENSIONS
signed_pair() {
	ec_key "$1/$2"
	openssl req -new -key "$1/$2" -subj "$4" |
		openssl x509 -req -CA "$1/ca.pem" -CAkey "$1/ca-key.pem" -CAcreateserial \
			-days 3650 -extfile <(echo "$5") -out "$1/$3" 2>/dev/null
}

# The ssh that knows the nodes, without a word in anybody's ~/.ssh.
write_ssh_client() {
	local n
	mkdir -p "$STATE/bin"
	cat >"$STATE/bin/ssh" <<-WRAPPER
		#!/bin/sh
		exec /usr/bin/ssh -F '$STATE/ssh_config' "\$@"
	WRAPPER
	chmod 755 "$STATE/bin/ssh"
	{
		for n in {1..9}; do
			printf 'Host %s\n\tHostName %s\n' "$(node_name "$n")" "$(node_address "$n")"
		done
		cat <<-CONFIG
			Host *
				User root
				IdentityFile "$STATE/ssh/id_ed25519"
				IdentitiesOnly yes
				BatchMode yes
				StrictHostKeyChecking yes
				UserKnownHostsFile "$STATE/known_hosts"
				GlobalKnownHostsFile none
		CONFIG
	} >"$STATE/ssh_config"
}

write_known_hosts() {
	local n
	for n in $(known_nodes); do
		printf '%s %s\n' "$(node_address "$n")" "$(cut -d' ' -f1,2 "$STATE/node-$n/ssh_host_key.pub")"
	done >"$STATE/known_hosts"
}
