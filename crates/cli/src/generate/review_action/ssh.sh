if [ -z "$SSH_KEY" ] || [ -z "$KNOWN_HOSTS" ]; then
  echo "::error::set the secrets SWARM_SSH_KEY and SWARM_KNOWN_HOSTS"
  exit 1
fi
umask 077
mkdir -p ~/.ssh
printf '%s\n' "$SSH_KEY" >~/.ssh/imgstack
printf '%s\n' "$KNOWN_HOSTS" >>~/.ssh/known_hosts
{
  echo "Host *"
  echo "  IdentityFile ~/.ssh/imgstack"
  echo "  StrictHostKeyChecking yes"
} >>~/.ssh/config
