#!/usr/bin/env python
"""Measure what this package costs on this machine: ratios against targets, times, memory, and how they grow."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.command_line import make_parser, mistakes_in_words, positive

DEMO = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic' / 'bevdistill'

EXAMPLES = """
parts (--only):
  encoder   the student's encoder against the straightforward one of the tests: time and memory
  targets   heatmap targets and masks against loops over objects
  steps     steps of student, teacher and distiller, with a live teacher and with the teacher cache
  loader    what a sample costs to load, how long a step waits for it
  scaling   time over BEV cells, cameras, queue length and batch, fitted, with plots
  stages    share of the machine's matrix product and copy that each stage of BEVFormer-tiny reaches (4 GB of memory)

examples:
  # everything, in the demo's setting, on data made for it; tables on the screen, figures in work_dirs/benchmark.json
  tools/analysis_tools/benchmark.py

  # what docs/performance.md shows
  tools/analysis_tools/benchmark.py --markdown docs/performance.md --plot docs/results/scaling.png

  # full size on a GPU
  tools/analysis_tools/benchmark.py --device cuda --data-root data/nuscenes \\
      --config configs/bevdistill/bevdistill_r50_1x_nus-3d.py \\
      --temporal-config configs/bevdistill/bevdistill-t_r50_2x_nus-3d.py

Weights are random. Sides of a ratio take turns within one run. On a CPU seconds are processor time, so that other
programs count little; on a GPU they are CUDA events.
"""

# Seconds that each part takes with the default repeats, about: what the time left is told from.
PARTS = dict(encoder=45.0, targets=9.0, steps=60.0, loader=18.0, scaling=95.0, stages=95.0)
NEED_DATA = {'steps', 'loader', 'scaling'}
DATA, DATA_SECONDS = 'making data', 20.0


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, EXAMPLES)
    names = list(PARTS)
    parser.add_argument('--only', nargs='+', choices=names, default=names, metavar='NAME', help='these parts alone')
    parser.add_argument('--repeats', type=positive, default=11, metavar='N', help='rounds that count (default: 11)')
    parser.add_argument('--threads', type=positive, default=1, metavar='N', help='threads of torch (default: 1)')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='default: cpu')
    parser.add_argument(
        '--config', default=str(DEMO / 'bevdistill_r50_1x_nus-3d.py'), help="a distillation (default: the demo's)"
    )
    parser.add_argument(
        '--temporal-config', metavar='CONFIG', default=str(DEMO / 'bevdistill-t_r50_2x_nus-3d.py'),
        help='one with history (default: the CPU-sized one)',
    )  # fmt: skip
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
    args = parser.parse_args(argv)
    args.plot = args.plot or args.out.with_name(f'{args.out.stem}_scaling.png')
    return args


def check(args: argparse.Namespace) -> None:
    """Find mistakes before anything slow begins.

    Raises:
        ValueError: If there is no GPU, or the document has no place for the tables.
        FileNotFoundError: If the data lack their information file.
    """
    from benchmark_report import in_document

    if args.markdown is not None and args.markdown.exists():
        in_document(args.markdown.read_text(), '')
    if args.data_root is not None and not (args.data_root / 'nuscenes_infos_train.pkl').is_file():
        raise FileNotFoundError(
            f'no {args.data_root}/nuscenes_infos_train.pkl; write it with: '
            f'python tools/create_data.py nuscenes --root-path {args.data_root} --version VERSION'
        )
    if args.device == 'cuda':
        import torch

        if not torch.cuda.is_available():
            raise ValueError('--device cuda, but torch sees no GPU')


def measures() -> dict[str, Callable[[Any], dict[str, Any]]]:
    """What measures each part."""
    from benchmark_loader import measure_loader
    from benchmark_ratios import measure_encoder, measure_steps, measure_targets
    from benchmark_scaling import measure_scaling
    from benchmark_stages import measure_stages

    return dict(
        encoder=measure_encoder, targets=measure_targets, steps=measure_steps, loader=measure_loader,
        scaling=measure_scaling, stages=measure_stages,
    )  # fmt: skip


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the parts and put their results together.

    Args:
        args: The command line.
        folder: For files that are needed meanwhile.
    """
    from benchmark_clock import Clock, Progress
    from benchmark_models import Settings, make_data, set_up

    set_up(args.threads)
    chosen = [name for name in PARTS if name in args.only]
    makes_data = args.data_root is None and bool(NEED_DATA & set(chosen))
    progress = Progress(({DATA: DATA_SECONDS} if makes_data else {}) | {name: PARTS[name] for name in chosen})
    root = args.data_root or folder / 'data'
    if makes_data:
        progress.begin(DATA)
        make_data(root, args.quick)
    results: dict[str, Any] = dict(ratios={}, times={})
    for name in chosen:
        progress.begin(name)
        place = folder / name
        place.mkdir()
        settings = Settings(
            Clock(args.device), args.repeats, args.quick, args.config, args.temporal_config, root, place, progress.step
        )
        for key, value in measures()[name](settings).items():
            results[key] = {**results[key], **value} if key in ('ratios', 'times') else value
    progress.close()
    return results


def command(argv: list[str]) -> str:
    """The command line as it was given, without the folders of this machine."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in argv]
    return shlex.join(['tools/analysis_tools/benchmark.py', *words])


def write(args: argparse.Namespace, results: dict[str, Any]) -> None:
    """Print the tables; write figures, plots and document, each aside and then put in place."""
    from benchmark_report import BEGIN, END, in_document, report
    from benchmark_scaling import plot_scaling

    from bevdistill.checkpoints.atomic_backend import AtomicBackend

    put = AtomicBackend().put
    put((json.dumps(results, indent=2) + '\n').encode(), args.out)
    written = [args.out]
    if results.get('scaling'):
        aside = args.plot.with_name(f'.{args.plot.name}')
        plot_scaling(results['scaling'], aside)
        aside.replace(args.plot)
        written.append(args.plot)
    if args.markdown is not None:
        picture = os.path.relpath(args.plot.absolute(), args.markdown.absolute().parent)
        document = args.markdown.read_text() if args.markdown.exists() else f'{BEGIN}\n{END}\n'
        put(in_document(document, report(results, picture)).encode(), args.markdown)
        written.append(args.markdown)
    print(report(results))
    print(f'written: {", ".join(map(str, written))}')


def main(argv: list[str] | None = None) -> None:
    """Parse, measure, print; errors of the user are one line."""
    args = parse_args(argv)
    with mistakes_in_words('benchmark.py'):
        check(args)
        from benchmark_report import machine

        start = time.time()
        with tempfile.TemporaryDirectory() as folder:
            results = measure(args, Path(folder))
        facts = dict(
            command=command(sys.argv[1:] if argv is None else argv),
            date=time.strftime('%Y-%m-%d', time.gmtime(start)),
            minutes=(time.time() - start) / 60,
            repeats=args.repeats,
            machine=machine(args.device, args.threads),
        )
        write(args, facts | results)


if __name__ == '__main__':
    main()
