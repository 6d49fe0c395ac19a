"""Which device a process of a run works on, and whether torch can use it."""

from __future__ import annotations

import os

import torch
from mmengine.config import Config
from mmengine.device import get_device

from .nvidia import driver_version
from .trainable import UntrainableError


def check_accelerator() -> None:
    """Refuse to run on the CPU of a machine whose GPU torch cannot use.

    Raises:
        UntrainableError: With the reason that torch gives, and how to run on the CPU all the same.
    """
    driver = driver_version() if get_device() == 'cpu' else ''
    if not driver:
        return
    if torch.version.cuda is None:
        reason = f'torch {torch.__version__} is a build for CPUs'
    else:
        try:
            torch.cuda.init()
            reason = 'it finds none'
        except (RuntimeError, AssertionError) as error:
            reason = str(error).strip().splitlines()[0].rstrip('.')
        reason = f'torch {torch.__version__}, built for CUDA {torch.version.cuda}, says: {reason}'
    raise UntrainableError(
        f"this machine has a GPU (NVIDIA's driver {driver}) that torch cannot use: {reason}. Install a build of torch "
        'for this driver ("make setup" picks it), or set CUDA_VISIBLE_DEVICES= (empty) to run on the CPU all the same'
    )


def choose_card(cfg: Config, launcher: str) -> None:
    """Have the launcher's variables name a card that this process sees, before mmengine selects the card by them.

    A task of Slurm with ``--gpus-per-task=1`` sees one card, numbered 0, whatever its own number on the machine is.
    Processes of torchrun see all cards; more of them than cards share these, which only gloo allows.

    Args:
        cfg: Config with ``env_cfg.dist_cfg``.
        launcher: ``pytorch`` or ``slurm``, whose variables are there.

    Raises:
        ValueError: If processes would share a card and NCCL connects them.
    """
    cards, local = torch.cuda.device_count(), int(os.environ['LOCAL_RANK'])
    if not cards or local < cards:
        return
    gloo = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('backend', 'nccl') == 'gloo'
    if not gloo and not (launcher == 'slurm' and cards == 1):
        raise ValueError(
            f'process {local + 1} of this machine sees {cards} GPU(s), and NCCL wants one for each process: start at '
            f'most {cards}, or let processes share a card, slowly, with --cfg-options env_cfg.dist_cfg.backend=gloo'
        )
    os.environ['LOCAL_RANK'] = os.environ['SLURM_LOCALID'] = str(local % cards)
