#!/usr/bin/env bash
# A sweep over separate hosts: a head that trains nothing, two workers, a bucket; one worker is cut off in the middle.
# Then one without a bucket on a head that trains: a worker joins later that does not see the results folder.
#
# Each host is a network namespace with an address of its own and a mount namespace with private /dev/shm, temporary and
# results folders: only the bucket (moto's server, on a fourth host) is shared. Needs root, iproute2 and util-linux, and
# a Python with this project's test extra (PYTHON=...). Makes nothing outside its namespaces but an empty folder in
# /tmp, and takes all of it away at the end, interrupted or not.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=$(realpath -s "${PYTHON:-.venv/bin/python}")
ME=hosts$$
DIR=$(mktemp -d /tmp/hosts.XXXX)
NET=10.77.0
HEAD=$NET.1 STORE=$NET.9
TASK=synthetic-smooth
declare -A PIDS=()

export HOME=$DIR RAY_TMPDIR=$DIR/ray TMPDIR=$DIR RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled PYTHONUNBUFFERED=1
export AWS_ENDPOINT_URL=http://$STORE:5000 AWS_ACCESS_KEY_ID=nobody AWS_SECRET_ACCESS_KEY=nothing
export AWS_EC2_METADATA_DISABLED=true PYTHONPATH=$PWD/tests/faults/hooks:$PWD
export FAULTS='{"log": "'$DIR'/epochs.log", "kind": "wait", "seconds": 1, "hidden_size": 8}'
# a lost host is noticed after about 3 * (1 + 2) s; Ray's own settings take a minute
export RAY_health_check_period_ms=1000 RAY_health_check_timeout_ms=2000
export RAY_health_check_failure_threshold=${FAILURES:-3} RAY_health_check_initial_delay_ms=2000

clean() {
    trap - EXIT INT TERM
    exec 2>/dev/null # what bash says of the processes that it kills
    for pid in "${PIDS[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    for name in "${!PIDS[@]}" switch; do ip netns del "$ME-$name" 2>/dev/null || true; done
    rm -rf "$DIR"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

host() { # host NAME ADDRESS: cables, and a first process that holds the host's namespaces
    local name=$1 address=$2
    ip netns add "$ME-$name"
    ip -n "$ME-$name" link add eth0 type veth peer name "to-$name" netns "$ME-switch"
    ip -n "$ME-switch" link set "to-$name" master bridge up
    ip -n "$ME-$name" address add "$address/24" dev eth0
    ip -n "$ME-$name" link set lo up
    ip -n "$ME-$name" link set eth0 up
    ip -n "$ME-$name" route add default via $NET.254 # nobody: with no route Ray would take 127.0.0.1 for the address
    ip netns exec "$ME-$name" unshare -pfmu --mount-proc --kill-child bash -c "
        hostname $name && mount --make-rprivate / && mount -t tmpfs -o size=2g none /dev/shm &&
        mount -t tmpfs -o size=2g none $DIR && mkdir -p $DIR/ray && touch $DIR/ready && while :; do sleep 1000; done" &
    PIDS[$name]=$!
    until on "$name" test -e "$DIR/ready" 2>/dev/null; do sleep 0.1; done
}

on() { # on NAME COMMAND...: run a command on a host
    local inner
    inner=$(pgrep -P "${PIDS[$1]}" | head -1)
    nsenter --target "$inner" --net --mount --pid --uts "${@:2}"
}

until_said() { # until_said WORDS FILE-ON-HEAD SECONDS
    local end=$((SECONDS + $3))
    until on head grep -q -- "$1" "$2" 2>/dev/null; do
        ((SECONDS < end)) || { echo "not seen in $3 s: $1"; on head bash -c "tail -n 20 $DIR/*.log"; exit 1; }
        sleep 0.2
    done
}

ip netns add "$ME-switch"
ip -n "$ME-switch" link add bridge type bridge
ip -n "$ME-switch" link set bridge up
host store $STORE && host head $HEAD && host one $NET.2 && host two $NET.3

RAY=("$PYTHON" -m ray.scripts.scripts start --disable-usage-stats --object-store-memory=200000000)
on store "$PYTHON" -m moto.server -H $STORE -p 5000 >/dev/null 2>&1 &
on head "${RAY[@]}" --head --port=6379 --node-ip-address=$HEAD --num-cpus=0 --include-dashboard=false >/dev/null
for worker in one:2 two:3; do
    on ${worker%:*} "${RAY[@]}" --address=$HEAD:6379 --node-ip-address=$NET.${worker#*:} --num-cpus=2 >/dev/null &
    STARTING+=($!)
done
wait "${STARTING[@]}"
on head "$PYTHON" -c "import urllib.request as u; u.urlopen(u.Request('$AWS_ENDPOINT_URL/bucket', method='PUT'))"
echo "hosts up after $SECONDS s"

on head bash -c "cat > $DIR/space.yaml" <<<$'lr: [0.01, 0.003, 0.001, 0.0003]\nhidden_size: [8]'
SWEEP=("$PYTHON" -u "$PWD/sweeps/run.py" --task $TASK --space "$DIR/space.yaml" --subset 60 --max-epochs 40 --eval-every 1
    --scheduler none --retrain-epochs 3 --top-k 1 --seeds 1 --name sweep --results "$DIR/results" --address $HEAD:6379)

status=0
on head "${SWEEP[@]}" >"$DIR.refused" 2>&1 || status=$?
REFUSED=$(cat "$DIR.refused") && rm "$DIR.refused"
echo "with no storage: exit status $status: $REFUSED"
[[ $status == 2 && $(wc -l <<<"$REFUSED") == 1 && $REFUSED == *"does not see it; give --storage"* ]]

on head bash -c "cat > $DIR/watch.py" <<'PYTHON'
"""Writes down when the cluster's number of living machines changes."""
import time
import ray

ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
before = None
while True:
    alive = sum(node["Alive"] for node in ray.nodes())
    if alive != before:
        print(f"{time.time():.1f} {alive} alive", flush=True)
    before = alive
    time.sleep(0.2)
PYTHON
on head bash -c "'$PYTHON' $DIR/watch.py > $DIR/watch.log 2>&1" &
on head bash -c '"$@" > '"$DIR/sweep.log 2>&1; echo \"exit status \$?\" >> $DIR/sweep.log" sweep "${SWEEP[@]}" --storage s3://bucket/x &
CURVES=$DIR/results/$TASK/sweep/curves.csv
until_said "3 alive" "$DIR/watch.log" 120
for trial in 0000 0001 0002 0003; do until_said ",$trial,3," "$CURVES" 240; done
CUT=$(date +%s.%N)
ip -n "$ME-switch" link set to-two down
echo "cut one worker off after $SECONDS s"
until_said "2 alive" "$DIR/watch.log" 120
NOTICED=$(on head awk '/2 alive/ {print $1}' "$DIR/watch.log" | head -1)
until_said "exit status" "$DIR/sweep.log" 400
on head tail -4 "$DIR/sweep.log"

for name in one two; do on $name cat "$DIR/epochs.log"; done >"$DIR/epochs"
TWICE=$(sort "$DIR/epochs" | uniq -d | wc -l)
ENDED=$(on head grep -c "^search,.*,finished," "$DIR/results/$TASK/sweep/trials.csv")
echo "lost host noticed after $(awk "BEGIN {printf \"%.1f\", $NOTICED - $CUT}") s"
echo "$ENDED of 4 trials finished; $TWICE epochs trained twice; $SECONDS s in all"
on head grep -q "exit status 0" "$DIR/sweep.log"
[[ $ENDED == 4 && $TWICE -le 2 ]]

# What the check at the start cannot see: a machine that joins later, with a private folder of the same path.
for name in one head; do on $name "$PYTHON" -m ray.scripts.scripts stop --force >/dev/null 2>&1; done
on head "${RAY[@]}" --head --port=6379 --node-ip-address=$HEAD --num-cpus=1 --include-dashboard=false >/dev/null
LATE=$DIR/results/$TASK/late
on head bash -c '"$@" > '"$DIR/late.log 2>&1; echo \"exit status \$?\" >> $DIR/late.log" late "${SWEEP[@]}" \
    --max-epochs 30 --name late &
until_said ",0000,2," "$LATE/curves.csv" 240
on one "${RAY[@]}" --address=$HEAD:6379 --node-ip-address=$NET.2 --num-cpus=2 >/dev/null
until_said "exit status" "$DIR/late.log" 400
on head tail -2 "$DIR/late.log"
UNSEEN=$(on head grep -c "^search,.*,failed,.*this machine does not see the results; give --storage" "$LATE/trials.csv")
LEFT=$(on one bash -c "find $DIR -name 'epoch-*' -o -name events.jsonl -o -name trials.csv | wc -l")
echo "$UNSEEN trials failed, as their machine does not see the results; $LEFT files of the sweep there; $SECONDS s in all"
on head grep -q "exit status [01]$" "$DIR/late.log" # 1 if the retraining was placed there
[[ $UNSEEN -ge 1 && $LEFT == 0 ]]
