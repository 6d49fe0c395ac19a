"""Check information files and the files of sensors that they name."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..for_people import counted
from .arguments import positive
from .loading import say

if TYPE_CHECKING:
    from ..datasets.infos.disk import SensorFile
    from ..datasets.infos.validate import Fault

HELP = 'check information files and the files that they name'
EXAMPLES = """
examples:
  # every nuscenes_infos_* of a root, and all images and points they name: there, whole, of the right size
  bevdistill data check data/nuscenes

  # the records alone; one information file; every pixel and point as well
  bevdistill data check data/nuscenes --no-files
  bevdistill data check data/nuscenes/nuscenes_infos_val.msgpack.gz
  bevdistill data check data/nuscenes --deep

The exit status is 0 if nothing is wrong, 1 otherwise. Fields that nothing reads are not looked at.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('root', type=Path, help='data root, or one of its information files')
    parser.add_argument('--data-root', type=Path, metavar='DIR', help='where the sensor files are (default: the root)')
    parser.add_argument('--no-files', action='store_true', help='check the records alone')
    parser.add_argument('--deep', action='store_true', help='decode every image and read every point, which takes long')
    parser.add_argument('--workers', type=positive, default=16, help='files looked at at once (default: %(default)s)')
    parser.add_argument('--examples', type=positive, default=1, metavar='N', help='faults shown of a kind (default: 1)')


def run(args: argparse.Namespace) -> int:
    """Check; returns the exit status."""
    sources = information_files(args.root)
    say(f'reading {", ".join(source.name for source in sources)}')
    from ..datasets.infos.disk import files_of
    from ..datasets.infos.files import read_infos
    from ..datasets.infos.validate import faults_of

    root = args.data_root or (args.root if args.root.is_dir() else args.root.parent)
    wrong = 0
    files: dict[str, SensorFile] = {}
    for source in sources:
        try:
            infos = read_infos(source)
        except ValueError as error:
            print(error)
            wrong += 1
            continue
        records = infos['data_list']
        if not records:
            print(f'{source}: expected samples, found none')
            wrong += 1
        loaded = [any(record.get(part) for record in records) for part in ('images', 'lidar_points')]
        faults = faults_of(infos, *(loaded if any(loaded) else (True, True)))
        wrong += report(f'{source}: {counted(len(records), "sample")}', faults, args.examples)
        if not faults:
            files.update(files_of(infos, str(root)))
        elif not args.no_files:
            print(f'{source}: the files that it names are not looked at before its records are right')
    if files and not args.no_files:
        found = look(list(files.values()), args.workers, args.deep)
        wrong += report(f'{root}: {counted(len(files), "file")} of sensors', found, args.examples)
    return 1 if wrong else 0


def information_files(root: Path) -> list[Path]:
    """List the information files of a root, of those of one name the one that a config would read.

    Raises:
        FileNotFoundError: If there is none.
    """
    if root.is_file():
        return [root]
    from ..datasets.infos.files import ENDINGS, create_command, split_of

    found: dict[str, Path] = {}
    for ending in ENDINGS:
        for path in sorted(root.glob(f'*infos*{ending}')):
            found.setdefault(split_of(path), path)
    if not found:
        if not root.is_dir():
            raise FileNotFoundError(f'no folder or information file {root}')
        os.listdir(root)  # An error, where it may not be read.
        raise FileNotFoundError(f'no information file (*infos*) in {root}; write them with: {create_command(root)}')
    return [found[name] for name in sorted(found)]


def look(files: list[SensorFile], workers: int, deep: bool) -> list[Fault]:
    """Look at files, with a bar on the screen."""
    from tqdm import tqdm

    from ..datasets.infos.disk import BATCH, disk_faults

    faults: list[Fault] = []
    # The mean since the start: the rate of the last batches says little on a disk that many use.
    with tqdm(total=len(files), unit='file', smoothing=0, file=sys.stderr) as bar:
        for batch in disk_faults(files, workers, deep):
            faults += batch
            bar.update(min(BATCH, len(files) - bar.n))
            bar.set_postfix_str(counted(len(faults), 'fault'))
    return faults


def report(subject: str, faults: Iterable[Fault], examples: int) -> int:
    """Print how many faults there are of each kind, with examples; returns how many there are in all."""
    from ..datasets.infos.validate import summary

    faults = list(faults)
    total = f'{len(faults)} fault' + 's' * (len(faults) > 1)
    print(f'{subject}: {total if faults else "nothing is wrong"}')
    for kind, count, _ in summary(faults):
        print(f'  {count} x {kind}')
        for fault in [fault for fault in faults if fault.kind == kind][:examples]:
            print(f'    {fault}')
    return len(faults)
