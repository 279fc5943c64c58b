#!/bin/bash
# The Slurm recipe of docs/cluster.md, tried with a real sbatch: one node, in this container, as root.
#
#   tools/slurm_trial.sh [FOLDER]     (default: a new temporary folder; Debian or Ubuntu, 3 to 5 minutes)
#
# Installs Debian's slurmctld, slurmd, slurm-client and munge where they are missing, starts them with a configuration of
# its own below FOLDER (nothing below /etc is written), and submits the recipe's text as it stands: an array of 8, of which
# some tasks are cancelled, some killed by kill -9 and the rest never begin; an array of 3 finishes it. Then every
# key has to have one answer, and answers and figures have to be those of one process. What it started it ends.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
WORK=${1:-$(mktemp -d -t tvbench-slurm.XXXXXX)}
mkdir -p "$WORK" && WORK=$(cd "$WORK" && pwd)
LIMIT=${LIMIT:-14}
export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1
STARTED=()

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

finish() {
  local code=$?
  [ -n "${SLURM_CONF:-}" ] && scancel --user="$(id -un)" 2>/dev/null || true
  for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
  [ $code -eq 0 ] || say "failed; logs in $WORK"
}
trap finish EXIT

install_packages() {
  local missing=()
  command -v slurmctld >/dev/null || missing+=(slurmctld)
  command -v slurmd >/dev/null || missing+=(slurmd)
  command -v sbatch >/dev/null || missing+=(slurm-client)
  command -v munged >/dev/null || missing+=(munge)
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  apt-get update -qq >"$WORK/apt.log"
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >>"$WORK/apt.log" 2>&1
}

free_port() { "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

write_configuration() {
  local host
  host=$(hostname -s)
  mkdir -p "$WORK"/{state,spool,munge}
  chmod 0700 "$WORK/munge"
  cat >"$WORK/slurm.conf" <<CONF
ClusterName=trial
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$WORK/munge/socket
CryptoType=crypto/munge
StateSaveLocation=$WORK/state
SlurmdSpoolDir=$WORK/spool
SlurmctldPidFile=$WORK/slurmctld.pid
SlurmdPidFile=$WORK/slurmd.pid
SlurmctldLogFile=$WORK/slurmctld.log
SlurmdLogFile=$WORK/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=5
MpiDefault=none
ReturnToService=2
KillWait=20
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=64 RealMemory=1024 Gres=gpu:${AT_ONCE:-3} State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
  for number in $(seq "${AT_ONCE:-3}"); do [ -e "$WORK/gpu$number" ] || mknod "$WORK/gpu$number" c 1 3; done
  echo "Name=gpu File=$WORK/gpu[1-${AT_ONCE:-3}]" >"$WORK/gres.conf" # pretended ones: so many tasks at once
  export SLURM_CONF=$WORK/slurm.conf
}

start_slurm() {
  head -c 128 /dev/urandom >"$WORK/munge/key" && chmod 0400 "$WORK/munge/key"
  munged --foreground --force --key-file="$WORK/munge/key" --socket="$WORK/munge/socket" \
    --pid-file="$WORK/munge/pid" --seed-file="$WORK/munge/seed" --log-file="$WORK/munge/log" >"$WORK/munged.log" 2>&1 &
  STARTED+=($!)
  until [ -S "$WORK/munge/socket" ]; do sleep 0.1; done
  slurmctld -D -f "$SLURM_CONF" >"$WORK/slurmctld.out.log" 2>&1 &
  STARTED+=($!)
  slurmd -D -f "$SLURM_CONF" -N "$(hostname -s)" >"$WORK/slurmd.out.log" 2>&1 &
  STARTED+=($!)
  for _ in $(seq 100); do sinfo -h -o %t 2>/dev/null | grep -q '^idle' && return; sleep 0.3; done
  say "the node did not come up"
  return 1
}

write_inputs() {
  "$PYTHON" "$ROOT/tools/slurm_recipe.py" >"$WORK/tvbench.sbatch"
  cat >"$WORK/slow.py" <<'ENGINE'
"""An engine whose answers follow from the question alone, and take a while."""

import time
from hashlib import sha256

from tvbench.engines.protocol import EngineInfo
from tvbench.engines.spec import EngineSpec
from tvbench.types import Response


class Slow:
    info = EngineInfo("slow", "1")

    def __init__(self, opening):
        pass

    def serve(self, feed):
        while taken := feed.take(4, wait=True):
            for prepared in taken:
                time.sleep(0.15)
                key = prepared.request.key
                yield Response(key, sha256(key.encode()).hexdigest()[:12], "stop", tokens_in=9, tokens_out=4, seconds=0.15)

    def close(self):
        pass


ENGINE = EngineSpec("slow", "slowly", Slow)
ENGINE
}

answers() { cat "$RESULTS"/*/responses*.jsonl 2>/dev/null | grep -c . || true; }

# Environment and words as a user gives them; the recipe's text is not touched.
submit() { sbatch --parsable --chdir="$WORK" "$@" "$WORK/tvbench.sbatch" --limit "$LIMIT" --engine "$WORK/slow.py" --no-reuse; }

wait_for() {
  while [ -n "$(squeue -h -j "$1" -o %i 2>/dev/null)" ]; do
    sleep 1
  done
}

half_done() {
  local array=$1 killed=0 pid
  until [ "$(answers)" -ge 40 ]; do sleep 0.2; done
  scancel "${array}_1" && say "task 1 is cancelled, at $(answers) answers"
  for pid in $(pgrep -f -- "--shard 2/8" || true) $(pgrep -f -- "--shard 3/8" || true); do
    kill -9 "$pid" 2>/dev/null && killed=$((killed + 1))
  done
  say "tasks 2 and 3 are killed ($killed processes), at $(answers) answers"
  until [ "$(answers)" -ge 120 ]; do sleep 0.2; done
  "$PYTHON" -m tvbench status --results "$RESULTS" || true
  scancel "$array" && say "what is left of the array is cancelled, at $(answers) answers"
  wait_for "$array"
}

[ "$(id -u)" -eq 0 ] || { say "Slurm's daemons want to be started as root"; exit 2; }
install_packages
write_configuration
start_slurm
write_inputs
say "slurm $(sbatch --version | cut -d' ' -f2), ${AT_ONCE:-3} tasks at once; everything in $WORK"

mkdir -p "$WORK/bin" && printf '#!/bin/bash\nexec "%s" -m tvbench "$@"\n' "$PYTHON" >"$WORK/bin/tvbench"
chmod +x "$WORK/bin/tvbench"
export PATH=$WORK/bin:$PATH MODEL=tower-mini TASKS=mini RESULTS=$WORK/results

array=$(submit)
say "array of 8: job $array"
half_done "$array"
before=$(answers)

array=$(submit --array=1-3)
say "array of 3: job $array goes on"
wait_for "$array"
say "$before answers before, $(answers) after"

tvbench status --results "$RESULTS"
run=$(basename "$(dirname "$RESULTS"/*/manifest.json)")
tvbench merge "$run" --results "$RESULTS" >"$WORK/merged.txt"
tvbench run --model tower-mini --tasks mini --limit "$LIMIT" --engine "$WORK/slow.py" --no-reuse --quiet \
  --results "$WORK/alone" >"$WORK/alone.txt"
"$PYTHON" "$ROOT/tools/slurm_recipe.py" --compare "$RESULTS/$run" "$WORK/alone/$run"
say "as one process: passed"
