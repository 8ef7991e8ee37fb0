#!/usr/bin/env bash
# Before anything is made: preflight.sh CLUSTER HTTP_PORT HTTPS_PORT. One sentence for each thing in the way.
set -u
cluster=$1 http_port=$2 https_port=$3
failed=0

refuse() {
  echo "preflight: $1" >&2
  failed=1
}

if ! command -v k3d >/dev/null; then
  refuse "k3d is not on PATH: install it, https://k3d.io"
elif ! command -v docker >/dev/null; then
  refuse "docker is not on PATH: install it, https://docs.docker.com/get-docker/"
elif ! docker info >/dev/null 2>&1; then
  refuse "Docker does not answer: start it, and see that \`docker info\` works for you"
elif k3d cluster list --no-headers | awk '{ print $1 }' | grep -qx -- "$cluster"; then
  refuse "a k3d cluster $cluster is there already, and Terraform does not know it: delete it with" \
    "\`k3d cluster delete $cluster\`, or choose another cluster_name"
fi

for port in "$http_port" "$https_port"; do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    refuse "port $port of this machine is taken: stop what listens there, or choose another http_port or https_port"
  fi
done
exit "$failed"
