#!/usr/bin/env bash
# Collect what benchmarks/gpu_check.py needs beside a stock torch, as a folder of wheels for a machine without network.
#   benchmarks/gpu_check_wheels.sh OUT PYTHON HAVE
# PYTHON: an interpreter here with the Python and the torch of that machine, whose headers mmcv is compiled with (its
# operators of CPUs, no nvcc). HAVE: names of the packages that are there, one a line (pip list --format=freeze will do).
# There, from the checkout:
#   python -m pip install --no-index --no-deps --target site OUT/*.whl
#   PYTHONPATH=site python benchmarks/gpu_check.py gpu_results
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1") python=$(realpath -s "$2") have=$(realpath "$3")
cd "$(dirname "$0")/.."
version=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")')
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
command -v uv >/dev/null || { echo 'gpu_check_wheels.sh: error: uv is not on the PATH (make setup puts it into .venv/bin)' >&2; exit 1; }

# The newest set for that Python and torch, less what is there.
"$python" -c 'from importlib.metadata import version; print("torch==" + version("torch").partition("+")[0])' >"$scratch/torch"
uv pip compile --quiet --no-header --no-annotate --python-version "$version" --constraints "$scratch/torch" \
  --output-file "$scratch/set" pyproject.toml >/dev/null
sed -E 's/[=@ ].*//; s/_/-/g; s/.*/^&==/' "$have" >"$scratch/have"
grep -vE '^(torch|triton|mmcv|cuda-[a-z]*|nvidia-[a-z0-9-]*)==' "$scratch/set" | grep -vi -f "$scratch/have" >"$scratch/wanted"
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$out" --requirement "$scratch/wanted"

"$python" - "$out" <<'END'
import os, subprocess, sys, sysconfig
from pathlib import Path
from torch.utils import cpp_extension
from bevdistill.cli.mmcv_wheel import build_wheel, read_pins

def run(what, *command, **env):
    print(what, flush=True)
    subprocess.run([str(word) for word in command], env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)

out = Path(sys.argv[1])
if not list(out.glob('mmcv-*.whl')):
    pin = read_pins(Path('requirements/lock.txt').read_text())['mmcv']
    includes = [sysconfig.get_path('include'), *cpp_extension.include_paths()]
    wheel = build_wheel(run, Path(sys.executable), includes, pin, out / 'mmcv')
    wheel.rename(out / wheel.name)
    wheel.parent.rmdir()
END
du -sh "$out"
