#!/usr/bin/env bash
# Train on N processes of this host, or of each of several hosts.
#
#   tools/dist_train.sh CONFIG PROCESSES_PER_HOST [options of tools/train.py]
#
#   tools/dist_train.sh configs/bevdistill/bevdistill_r50_1x_nus-3d.py 8 --work-dir runs/a --resume auto
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 tools/dist_train.sh CONFIG 8    # and NODE_RANK=1 on the other
#
# Variables: see tools/torchrun.sh. docs/clusters.md has more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
exec "$here/torchrun.sh" "$2" "$here/train.py" "$1" "${@:3}"
