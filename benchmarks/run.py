"""Measure what this package costs on this machine: ratios against targets, times, memory, and how they grow."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bevdistill.cli.loading import say

from .report import BEGIN, END, in_document, machine, report

PARTS = dict(encoder=100.0, targets=9.0, steps=60.0, loader=18.0, scaling=95.0, stages=95.0)
"""Seconds that each part takes with the default repeats, about; the time left is estimated from them."""
NEED_DATA = {'steps', 'loader', 'scaling'}
DATA_SECONDS = 20.0


def check(args: argparse.Namespace) -> None:
    """Check arguments before anything slow begins.

    Raises:
        ValueError: If there is no GPU, or the document has no place for the tables.
        FileNotFoundError: If the data lack their information file, or a config is not there.
    """
    if args.markdown is not None and args.markdown.exists():
        in_document(args.markdown.read_text(), '')
    if args.data_root is not None:
        from bevdistill.datasets.infos.files import find_infos

        find_infos(args.data_root / 'nuscenes_infos_train.msgpack.gz')
    from bevdistill.engine.config_file import read_config

    for config in (args.config, args.temporal_config):
        read_config(config)
    if args.device == 'cuda':
        import torch

        if not torch.cuda.is_available():
            raise ValueError('--device cuda, but torch sees no GPU')


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the parts and merge their results.

    Args:
        args: The command line.
        folder: For files that are needed meanwhile.
    """
    say('loading PyTorch and MMDetection3D ...')
    from . import loader, ratios, scaling, stages
    from .clock import Clock
    from .models import Settings, make_data, set_up

    measures = dict(
        encoder=ratios.measure_encoder, targets=ratios.measure_targets, steps=ratios.measure_steps,
        loader=loader.measure_loader, scaling=scaling.measure_scaling, stages=stages.measure_stages,
    )  # fmt: skip
    set_up(args.threads)
    chosen = [name for name in PARTS if name in args.only]
    makes_data = args.data_root is None and bool(NEED_DATA & set(chosen))
    root = args.data_root or folder / 'data'
    results: dict[str, Any] = dict(ratios={}, times={})
    # In a log file a line every ten seconds is enough.
    pace = 0.1 if sys.stderr.isatty() else 10.0
    form = '{desc:11} {percentage:3.0f} % |{bar}| {elapsed} passed, about {remaining} left'
    total = sum(PARTS[name] for name in chosen) + makes_data * DATA_SECONDS
    with tqdm(total=total, bar_format=form, mininterval=pace) as bar:
        if makes_data:
            bar.set_description_str('making data')
            make_data(root, args.quick)
            bar.update(DATA_SECONDS)
        for name in chosen:
            bar.set_description_str(name)
            end, place = bar.n + PARTS[name], folder / name
            place.mkdir()
            settings = Settings(
                Clock(args.device), args.repeats, args.quick, args.config, args.temporal_config, root, place,
                partial(advance, bar, PARTS[name], end),
            )  # fmt: skip
            for key, value in measures[name](settings).items():
                results[key] = {**results[key], **value} if key in ('ratios', 'times') else value
            bar.update(end - bar.n)
    return results


def advance(bar: tqdm[Any], seconds: float, end: float, share: float) -> None:
    """Advance a bar by a share of a part's seconds, to the part's end at most."""
    bar.update(min(share * seconds, end - bar.n))


def command(argv: Sequence[str]) -> str:
    """Return the command line without the folders of this machine."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in argv if word != 'bench']
    return shlex.join(['bevdistill', 'bench', *words])


def write(args: argparse.Namespace, results: dict[str, Any]) -> None:
    """Print the tables; write figures, plots and document, each aside and then put in place."""
    from bevdistill.checkpoints.atomic_backend import AtomicBackend

    from .scaling import plot_scaling

    put, plot = AtomicBackend().put, args.plot or args.out.with_name(f'{args.out.stem}_scaling.png')
    put((json.dumps(results, indent=2) + '\n').encode(), args.out)
    written = [args.out]
    if results.get('scaling'):
        aside = plot.with_name(f'.{plot.name}')
        plot_scaling(results['scaling'], aside)
        aside.replace(plot)
        written.append(plot)
    if args.markdown is not None:
        picture = os.path.relpath(plot.absolute(), args.markdown.absolute().parent)
        document = args.markdown.read_text() if args.markdown.exists() else f'{BEGIN}\n{END}\n'
        put(in_document(document, report(results, picture)).encode(), args.markdown)
        written.append(args.markdown)
    print(report(results))
    print(f'written: {", ".join(map(str, written))}')


def run(args: argparse.Namespace) -> None:
    """Check, measure, report.

    Args:
        args: Of `bevdistill bench`.

    Raises:
        ValueError: If an argument cannot be met.
        FileNotFoundError: If the data lack their information file.
    """
    check(args)
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(args, Path(folder))
    facts = dict(
        command=command(sys.argv[1:]),
        date=time.strftime('%Y-%m-%d', time.gmtime(start)),
        minutes=(time.time() - start) / 60,
        repeats=args.repeats,
        machine=machine(args.device, args.threads),
    )
    write(args, facts | results)
