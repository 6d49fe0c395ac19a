"""Draw what a model is fed: samples of a config's data after its pipeline, with their boxes. Needs no model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .arguments import add_data, add_samples, chosen, folder
from .loading import config_of

HELP = "samples of a config's data after its pipeline, with their boxes"
EXAMPLES = """
examples:
  # four samples of the training data, as augmented and cropped for training
  bevdistill show data CONFIG --out pictures

  # the first ten of the validation data
  bevdistill show data CONFIG --split val --index 0 1 2 3 4 5 6 7 8 9 --out pictures

Boxes have the colour of their class.
"""

CELLS = 64
"""Rows and columns of the foreground mask that the page shows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', type=folder, required=True, metavar='DIR', help='folder of the pictures')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='which dataloader')
    add_samples(parser, '--index', type=int, metavar='I')
    add_data(parser)


def run(args: argparse.Namespace) -> None:
    """Draw the pages."""
    draw(args)


def innermost(dataset: Any) -> Any:
    """Get the config of the data set inside wrappers such as CBGSDataset."""
    return innermost(dataset.dataset) if 'dataset' in dataset else dataset


def range_of(pipeline: Mapping[str, Any]) -> list[float]:
    """Find the point-cloud range of a pipeline.

    Raises:
        ValueError: If no stage has one.
    """
    for stage in pipeline.values() if isinstance(pipeline, Mapping) else pipeline:
        if stage is not None and 'point_cloud_range' in stage:
            return list(stage['point_cloud_range'])
    raise ValueError('no stage of the pipeline has a point_cloud_range, so there is no range to draw')


def draw(args: argparse.Namespace) -> list[Path]:
    """Draw the pages and return their paths."""
    cfg = config_of(args)
    from dataclasses import replace

    import numpy as np
    from mmdet3d.registry import DATASETS
    from mmengine.registry import init_default_scope

    from bevdistill.datasets.infos.names import name_of_file
    from bevdistill.structures import BEVGrid
    from bevdistill.visualization import Entry, Frame, Page, page_title, report_page, save_figure, write_index

    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    source = cfg[f'{args.split}_dataloader'].dataset
    grid = BEVGrid.from_config(range_of(innermost(source).pipeline), CELLS, CELLS)
    dataset = DATASETS.build(source)
    paths, entries = [], []
    for index in args.index or chosen(args, len(dataset)):
        if not 0 <= index < len(dataset):
            raise ValueError(f'there is no sample {index}: the {args.split} data has {len(dataset)}')
        frame = Frame.from_dataset(dataset, index)
        scene = str(dataset.get_data_info(index).get('scene_token', ''))
        boxes = None if frame.truth is None else replace(frame.truth, scores=np.ones(len(frame.truth)))
        page = Page(
            title=page_title(f'{Path(args.config).stem} · {args.split}', frame.token, scene),
            frame=frame,
            grid=grid,
            classes=list(dataset.metainfo['classes']),
            predictions=boxes,
            note=f'sample {index} of {len(dataset)}, boxes are ground truth',
            limit=len(frame.truth or ()),
            judged=False,
        )
        name = f'{args.split}_{index:05d}_{name_of_file(frame.token)[:8]}.png'
        paths.append(save_figure(report_page(page), args.out / name))
        entries.append(Entry(paths[-1], page.title))
        print(f'saved {paths[-1]}', flush=True)
    print(f'saved {write_index(args.out, f"Samples of {args.config}", entries)}', flush=True)
    return paths
