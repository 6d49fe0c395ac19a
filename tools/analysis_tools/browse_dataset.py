#!/usr/bin/env python
"""Draw what a model is fed: samples of a config's data after its pipeline, with their boxes. Needs no model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

EXAMPLES = """
examples:
  # four samples of the training data, as augmented and cropped for training
  tools/analysis_tools/browse_dataset.py CONFIG --out pictures

  # the first ten of the validation data
  tools/analysis_tools/browse_dataset.py CONFIG --split val --index 0 1 2 3 4 5 6 7 8 9 --out pictures

Boxes have the colour of their class.
"""

CELLS = 64
"""Rows and columns of the foreground mask that the page shows."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of the pictures')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='which dataloader')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--num', type=int, default=4, metavar='N', help='samples, spread evenly (default: 4)')
    which.add_argument('--index', type=int, nargs='+', default=[], metavar='I', help='these samples')
    parser.add_argument('--data-root', metavar='DIR', help='data root in place of that of the config')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help='override entries of the config; a key that does not exist is an error',
    )
    args = parser.parse_args(argv)
    if args.num < 1:
        parser.error('--num must be at least 1')
    return args


def innermost(dataset: Any) -> Any:
    """The config of the data set inside wrappers such as CBGSDataset."""
    return innermost(dataset.dataset) if 'dataset' in dataset else dataset


def range_of(pipeline: Mapping[str, Any]) -> list[float]:
    """Point-cloud range of a pipeline.

    Raises:
        ValueError: If no stage has one.
    """
    for stage in pipeline.values() if isinstance(pipeline, Mapping) else pipeline:
        if stage is not None and 'point_cloud_range' in stage:
            return list(stage['point_cloud_range'])
    raise ValueError('no stage of the pipeline has a point_cloud_range, so there is no range to draw')


def draw(args: argparse.Namespace) -> list[Path]:
    """Draw the pages; returns their paths."""
    from dataclasses import replace

    import numpy as np
    from mmdet3d.registry import DATASETS
    from mmengine.registry import init_default_scope

    from bevdistill.engine.launch import load_config
    from bevdistill.engine.overrides import parse_overrides
    from bevdistill.structures import BEVGrid
    from bevdistill.visualization import Frame, Page, report_page, save_figure

    cfg = load_config(args.config, parse_overrides(args.cfg_options))
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    source = cfg[f'{args.split}_dataloader'].dataset
    if args.data_root is not None:
        innermost(source).data_root = args.data_root
    grid = BEVGrid.from_config(range_of(innermost(source).pipeline), CELLS, CELLS)
    dataset = DATASETS.build(source)
    count = min(args.num, len(dataset))
    indices = args.index or [(2 * i + 1) * len(dataset) // (2 * count) for i in range(count)]
    paths = []
    for index in indices:
        if not 0 <= index < len(dataset):
            raise ValueError(f'there is no sample {index}: the {args.split} data has {len(dataset)}')
        item = dataset[index]
        frame = Frame.from_item(item['inputs'], item['data_samples'])
        boxes = None if frame.truth is None else replace(frame.truth, scores=np.ones(len(frame.truth)))
        page = Page(
            title=f'{Path(args.config).stem} · {args.split} sample {frame.token[:8]}',
            frame=frame,
            grid=grid,
            classes=list(dataset.metainfo['classes']),
            predictions=boxes,
            note=f'sample {index} of {len(dataset)}, boxes are ground truth',
            limit=len(frame.truth or ()),
        )
        paths.append(save_figure(report_page(page), args.out / f'{args.split}_{index:05d}_{frame.token[:8]}.png'))
        print(f'saved {paths[-1]}', flush=True)
    return paths


def main(argv: list[str] | None = None) -> None:
    """Parse, draw; errors of the user are one line."""
    args = parse_args(argv)
    try:
        draw(args)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'browse_dataset.py: error: {error}')


if __name__ == '__main__':
    main()
