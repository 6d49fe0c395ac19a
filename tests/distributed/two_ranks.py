"""Two gloo processes that answer all questions of the tests about ranks in one start."""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from forked import CONTEXT

RANKS = 2


def answers(rank: int | None, folder: Path) -> dict[str, Any]:
    """Results of every case by name, for a rank or, with None, for all samples in one process."""
    from rank_losses import BATCHES, loss_configs, step
    from rank_models import RUNS, train_step

    found: dict[str, Any] = {}
    for name, config in loss_configs():
        for batch_name, batch in BATCHES.items():
            found[f'{name} | {batch_name}'] = step(config, batch, rank)
    for name in RUNS:
        found[name] = train_step(name, rank, folder)
    return found


def run_rank(rank: int, folder: str) -> None:
    """One rank; its answers, or its error, go to a file."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    out = Path(folder) / f'rank{rank}.pt'
    try:
        dist.init_process_group(
            'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=RANKS, timeout=timedelta(seconds=120)
        )
        torch.save(answers(rank, Path(folder)), out)
        dist.destroy_process_group()
    except Exception:
        torch.save(traceback.format_exc(), out)
        raise


def start(folder: Path) -> list[BaseProcess]:
    """Begin; each rank leaves its answers in a file."""
    workers = [CONTEXT.Process(target=run_rank, args=(rank, str(folder))) for rank in range(RANKS)]
    for worker in workers:
        worker.start()
    return workers
