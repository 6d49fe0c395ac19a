#!/usr/bin/env bash
# Test as a Slurm job.
#
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
#
#   GPUS=8 tools/slurm_test.sh gpu bevdistill CONFIG runs/a/epoch_12.pth
#
# Variables: see tools/srun.sh. docs/clusters.md has more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 4 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
exec "$here/srun.sh" "$1" "$2" "$here/test.py" "$3" "$4" "${@:5}"
