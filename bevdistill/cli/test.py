"""Test a checkpoint with the metrics of a config."""

from __future__ import annotations

import argparse

from .arguments import add_run, errors_of, folder_name, from_zero, score
from .loading import config_of

HELP = 'test a checkpoint with the metrics of a config'
EXAMPLES = """
examples:
  # score the predictions; logs and metrics go to work_dirs/<config name>/<time>/
  bevdistill test configs/bevdistill/bevdistill_r50_1x_nus-3d.py work_dirs/bevdistill_r50_1x_nus-3d/epoch_12.pth

  # also draw predictions and ground truth in the cameras and from above
  bevdistill test CONFIG CHECKPOINT --show-dir pictures --score-thr 0.3

  # also keep the predictions, in <work dir>/predictions, for `bevdistill score` and `bevdistill errors`
  bevdistill test CONFIG CHECKPOINT --keep-predictions

  # the test server: v1.0-test has no annotations, so write <work dir>/predictions/pred_instances_3d/results_nusc.json
  # without scoring; use_external=True where data beyond nuScenes were used
  bevdistill test CONFIG CHECKPOINT --format-only --cfg-options test_evaluator.use_external=False \\
      test_dataloader.dataset.ann_file=nuscenes_infos_test.msgpack.gz \\
      test_evaluator.ann_file=nuscenes_infos_test.msgpack.gz

  # change entries of the config; a key that does not exist is an error
  bevdistill test CONFIG CHECKPOINT --data-root /data/nuscenes --cfg-options test_dataloader.batch_size=4

  # several processes
  torchrun --nproc_per_node=8 tools/test.py CONFIG CHECKPOINT --launcher pytorch
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--show-dir', type=folder_name, metavar='DIR', help='draw predictions into this folder')
    parser.add_argument('--keep-predictions', action='store_true', help='keep them in WORK_DIR/predictions')
    parser.add_argument('--show', action='store_true', help='show the pictures in windows')
    parser.add_argument(
        '--wait-time', type=from_zero, metavar='SECONDS', help='how long a window stays, 0: until closed (default: 2)'
    )
    parser.add_argument(
        '--score-thr', type=score, metavar='SCORE', help='predictions below are not drawn (default: 0.2)'
    )
    parser.add_argument(
        '--task', choices=('multi-view_det', 'lidar_det', 'multi-modality_det'),
        help='draw the images alone, the points alone, or whatever the model is given (default)',
    )  # fmt: skip
    parser.add_argument('--tta', action='store_true', help='refused: there is no test-time augmentation')
    parser.add_argument('--format-only', action='store_true', help='write predictions, do not score them')
    add_run(parser, 'logs and metrics')


def run(args: argparse.Namespace) -> None:
    """Test."""
    check_flags(args)
    cfg = config_of(args)
    from bevdistill.engine.launch import run_testing
    from bevdistill.engine.settings import check_test_split, set_format_only, set_keep_predictions, set_pictures

    check_test_split(cfg)
    if args.format_only:
        with errors_of('--format-only'):
            set_format_only(cfg)
    elif args.keep_predictions:
        with errors_of('--keep-predictions'):
            set_keep_predictions(cfg)
    if args.show_dir or args.show:
        set_pictures(
            cfg, show_dir=args.show_dir, show=args.show, wait_time=args.wait_time, score_thr=args.score_thr,
            vis_task=args.task,
        )  # fmt: skip
    run_testing(cfg, args.checkpoint)


def check_flags(args: argparse.Namespace) -> None:
    """Refuse what has no effect, before anything is read.

    Raises:
        ValueError: With ``--tta``, or options of pictures where none are drawn.
    """
    if args.tta:
        raise ValueError(
            '--tta: a mirrored scene has mirrored camera matrices and vehicle state, and a temporal student a mirrored '
            'history, which no released model was trained on; boxes of two passes are not merged here. Test without it'
        )
    options = (('--wait-time', args.wait_time), ('--score-thr', args.score_thr), ('--task', args.task))
    named = [option for option, value in options if value is not None]
    if named and not (args.show or args.show_dir):
        raise ValueError(f'{named[0]} is about pictures, and none are drawn; add --show or --show-dir DIR')
    if args.wait_time is not None and not args.show:
        raise ValueError('--wait-time is about windows, and none is shown; add --show')
