"""History of a temporal BEVFormer: BEV maps of an evaluation by scene, and passes without gradient in training.

Legend: B samples, Q BEV queries, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from numpy.typing import NDArray
from torch import Tensor, nn

from ...structures.ego_state import CAN_BUS_SIZE, relative_can_bus
from .frame import meta


@contextmanager
def frozen_pass(module: nn.Module) -> Iterator[None]:
    """Run `module` without gradient, as in testing (dropout off, batch norms on their running statistics).

    The mode of every sub-module is put back afterwards, also after an exception: a frozen part stays in eval mode and
    a training part in train mode, which a pair of ``eval()`` and ``train()`` would not do.
    """
    modes = [(part, part.training) for part in module.modules()]
    try:
        # The flag alone, not eval(), which may have side effects: a detector forgets its scenes.
        for part, _ in modes:
            part.training = False
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
        # Weights that were cast here have no gradient, and torch before 2.9 hands them to the pass that needs one.
        torch.clear_autocast_cache()


@dataclass(frozen=True)
class EncodedFrame:
    """Encoded frame of a scene.

    Args:
        index: Running index of the frame in its scene.
        can_bus: Absolute vehicle state, (18,) float64.
        bev: Output of the encoder in the frame's own heading, (Q, C), without gradient.
    """

    index: int
    can_bus: NDArray[np.float64]
    bev: Tensor


class BEVMemory:
    """Memory of BEV maps, scene by scene, from one tested frame to the next.

    A frame continues another if they are of one scene and neighbours in it. Anything else - the first frame of a
    scene, a gap, a shuffled loader, a second round - has no history. A scene keeps its last two frames, so that asking
    for a frame again gives the same answer; scenes that are not in the current batch are dropped.

    Copies and pickles of a memory are empty: a copy of a model starts its own history.
    """

    def __init__(self) -> None:
        self._scenes: dict[str, tuple[EncodedFrame, ...]] = {}

    def __len__(self) -> int:
        """Return the number of stored maps."""
        return sum(len(frames) for frames in self._scenes.values())

    def __reduce__(self) -> tuple[type[BEVMemory], tuple[()]]:
        return type(self), ()

    def reset(self) -> None:
        """Forget all scenes."""
        self._scenes.clear()

    def keep(self, scenes: Iterable[str]) -> None:
        """Forget all scenes but these."""
        wanted = set(scenes)
        self._scenes = {scene: frames for scene, frames in self._scenes.items() if scene in wanted}

    def recall(self, sample: Det3DDataSample) -> EncodedFrame | None:
        """Return the frame before this one in its scene, or None."""
        before = int(meta(sample, 'frame_idx')) - 1
        frames = self._scenes.get(meta(sample, 'scene_token'), ())
        return next((frame for frame in frames if frame.index == before), None)

    def remember(self, sample: Det3DDataSample, bev_QC: Tensor) -> None:
        """Store a frame, and keep the one before it if known."""
        before = self.recall(sample)
        frame = EncodedFrame(
            int(meta(sample, 'frame_idx')), absolute_state(sample).copy(), bev_QC.detach().clone()
        )
        self._scenes[meta(sample, 'scene_token')] = (frame,) if before is None else (before, frame)


def absolute_state(sample: Det3DDataSample) -> NDArray[np.float64]:
    """Read ``can_bus_absolute`` of a sample.

    Raises:
        ValueError: If it does not have 18 numbers.
    """
    state: NDArray[np.float64] = np.asarray(meta(sample, 'can_bus_absolute'), dtype=np.float64)
    if state.shape != (CAN_BUS_SIZE,):
        raise ValueError(
            f"sample {sample.metainfo.get('token', '?')}: 'can_bus_absolute' must be ({CAN_BUS_SIZE},), "
            f'got {state.shape}'
        )
    return state


def state_since(before: EncodedFrame | None, sample: Det3DDataSample) -> NDArray[np.float64]:
    """Compute the vehicle state for the network: motion since `before`, none without it, (18,).

    In float64: positions are hundreds of metres, their differences a few.
    """
    state = absolute_state(sample)
    if before is None:
        relative, _ = relative_can_bus([state], [''])
    else:
        relative, _ = relative_can_bus([before.can_bus, state], ['', ''])
    return relative[-1]


def time_steps(samples: Sequence[Det3DDataSample]) -> list[list[int]]:
    """Group batch indices into steps: at most one frame per scene per step, in time order."""
    steps: list[list[int]] = []
    seen: dict[Any, int] = {}
    for place in sorted(range(len(samples)), key=lambda place: int(meta(samples[place], 'frame_idx'))):
        scene = meta(samples[place], 'scene_token')
        step = seen.get(scene, 0)
        seen[scene] = step + 1
        if step == len(steps):
            steps.append([])
        steps[step].append(place)
    return steps
