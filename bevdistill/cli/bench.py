"""Run the benchmark of a checkout: ratios against targets, times, memory, and how they grow."""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path

from .arguments import positive, require_json

HELP = 'times, memory and their ratios to targets on this machine (needs a checkout)'
EXAMPLES = """
parts (--only):
  encoder   the student's encoder against the straightforward one: time and memory
  targets   heatmap targets and masks against loops over objects
  steps     steps of student, teacher and distiller, with a live teacher and with the teacher cache
  loader    what a sample costs to load, how long a step waits for it
  scaling   time over BEV cells, cameras, queue length and batch, fitted, with plots
  stages    share of the machine's matrix product and copy that each stage of BEVFormer-tiny reaches (4 GB of memory)

examples:
  # everything, in the demo's setting, on data made for it; tables on the screen, figures in work_dirs/benchmark.json
  bevdistill bench

  # what docs/performance.md shows
  bevdistill bench --markdown docs/performance.md --plot docs/results/scaling.png

  # full size on a GPU
  bevdistill bench --device cuda --data-root data/nuscenes \\
      --config configs/bevdistill/bevdistill_r50_1x_nus-3d.py \\
      --temporal-config configs/bevdistill/bevdistill-t_r50_2x_nus-3d.py

Weights are random. Sides of a ratio take turns within one run. On a CPU seconds are processor time, so that other
programs count little; on a GPU they are CUDA events.
"""

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIGS = CHECKOUT / 'configs' / 'synthetic' / 'bevdistill'
DEMO, TEMPORAL = (str(CONFIGS / f'{name}_nus-3d.py') for name in ('bevdistill_r50_1x', 'bevdistill-t_r50_2x'))
PARTS = ('encoder', 'targets', 'steps', 'loader', 'scaling', 'stages')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument('--only', nargs='+', choices=PARTS, default=PARTS, metavar='NAME', help='these parts alone')
    parser.add_argument('--repeats', type=positive, default=11, metavar='N', help='rounds that count (default: 11)')
    parser.add_argument('--threads', type=positive, default=1, metavar='N', help='threads of torch (default: 1)')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='default: cpu')
    parser.add_argument('--config', default=DEMO, help="a distillation (default: the demo's)")
    parser.add_argument(
        '--temporal-config', metavar='CONFIG', default=TEMPORAL, help='one with history (default: the CPU-sized one)'
    )
    parser.add_argument(
        '--data-root', type=Path, metavar='DIR',
        help='nuScenes root with information files (default: a small one is made)',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/benchmark.json'), metavar='JSON',
        help='all figures (default: work_dirs/benchmark.json)',
    )  # fmt: skip
    parser.add_argument('--plot', type=Path, metavar='PNG', help='plots of the scaling (default: beside the figures)')
    parser.add_argument(
        '--markdown', type=Path, metavar='FILE', help='write the tables to this document, between its two marks'
    )
    parser.add_argument('--quick', action='store_true', help='smallest sizes, to see that all of it runs')


def run(args: argparse.Namespace) -> None:
    """Run the folder `benchmarks` beside the package, which is not installed with it.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not (CHECKOUT / 'benchmarks' / 'run.py').is_file():
        raise FileNotFoundError(
            f'there is no folder benchmarks beside {CHECKOUT.name}/bevdistill: an installed package comes without it; '
            'clone the repository and run `make bench` there'
        )
    require_json(args.out, '--out')
    # As a module of the checkout, which has to be importable for that: the package itself never imports it.
    runpy.run_module('benchmarks.run')['run'](args)
