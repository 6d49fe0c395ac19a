"""Detect objects in one's own images or in samples of a data set: boxes as JSON, pictures, video."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..for_people import counted
from ..json_file import read_json_object
from .arguments import add_data, folder, require_folder, score
from .loading import check_checkpoints, load_libraries, read_config_of, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bevdistill.apis.sources import NamedMoment
    from bevdistill.apis.student import Student

HELP = "boxes in one's own images, in a sample or over a scene: JSON, pictures, video"
EXAMPLES = """
examples:
  # a folder of images; the file has a line per moment in the layout of docs/own_data.md, without boxes
  bevdistill predict CONFIG CHECKPOINT --images FOLDER --calibration FOLDER/drive.jsonl --out predictions

  # samples of the config's test data
  bevdistill predict CONFIG CHECKPOINT --token 0123456789abcdef --out predictions

  # a scene, as a video too
  bevdistill predict CONFIG CHECKPOINT --scene 0123456789abcdef --out predictions --video

OUT/boxes.json names frame and units. A student with history takes it from the moments before in the same scene.
"""

BOXES = 'boxes.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', help='config file of a student or a distiller')
    parser.add_argument('checkpoint', help='checkpoint of either')
    parser.add_argument('--out', type=folder, required=True, metavar='DIR', help='folder of boxes.json and pictures')
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument('--images', type=Path, metavar='FOLDER', help='folder of images; needs --calibration')
    which.add_argument('--token', nargs='+', default=[], help='samples of the test data')
    which.add_argument('--scene', metavar='TOKEN', help='all samples of a scene of the test data')
    parser.add_argument('--calibration', type=Path, metavar='FILE', help='JSON lines with the calibration of --images')
    parser.add_argument('--threshold', type=score, default=0.2, help='leave out what scores less (default: 0.2)')
    parser.add_argument('--no-pictures', action='store_true', help='write no pictures')
    parser.add_argument('--video', action='store_true', help='write the pictures as OUT/video.mp4 too, 2 per second')
    add_data(parser)


def run(args: argparse.Namespace) -> None:
    """Detect, after a mistake in the arguments or the config has been reported."""
    if (args.images is None) != (args.calibration is None):
        raise ValueError('--images and --calibration are given together')
    if args.images is not None:
        require_folder(args.images, '--images')
    if args.calibration is not None and not args.calibration.is_file():
        raise FileNotFoundError(f'--calibration: no file {args.calibration}')
    if args.no_pictures and args.video:
        raise ValueError('--video is made of the pictures; leave --no-pictures out')
    if (args.out / BOXES).exists():
        read_json_object(args.out / BOXES, 'units', 'moments', advice='It is not of this command: name another --out')
    check_checkpoints(args, read_config_of(args))
    load_libraries()
    predict(args)


def predict(args: argparse.Namespace) -> None:
    """Load the student, detect, write."""
    from mmengine.device import get_device

    from bevdistill.apis import init_student
    from bevdistill.apis.predictions import as_json, follow, write_predictions
    from bevdistill.engine.overrides import parse_overrides

    overrides = parse_overrides(args.cfg_options)
    student = init_student(args.config, args.checkpoint, get_device(), overrides, args.data_root)
    pictures = None if args.no_pictures else _Pictures(args)
    moments = []
    for entry, found in follow(student, _moments(args, student), args.threshold):
        moments.append(as_json(entry, found))
        say(f'{entry.token}: {counted(len(found), "object")}')
        if pictures is not None:
            pictures.add(student, entry, found)
    if pictures is not None:
        pictures.close()
    out = args.out / BOXES
    about = dict(config=args.config, checkpoint=args.checkpoint, threshold=args.threshold)
    write_predictions(out, moments, **about, classes=list(student.classes))
    objects = sum(len(moment['objects']) for moment in moments)
    print(f'{out}: {counted(objects, "object")} in {counted(len(moments), "moment")}')


def _moments(args: argparse.Namespace, student: Student) -> Iterator[NamedMoment]:
    from bevdistill.apis.sources import dataset_moments, folder_moments

    if args.images is not None:
        return folder_moments(student, args.images, args.calibration)
    return dataset_moments(student, args.token, args.scene)


class _Pictures:
    """Write a page per moment, and the pages as a video."""

    def __init__(self, args: argparse.Namespace) -> None:
        from bevdistill.apis.predictions import Video

        self.args = args
        self.video = Video(args.out / 'video.mp4') if args.video else None
        self.count = 0

    def add(self, student: Student, entry: NamedMoment, found: list) -> None:  # type: ignore[type-arg]
        import numpy as np
        from PIL import Image

        from bevdistill.apis.predictions import page_of
        from bevdistill.datasets.infos.names import name_of_file
        from bevdistill.visualization import report_page, save_figure

        page = page_of(student, entry, found, self.args.threshold)
        path = self.args.out / f'{self.count:05d}_{name_of_file(entry.token)[:8]}.png'
        self.count += 1
        print(f'saved {save_figure(report_page(page), path)}', flush=True)
        if self.video is not None:
            with Image.open(path) as picture:
                self.video.add(np.asarray(picture.convert('RGB')))

    def close(self) -> None:
        if self.video is not None:
            self.video.close()
