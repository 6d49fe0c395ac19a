"""Read the config of a command at once, then load the libraries, and say so meanwhile."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config


def say(text: str) -> None:
    """Print a line about progress on stderr; only the first process of a run does."""
    rank = os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or '0'
    if rank == '0':
        print(text, file=sys.stderr, flush=True)


def read_config_of(args: argparse.Namespace) -> Config:
    """Read the config file of a command line with its overrides, and for a run its work dir and launcher.

    Needs no torch, so a mistake is reported within a second or two.
    """
    if getattr(args, 'local_rank', None) is not None:
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    say(f'reading {args.config}')
    from bevdistill.engine.config_file import read_config
    from bevdistill.engine.overrides import parse_overrides

    run = {key: getattr(args, key) for key in ('work_dir', 'launcher', 'data_root') if hasattr(args, key)}
    return read_config(args.config, parse_overrides(args.cfg_options), **run)


def config_of(args: argparse.Namespace) -> Config:
    """Read the config of a command line, then load torch, mmdet3d and the config's own modules."""
    cfg = read_config_of(args)
    if hasattr(args, 'work_dir'):
        check_complete(cfg, ('model',) if hasattr(args, 'checkpoint') else ('model', 'train_dataloader'))
        check_checkpoints(args, cfg)
    load_libraries()
    from bevdistill.engine.config_file import import_custom_modules

    import_custom_modules(cfg)
    return cfg


def check_complete(cfg: Config, keys: Sequence[str]) -> None:
    """Look for the model and the data of a run in its config.

    Raises:
        ValueError: If either is missing.
    """
    missing = [key for key in keys if cfg.get(key) is None]
    if missing:
        raise ValueError(
            f'{cfg.filename}: expected the config of a run, found one without {" and ".join(missing)}; bevdistill ls '
            'lists complete ones, which others name in _base_'
        )


def check_checkpoints(args: argparse.Namespace, cfg: Config) -> None:
    """Look for the checkpoints that a command line names, and for the one that a training starts from.

    Raises:
        FileNotFoundError: If one is not there.
    """
    from bevdistill.checkpoints.existing import existing_checkpoint

    resume = getattr(args, 'resume', None)
    start = cfg.get('load_from') if hasattr(args, 'resume') else None
    for path in (getattr(args, 'checkpoint', None), None if resume == 'auto' else resume, start):
        if path:
            existing_checkpoint(str(path))


def load_libraries() -> None:
    """Import torch and mmdet3d's models, the seconds of every run."""
    if 'mmdet3d.structures' not in sys.modules:
        say('loading PyTorch and MMDetection3D ...')
        import mmdet3d.structures  # noqa: F401
