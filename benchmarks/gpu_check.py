"""Check everything that a GPU has to do here, in one command: numbers against the CPU's, runs, waits, times, memory.

Each block is a process with a time-out of its own; it prints one line, and all results are in ``OUT/results.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
BLOCKS = {
    'versions': 40, 'operators': 60, 'steps': 150, 'train': 120, 'processes': 60, 'cache': 90, 'waits': 60,
    'full_size': 150, 'sampling': 60, 'voxels': 40, 'compile': 90,
}  # fmt: skip
"""Seconds that each block may take on one H200-class card, a guess until it ran on one; ``--limit`` ends them all."""
EXAMPLES = """
examples:
  python benchmarks/gpu_check.py gpu_results                          # all of it, at most 8 minutes
  python benchmarks/gpu_check.py gpu_results --only versions sampling
  python benchmarks/gpu_check.py rehearsal --device cpu --patience 5  # the same on a CPU, in small sizes
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, metavar='OUT', help='folder for results, data and logs')
    parser.add_argument('--device', choices=('cuda', 'cpu'), default='cuda')
    parser.add_argument('--only', nargs='+', choices=list(BLOCKS), default=list(BLOCKS), metavar='BLOCK')
    parser.add_argument('--limit', type=float, default=480, metavar='SECONDS', help='for all of it (default: 480)')
    parser.add_argument(
        '--patience', type=float, default=1.0, metavar='X', help='multiply all limits, for slow machines (default: 1)'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the blocks; returns the number of those that did not pass."""
    args = parse_args(argv)
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + args.limit * args.patience
    results: dict[str, Any] = {}
    for name in [name for name in BLOCKS if name in args.only]:
        results[name] = run_block(name, out, args.device, min(BLOCKS[name] * args.patience, end - time.monotonic()))
        (out / 'results.json').write_text(json.dumps(results, indent=1))
        block = results[name]
        print(f'{name:<10} {block["state"]:<9} {block["seconds"]:6.1f} s  {block["summary"]}', flush=True)
    failed = [name for name, block in results.items() if block['state'] not in ('passed', 'skipped')]
    print(f'{len(results) - len(failed)} of {len(results)} blocks passed or skipped; {out}/results.json')
    return len(failed)


def run_block(name: str, out: Path, device: str, limit: float) -> dict[str, Any]:
    """Run one block and return its state, seconds, summary and results; what it found before a time-out is kept."""
    file, log = out / f'{name}.json', out / f'{name}.log'
    file.unlink(missing_ok=True)
    begin = time.monotonic()
    state = 'timed out'
    if limit > 5:
        env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, [str(REPO), os.environ.get('PYTHONPATH')]))}
        env |= {} if device == 'cuda' else {'CUDA_VISIBLE_DEVICES': ''}
        with log.open('w') as stream:
            process = subprocess.Popen(
                [sys.executable, '-m', 'benchmarks.gpu.block', name, str(out), device],
                cwd=REPO, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
            )  # fmt: skip
            try:
                state = 'passed' if process.wait(limit) == 0 else 'FAILED'
            except subprocess.TimeoutExpired:
                end_group(process)
    found = json.loads(file.read_text()) if file.is_file() else {}
    if found.get('skipped') and state == 'passed':
        state = 'skipped'
    said = log.read_text(errors='replace').strip().splitlines()[-1:] if log.is_file() else []
    summary = found.get('summary') or ''
    if state == 'FAILED' and not summary:
        summary = ''.join(said)
    return dict(state=state, seconds=round(time.monotonic() - begin, 1), summary=summary, results=found)


def end_group(process: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """End a block and all it started: SIGTERM first, at which torchrun ends its workers, which have own groups."""
    os.killpg(process.pid, signal.SIGTERM)
    end = time.monotonic() + patience
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == '__main__':
    sys.exit(main())
