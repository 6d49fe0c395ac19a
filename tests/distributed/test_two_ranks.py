"""Two ranks take the step of one rank that holds all their samples."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import two_ranks
from rank_losses import BATCHES, loss_configs, together
from rank_models import RUNS
from torch import Tensor

LIMIT = 1e-5
"""Largest difference of a loss or gradient, relative to the largest entry of its tensor."""


@pytest.fixture(scope='module')
def ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Answers of one process, and of each of two ranks."""
    folder = tmp_path_factory.mktemp('ranks')
    # First, so that the kernels are compiled for the forks as well.
    whole = two_ranks.answers(None, folder)
    processes = two_ranks.start(folder)
    for process in processes:
        process.join(timeout=300)
    parts = [torch.load(folder / f'rank{rank}.pt', weights_only=False) for rank in range(two_ranks.RANKS)]
    assert not any(isinstance(part, str) for part in parts), '\n'.join(map(str, parts))
    return whole, parts


def gaps(want: dict[str, Tensor], parts: list[dict[str, Tensor]]) -> dict[str, float]:
    """Largest difference of each entry between one process and two ranks, relative to the entry's largest number.

    An entry that is next to nothing beside the others is a rounded zero (the gradient of a bias in front of a batch
    norm): it is measured against the largest of all.
    """
    assert all(part.keys() == want.keys() for part in parts)
    size = {name: float(value.abs().max()) for name, value in want.items()}
    largest = max(size.values())
    found = {}
    for name, value in want.items():
        got = together(name, [part[name] for part in parts])
        assert got.shape == value.shape
        scale = size[name] if size[name] > 1e-4 * largest else max(largest, 1e-4)
        found[name] = float((got - value).abs().max()) / scale
    return found


@pytest.mark.slow  # every loss and model, in one process and in two
@pytest.mark.parametrize('batch', BATCHES)
def test_losses(ranks, batch: str) -> None:
    whole, parts = ranks
    wrong, largest = [], {}
    for name, _ in loss_configs():
        case = f'{name} | {batch}'
        found = gaps(whole[case], [part[case] for part in parts])
        largest[name] = max(found.values())
        wrong += [f'{name}, {entry}: {gap:.1e}' for entry, gap in found.items() if not gap <= LIMIT]
    print('\n'.join(f'{name}: {gap:.1e}' for name, gap in largest.items()))
    assert not wrong, '\n'.join(wrong)
    assert len(largest) > 50


@pytest.mark.parametrize('run', RUNS)
def test_models(ranks, run: str) -> None:
    whole, parts = ranks
    found = gaps(whole[run], [part[run] for part in parts])
    print('\n'.join(f'{name}: {gap:.1e}' for name, gap in sorted(found.items(), key=lambda entry: -entry[1])[:10]))
    wrong = [f'{name}: {gap:.1e}' for name, gap in found.items() if not gap <= LIMIT]
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize('run', [name for name, run in RUNS.items() if run.equals])
def test_gradient_checkpointing_changes_no_gradient(ranks, run: str) -> None:
    """Running statistics move twice in a pass that is computed twice, so they alone differ."""
    whole, _ = ranks
    plain = whole[RUNS[run].equals]
    assert plain.keys() == whole[run].keys()
    found = gaps(plain, [whole[run]])
    wrong = [f'{name}: {gap:.1e}' for name, gap in found.items() if 'running_' not in name and not gap <= LIMIT]
    assert not wrong, '\n'.join(wrong)
    moved = [name for name, gap in found.items() if 'img_backbone' in name and 'running_' in name and gap > LIMIT]
    assert moved
