#!/bin/sh
# Logs docker in and pulls images. May be run again at any time.
failed=0
# cloud-init sets no HOME, and docker keeps its logins there.
[ -n "$HOME" ] || HOME=/root
export HOME

say() { printf 'imgstack: %s\n' "$1"; }
complain() { say "$1" >&2; failed=1; }

# Up to five times, since a network may come up late and a registry be busy.
again() {
  pause=5
  for attempt in 1 2 3 4 5; do
    "$@" && return 0
    [ "$attempt" -lt 5 ] || return 1
    sleep "$pause"
    pause=$((pause * 2))
  done
}

docker_answers() { docker version >/dev/null 2>&1; }

# HOST USERNAME FILE: the secret goes through standard input, and so into no
# list of processes.
docker_login() { docker login --username "$2" --password-stdin "$1" <"$3"; }

log_in() {
  if [ ! -s "$3" ]; then
    complain "no login to $1: $3 is missing or empty"
  elif ! again docker_login "$@"; then
    complain "no login to $1: see the error above"
  fi
}

pull() {
  say "pulling $1"
  again docker pull --quiet "$1" || complain "no $1: see the error above"
}

if ! again docker_answers; then
  complain "docker does not answer: install and start it before this script runs"
  exit 1
fi
