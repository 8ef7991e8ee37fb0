#!/usr/bin/env bash
# Before anything is made: preflight.sh CLUSTER HTTP_PORT HTTPS_PORT. One sentence for each thing in the way. MARK names
# the file that is there while the cluster is being made.
set -u
cluster=$1 http_port=$2 https_port=$3
failed=0

refuse() {
  echo "preflight: $*" >&2
  failed=1
}

if ! command -v k3d >/dev/null; then
  refuse "k3d is not on PATH: install it, https://k3d.io"
elif ! command -v docker >/dev/null; then
  refuse "docker is not on PATH: install it, https://docs.docker.com/get-docker/"
elif ! docker info >/dev/null 2>&1; then
  refuse "Docker does not answer: start it, and see that \`docker info\` works for you"
elif ! clusters=$(k3d cluster list --no-headers); then
  refuse "k3d does not list its clusters: \`k3d cluster list\` says why"
elif awk '{ print $1 }' <<<"$clusters" | grep -qx -- "$cluster"; then
  if [ -e "$MARK" ]; then
    echo "preflight: cluster $cluster is half made, from a run that was interrupted: it goes first" >&2
    k3d cluster delete "$cluster" || refuse "the half-made cluster $cluster stays: \`k3d cluster delete $cluster\` says why"
  else
    refuse "a k3d cluster $cluster is there already, and Terraform does not know it: delete it with" \
      "\`k3d cluster delete $cluster\`, or choose another cluster_name"
  fi
fi
command -v kubectl >/dev/null || refuse "kubectl is not on PATH: install it, https://kubernetes.io/docs/tasks/tools/"

for port in "$http_port" "$https_port"; do
  for address in 127.0.0.1 ::1; do
    if (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then
      refuse "port $port of this machine is taken: stop what listens there, or choose another http_port or https_port"
      break
    fi
  done
done
exit "$failed"
