#!/usr/bin/env bash
# Train as a Slurm job.
#
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
#
#   GPUS=16 GPUS_PER_NODE=8 tools/slurm_train.sh gpu bevdistill CONFIG runs/a --resume auto
#
# Variables: see tools/srun.sh. docs/clusters.md has more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 4 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
exec "$here/srun.sh" "$1" "$2" "$here/train.py" "$3" --work-dir "$4" "${@:5}"
