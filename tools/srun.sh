#!/usr/bin/env bash
# What slurm_train.sh and slurm_test.sh share: a tool under srun, one task per process.
#
#   tools/srun.sh PARTITION JOB_NAME TOOL [arguments of the tool]
#
# Variables, all optional:
#   GPUS           processes in all (default 8)
#   GPUS_PER_NODE  processes per host (default 8, or GPUS if that is less)
#   CPUS_PER_TASK  processors per process (default 5)
#   GRES           what to ask of each host (default gpu:$GPUS_PER_NODE; empty for none, on CPU nodes)
#   SRUN_ARGS      further options of srun, such as '--time=12:00:00 --qos=high'
#   PORT           port of the first host (default: from the job's number)
#   PYTHON         interpreter (default python)
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
gres=${GRES-gpu:$per_node}
if [ -n "${PORT:-}" ]; then
    export MASTER_PORT=$PORT
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# SRUN_ARGS is a list of options in one variable.
# shellcheck disable=SC2086
exec srun --partition="$1" --job-name="$2" ${gres:+--gres="$gres"} --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$3" "${@:4}" --launcher slurm
