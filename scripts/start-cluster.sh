#!/usr/bin/env bash
# Starts a cluster of containers, waits until every part of it is healthy, and prints its ticket and where it answers.
# Run it again with another number of workers to scale: workers that go away finish or hand over what they run.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/start-cluster.sh [--workers N] [--option 1|2|3|4] [--monitoring] [--timeout SECONDS]

  --workers N    how many workers (default 3)
  --option O     where jobs run (default 4)
                   1  every worker has its own engine             compose.embedded.yaml
                   2  the control plane's engine, peer to peer    compose.p2p.yaml
                   3  a pool of three engine servers              compose.pool.yaml
                   4  one engine server beside the control plane  compose.yaml
  --monitoring   Prometheus, Alertmanager and Grafana too
  --timeout S    how long everything may take to become healthy, after the images are built (default 120)

Settings: NODE_IMAGE (base of the images), MVM_CI_PUBLISH (where the API is published, default 127.0.0.1:3020),
MVM_CI_SECRETS_FOLDER (of the tokens, default deploy/docker/secrets), MVM_CI_SLOTS, MVM_CI_TAGS,
MVM_CI_QUEUES, MVM_CI_GRACE, MVM_CI_LEASE_MS, MVM_CI_ADVERTISE, RUST_LOG, OTEL_EXPORTER_OTLP_ENDPOINT, COMPOSE_PROJECT_NAME (default mvm-ci).
TEXT
}

fail() {
  echo "start-cluster: $*" >&2
  exit 1
}

wrong() {
  echo "start-cluster: $*" >&2
  usage >&2
  exit 2
}

workers=3 option=4 timeout_s=120 monitoring=
while (($#)); do
  case $1 in
    --workers | --option | --timeout)
      (($# > 1)) || wrong "$1 needs a value"
      case $1 in
        --workers) workers=$2 ;;
        --option) option=$2 ;;
        --timeout) timeout_s=$2 ;;
      esac
      shift 2
      ;;
    --monitoring)
      monitoring=yes
      shift
      ;;
    --help | -h)
      usage
      exit
      ;;
    *) wrong "unknown argument $1" ;;
  esac
done
[[ $workers =~ ^[0-9]{1,4}$ ]] || wrong "--workers must be a whole number, not '$workers'"
[[ $timeout_s =~ ^[1-9][0-9]{0,4}$ ]] || wrong "--timeout must be a whole number of seconds, not '$timeout_s'"
case $option in
  1) file=compose.embedded.yaml ;;
  2) file=compose.p2p.yaml ;;
  3) file=compose.pool.yaml ;;
  4) file=compose.yaml ;;
  *) wrong "--option must be 1, 2, 3 or 4, not '$option'" ;;
esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$root/deploy/docker
files=(-f "$folder/$file")
[[ -z $monitoring ]] || files+=(-f "$folder/compose.monitoring.yaml")
secrets=${MVM_CI_SECRETS_FOLDER:-$folder/secrets}
# Compose reads a relative path from the folder of its file.
[[ -z ${MVM_CI_SECRETS_FOLDER:-} ]] || { mkdir -p "$secrets" && export MVM_CI_SECRETS_FOLDER=$(cd "$secrets" && pwd); }
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-mvm-ci}

command -v docker >/dev/null || fail "docker is not installed"
docker version >/dev/null 2>&1 || fail "no Docker engine answers: is it started, and may you use it? (docker version)"
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose "${files[@]}")
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose "${files[@]}")
else
  fail "neither 'docker compose' nor docker-compose is installed"
fi

# The folder is closed to others, so that the files can be read by the user of a container, whatever its number.
make_secret() {
  local path=$secrets/$1
  [[ -s $path ]] && return
  mkdir -p "$secrets"
  chmod 700 "$secrets"
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$path.new"
  chmod 444 "$path.new"
  mv "$path.new" "$path"
}
make_secret operator-token
make_secret engine-token
[[ -z $monitoring ]] || make_secret grafana-password

# From here on something may run, whatever becomes of this script.
tell_how_to_stop() {
  echo "start-cluster: what was started goes on; to stop it: COMPOSE_PROJECT_NAME=$COMPOSE_PROJECT_NAME ${compose[*]} down" >&2
}

# The images take the dashboard's files from the checkout.
(cd "$root" && npm run --silent build) || echo "start-cluster: without its dashboard: npm run build failed" >&2
"${compose[@]}" build || fail "the images could not be built"
trap 'tell_how_to_stop; exit 130' INT
trap 'tell_how_to_stop; exit 143' TERM
"${compose[@]}" up -d --remove-orphans --scale worker="$workers" || {
  "${compose[@]}" logs --tail 20 >&2
  tell_how_to_stop
  fail "the containers did not start: their last lines are above"
}

# Prints "SERVICE STATE HEALTH" of each container of the project.
states() {
  docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" |
    xargs -r docker inspect --format \
      '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}'
}

deadline=$((SECONDS + timeout_s))
while true; do
  seen=$(states)
  # Some images have no health check: that they run must do.
  waiting=$(grep -vE ' running (healthy)?$' <<<"$seen" || true)
  ready=$(grep -c '^worker running healthy$' <<<"$seen" || true)
  [[ -z $waiting && $ready -eq $workers ]] && break
  if grep -qE ' (exited|dead) ' <<<"$seen " || ((SECONDS >= deadline)); then
    "${compose[@]}" logs --tail 20 >&2
    echo "$seen" >&2
    tell_how_to_stop
    fail "not everything became healthy within $timeout_s s: the states and the last lines are above"
  fi
  sleep 0.5
done

ticket=$("${compose[@]}" exec -T control-plane cat /join/endpoint.ticket) || fail "the control plane has no ticket"
[[ -n $ticket ]] || fail "the control plane's ticket is empty"
api=$("${compose[@]}" port control-plane 3020) || fail "the API of the control plane is not published"
url=http://${api/#0.0.0.0:/127.0.0.1:}

cat <<TEXT

option $option, $workers workers, all healthy

ticket   $ticket
API      $url
token    $secrets/operator-token
TEXT
if [[ -n $monitoring ]]; then
  for service in prometheus:9090 alertmanager:9093 grafana:3000; do
    echo "${service%:*}   http://$("${compose[@]}" port "${service%:*}" "${service#*:}")"
  done
fi
cat <<TEXT

export MVM_CI_URL=$url MVM_CI_TOKEN_FILE=$secrets/operator-token
scale    $0 --option $option${monitoring:+ --monitoring} --workers N
stop     COMPOSE_PROJECT_NAME=$COMPOSE_PROJECT_NAME ${compose[*]} down
TEXT
