#!/usr/bin/env bash
# Test on N processes of this host, or of each of several hosts.
#
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES_PER_HOST [options of tools/test.py]
#
#   tools/dist_test.sh configs/bevformer/bevformer_r50_1x_nus-3d.py work_dirs/bevformer_r50_1x_nus-3d/epoch_12.pth 8
#
# Variables: see tools/torchrun.sh. docs/clusters.md has more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 3 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
exec "$here/torchrun.sh" "$3" "$here/test.py" "$1" "$2" "${@:4}"
