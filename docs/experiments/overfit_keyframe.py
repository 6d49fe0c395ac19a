"""Overfit the pillar teacher or a small BEVFormer on one real nuScenes keyframe: curve, picture, AP at 2 m."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bevdistill.cli.arguments import add_overrides

if TYPE_CHECKING:
    from mmengine.config import Config

    from bevdistill.visualization import ModelViewer

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'overfit'
MODELS = {'pillar': 'teacher_pillar02_keyframe.py', 'bevformer': 'bevformer_r50_keyframe.py'}
MIN_LIDAR_POINTS = 5
GOAL = 0.9
SCORE = 'keyframe/mAP_2.0'
PAGE_DPI = 90

EXAMPLES = """
examples:
  # the keyframe that mmdetection3d ships
  python -m docs.experiments.overfit_keyframe mmdetection3d/demo/data/nuscenes --model pillar --out overfit/pillar
  python -m docs.experiments.overfit_keyframe mmdetection3d/demo/data/nuscenes --model bevformer --out overfit/bevformer

  # go on where a stopped run was
  python -m docs.experiments.overfit_keyframe FOLDER --model pillar --out overfit/pillar --resume

A model that cannot learn one frame by heart has a fault between files and losses. Boxes with fewer than 5 LiDAR points
are neither trained nor scored. FOLDER gets checkpoints and logs, curve.png, page.jpg, and result.json, which also says
how the model scores without its sensor: queries can learn a single frame by heart without looking at it.
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('keyframe', type=Path, metavar='KEYFRAME_FOLDER', help='folder with one keyframe')
    parser.add_argument('--model', choices=MODELS, required=True)
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER', help='folder of the run')
    parser.add_argument('--resume', action='store_true', help='go on from the newest checkpoint of the folder')
    parser.add_argument('--seed', type=int, default=0, metavar='N')
    add_overrides(parser)
    return parser.parse_args(argv)


def keyframe_config(args: argparse.Namespace) -> Config:
    """The config of a run on the keyframe."""
    from bevdistill.datasets.infos import write_keyframe_infos
    from bevdistill.engine.launch import load_config
    from bevdistill.engine.overrides import parse_overrides
    from bevdistill.engine.settings import set_resume, set_seed

    from .keyframe_data import use_keyframe

    cfg = load_config(CONFIGS / MODELS[args.model], parse_overrides(args.cfg_options), args.out)
    ann_file = write_keyframe_infos(args.keyframe, args.out / 'keyframe_infos.msgpack.gz', MIN_LIDAR_POINTS)
    use_keyframe(cfg, args.keyframe, ann_file)
    limits = cfg.model.pts_bbox_head.grid.point_cloud_range
    metric = dict(type='KeyframeAP', ann_file=str(ann_file), point_cloud_range=limits)
    cfg.val_evaluator = cfg.test_evaluator = metric
    set_seed(cfg, args.seed)
    if args.resume:
        set_resume(cfg, 'auto')
    return cfg


def read_log(work_dir: Path) -> dict[str, dict[int, float]]:
    """Numbers of a run by name and iteration; where a resumed run repeats an iteration, the later number."""
    log: dict[str, dict[int, float]] = {}
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            kind = '' if 'loss' in entry else 'val_'
            for name, value in entry.items():
                # Seconds are logged of iterations and of validations.
                log.setdefault(kind + name if 'time' in name else name, {})[int(entry['step'])] = value
    return log


def draw_curve(log: dict[str, dict[int, float]], title: str, path: Path) -> None:
    """AP and loss over iterations."""
    from bevdistill.visualization import new_figure, save_figure

    figure = new_figure(8.0, 4.2, dpi=100)
    axes = figure.subplots()
    for name, style in ((SCORE, '-o'), ('keyframe/mAP_0.5', '-'), ('keyframe/mAP', '-')):
        label = {SCORE: 'mAP at 2 m', 'keyframe/mAP_0.5': 'mAP at 0.5 m', 'keyframe/mAP': 'mAP (0.5, 1, 2, 4 m)'}[name]
        axes.plot(list(log[name]), list(log[name].values()), style, label=label, markersize=3, linewidth=1.4)
    axes.axhline(GOAL, color='0.5', linestyle='--', linewidth=1, label=f'goal {GOAL}')
    axes.set(xlabel='iteration', ylabel='AP', ylim=(-0.02, 1.02), title=title)
    axes.grid(alpha=0.3)
    losses = axes.twinx()
    loss = log['loss']
    losses.plot(list(loss), list(loss.values()), color='0.6', linewidth=1, label='loss, mean of 50 (right)')
    losses.set(yscale='log', ylabel='loss')
    handles = axes.get_legend_handles_labels()[0] + losses.get_legend_handles_labels()[0]
    axes.legend(handles=handles, fontsize=8, loc='center right')
    figure.tight_layout()
    save_figure(figure, path)


def trained_model(cfg: Config, out: Path) -> ModelViewer:
    """The newest checkpoint of a run, with the run's data."""
    from bevdistill.checkpoints.find import latest_checkpoint
    from bevdistill.visualization import ModelViewer

    checkpoint = latest_checkpoint(out)
    assert checkpoint is not None, 'a run that ended has saved a checkpoint'
    # Not .py: mmengine sorts the keys of what it writes as Python, and the stages of a pipeline run in their order.
    config = out / 'config.json'
    cfg.dump(config)
    return ModelViewer(config, checkpoint)


def draw_page(viewer: ModelViewer, title: str, note: str, path: Path) -> None:
    """Boxes in cameras and from above, with the model's maps."""
    from bevdistill.visualization import Page, report_page, save_figure

    view = viewer.view(0)
    page = Page(
        title, view.frame, viewer.detector.grid, viewer.classes, view.predictions, view.maps, note=note, threshold=0.3
    )
    figure = report_page(page)
    figure.set_dpi(PAGE_DPI)
    save_figure(figure, path)


def score_without_sensor(cfg: Config, viewer: ModelViewer) -> float:
    """AP at 2 m on black images, or on no points: what the model knows by heart without looking."""
    from mmdet3d.registry import DATASETS, METRICS
    from mmengine.dataset import pseudo_collate

    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    item = dataset[0]
    blank = {'img': lambda images: images * 0, 'points': lambda points: points[:0]}
    item['inputs'] = {name: blank[name](value) for name, value in item['inputs'].items()}
    metric = METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = dataset.metainfo
    metric.process({}, [sample.to_dict() for sample in viewer.model.test_step(pseudo_collate([item]))])
    return float(metric.evaluate(size=1)[SCORE])


def result_of(log: dict[str, dict[int, float]], seconds: float) -> dict[str, Any]:
    """What came out, in numbers."""
    scores = dict(sorted(log[SCORE].items()))
    last = max(scores)
    reached = [step for step, score in scores.items() if score >= GOAL]
    return {
        'iterations': last,
        'mAP_2.0': scores[last],
        'reached_goal_at': reached[0] if reached else None,
        'seconds_of_this_run': round(seconds, 1),
        'seconds_per_iteration': round(sum(log['time'].values()) / len(log['time']), 3),
        **{name.removeprefix('keyframe/'): by_step[last] for name, by_step in log.items() if 'AP' in name},
    }


def overfit(args: argparse.Namespace) -> dict[str, Any]:
    """Train, score, draw; returns the result."""
    from bevdistill.engine.launch import run_training

    cfg = keyframe_config(args)
    start = time.perf_counter()
    run_training(cfg)
    seconds = time.perf_counter() - start
    result = {'model': args.model, 'config': MODELS[args.model], **result_of(read_log(args.out), seconds)}
    viewer = trained_model(cfg, args.out)
    result['without_sensor_mAP_2.0'] = score_without_sensor(cfg, viewer)
    (args.out / 'result.json').write_text(json.dumps(result, indent=2) + '\n')
    title = f'{args.model} after {result["iterations"]} iterations on one keyframe'
    draw_curve(read_log(args.out), title, args.out / 'curve.png')
    draw_page(viewer, title, f'mAP at 2 m: {result["mAP_2.0"]:.3f}', args.out / 'page.jpg')
    return result


def main(argv: list[str] | None = None) -> None:
    """Parse, run; errors of the user are one line."""
    args = parse_args(argv)
    try:
        result = overfit(args)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'overfit_keyframe.py: error: {error}')
    print(json.dumps(result, indent=2))
    reached = result['reached_goal_at']
    print(f'{GOAL} mAP at 2 m: ' + (f'reached at iteration {reached}' if reached is not None else 'not reached'))


if __name__ == '__main__':
    main()
