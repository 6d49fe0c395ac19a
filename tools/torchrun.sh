#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: a tool under torchrun.
#
#   tools/torchrun.sh PROCESSES_PER_HOST TOOL [arguments of the tool]
#
# Variables, all optional:
#   NNODES         hosts (default 1)
#   NODE_RANK      number of this host, from 0; host 0 writes logs and checkpoints
#   MASTER_ADDR    address of host 0, as the others reach it (default 127.0.0.1)
#   PORT           free port of host 0 (default 29500; on one host any free one)
#   RDZV_ENDPOINT  HOST:PORT where the hosts meet, in place of the three above: numbers are then given as they come
#   RDZV_ID        name of the job there (default bevdistill)
#   PYTHON         interpreter (default python)
# What is not set here can be set by torchrun's own variables, such as PET_MAX_RESTARTS.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
processes=$1 tool=$2

fail() {
    echo "$(basename "$tool"): error: $1" >&2
    exit 2
}

case $processes in
    '' | *[!0-9]* | 0) fail "PROCESSES_PER_HOST is a number from 1, got '$processes'" ;;
esac
nodes=${NNODES:-1}
if [ -n "${RDZV_ENDPOINT:-}" ]; then
    where=(--rdzv-backend=c10d --rdzv-endpoint="$RDZV_ENDPOINT" --rdzv-id="${RDZV_ID:-bevdistill}")
elif [ "$nodes" = 1 ] && [ -z "${PORT:-}" ]; then
    where=(--standalone)
else
    if [ "$nodes" != 1 ] && { [ -z "${NODE_RANK:-}" ] || [ -z "${MASTER_ADDR:-}" ]; }; then
        fail "NNODES=$nodes needs NODE_RANK (0 to $((nodes - 1))) and MASTER_ADDR, or RDZV_ENDPOINT"
    fi
    where=(--node-rank="${NODE_RANK:-0}" --master-addr="${MASTER_ADDR:-127.0.0.1}" --master-port="${PORT:-29500}")
fi

# torchrun would set it as well, with a warning per process.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "${PYTHON:-python}" -m torch.distributed.run --nnodes="$nodes" --nproc-per-node="$processes" "${where[@]}" \
    "$tool" "${@:3}" --launcher pytorch
