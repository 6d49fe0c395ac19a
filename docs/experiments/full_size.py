"""Run the full-scale configs on one real nuScenes keyframe and measure time and peak memory."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bevdistill.cli.text_tables import markdown_table

from .full_size_measure import MEMORY, Task, measure

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
FORWARD = {
    'bevformer_r50_1x': 'bevformer/bevformer_r50_1x_nus-3d.py',
    'bevformer_tiny': 'bevformer/bevformer_tiny_24e_nus-3d.py',
    'teacher_voxel01': 'object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py',
}
STEP = {'bevdistill_r50_1x': 'bevdistill/bevdistill_r50_1x_nus-3d.py'}

EXAMPLES = """
examples:
  # all models on the keyframe that mmdetection3d ships
  python -m docs.experiments.full_size mmdetection3d/demo/data/nuscenes

  # one training step of the distiller with half-size images, at most 12 GiB
  python -m docs.experiments.full_size FOLDER --models bevdistill_r50_1x --scales 0.5 --memory-limit 12

Students and the teacher run forward only, from files to decoded boxes; the distiller takes training steps (forward of
student and teacher, losses, backward, optimizer step). Weights are random. Every measurement has a process of its own,
and its peak memory is that of the whole process, or on a GPU that of the tensors.
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('keyframe', type=Path, metavar='KEYFRAME_FOLDER', help='folder with one keyframe')
    names = [*FORWARD, *STEP]
    parser.add_argument('--models', nargs='+', choices=names, default=names, metavar='NAME', help=', '.join(names))
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--runs', type=int, default=3, metavar='N', help='timed runs after one that warms up')
    parser.add_argument(
        '--scales',
        nargs='+',
        type=float,
        default=[1.0, 0.8, 0.65, 0.5, 0.35, 0.25],
        metavar='S',
        help='image scales of the training step, the first that fits the memory is taken (default: 1.0 to 0.25)',
    )
    parser.add_argument(
        '--memory-limit', type=float, default=24.0, metavar='GIB', help='memory of one process (default: 24)'
    )
    parser.add_argument('--threads', type=int, default=1, metavar='N', help='threads of torch (default: 1)')
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the results to this file too')
    args = parser.parse_args(argv)
    if args.runs < 1:
        parser.error('--runs must be at least 1')
    if not args.memory_limit > 0:
        parser.error('--memory-limit must be positive')
    return args


def run_apart(task: Task) -> dict[str, Any]:
    """Measure in a process of its own.

    Raises:
        RuntimeError: If the process fails for another reason than memory.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(task, sender))
    process.start()
    sender.close()
    try:
        result: dict[str, Any] = receiver.recv()
    except EOFError:
        process.join()
        # The kernel ends a process that takes more memory than there is.
        result = {MEMORY: True} if process.exitcode == -9 else {'error': f'exit status {process.exitcode}'}
    process.join()
    if 'error' in result:
        raise RuntimeError(f'{task.name}: {result["error"]}')
    return result


def measure_all(args: argparse.Namespace, ann_file: Path) -> list[dict[str, Any]]:
    """Measure each model; of a training step, the largest image scale that fits."""
    rows = []
    for number, name in enumerate(args.models, start=1):
        is_step = name in STEP
        for scale in args.scales if is_step else [None]:
            note = '' if scale is None else f', image scale {scale:g}'
            print(f'[{number}/{len(args.models)}] {name}{note}', flush=True)
            config = CONFIGS / (STEP if is_step else FORWARD)[name]
            task = Task(
                name, str(config), is_step, str(args.keyframe), str(ann_file), scale,
                args.device, args.runs, args.threads, args.memory_limit,
            )
            row = run_apart(task)
            if MEMORY not in row:
                rows.append(row)
                break
            print(f'  needs more than {args.memory_limit:g} GiB', flush=True)
        else:
            print(f'  {name}: no image scale of {args.scales if is_step else "its config"} fits', flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Format results as a Markdown table; seconds are medians, on a busy machine those of the processor mean more."""
    head = (
        'model', 'what', 'samples', 'images', 'BEV', 'parameters', 'runs', 'seconds', 'processor seconds', 'peak memory'
    )  # fmt: skip
    return markdown_table(head, [
        [
            row['model'], row['what'], str(row['samples']),
            'none' if row['image'] is None else '{} x {} x {}'.format(*row['image']),
            '{} x {}'.format(*row['bev']), f'{row["parameters"] / 1e6:.1f} M', str(len(row['seconds'])),
            f'{statistics.median(row["seconds"]):.2f}', f'{statistics.median(row["cpu_seconds"]):.2f}',
            f'{row["peak_gib"]:.2f} GiB',
        ]
        for row in rows
    ])  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Parse, measure, print; errors of the user are one line."""
    args = parse_args(argv)
    from bevdistill.datasets.infos import write_keyframe_infos

    with tempfile.TemporaryDirectory() as folder:
        try:
            ann_file = write_keyframe_infos(args.keyframe, Path(folder) / 'keyframe_infos.msgpack.gz')
            rows = measure_all(args, ann_file)
        except (FileNotFoundError, ValueError, RuntimeError) as error:
            sys.exit(f'full_size.py: error: {error}')
    print(table(rows))
    for row in rows:
        print(f'{row["model"]}: {row["answer"]}')
    if args.json is not None:
        machine = dict(device=args.device, threads=args.threads, processor=platform.processor() or platform.machine())
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(dict(machine=machine, results=rows), indent=2) + '\n')


if __name__ == '__main__':
    main()
