"""Schedule the weight of a loss over the course of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmengine.logging import MessageHub

from ..structures import strict_from_dict


@dataclass(frozen=True)
class WeightSchedule:
    """Factor of a loss weight as a function of training progress p in [0, 1].

    Outside of ``[start, stop]`` the factor is 0. Inside, with u running from 0 to 1 over that window, it rises linearly
    from 0 to 1 while ``u < warmup``, then goes linearly to `decay_to` at ``u = 1``. The default is constant 1;
    ``decay_to=0.0`` is a linear decay to nothing, ``start=0.4`` a late start.

    Args:
        start: Fraction of training at which the loss sets in.
        stop: Fraction of training after which it is off.
        warmup: Fraction of the window over which the factor rises.
        decay_to: Factor at the end of the window.

    Raises:
        ValueError: If the numbers are out of range.
    """

    start: float = 0.0
    stop: float = 1.0
    warmup: float = 0.0
    decay_to: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop <= 1:
            raise ValueError(f'a schedule needs 0 <= start < stop <= 1, got start={self.start}, stop={self.stop}')
        if not 0 <= self.warmup < 1 or self.decay_to < 0:
            raise ValueError(
                f'a schedule needs 0 <= warmup < 1 and decay_to >= 0, got {self.warmup} and {self.decay_to}'
            )

    @classmethod
    def from_config(cls, config: dict[str, Any] | None) -> WeightSchedule:
        """Build from a config, None for a constant.

        Raises:
            ValueError: If a key is unknown.
        """
        return strict_from_dict(cls, config or {}, 'schedule')

    @property
    def constant(self) -> bool:
        """Tell whether the factor is always 1."""
        return self == WeightSchedule()

    def factor(self, progress: float) -> float:
        """Compute the factor at a progress in [0, 1]."""
        if not self.start <= progress <= self.stop:
            return 0.0
        u = (progress - self.start) / (self.stop - self.start)
        if u < self.warmup:
            return u / self.warmup
        return 1.0 + (self.decay_to - 1.0) * (u - self.warmup) / (1.0 - self.warmup)

    def current(self) -> float:
        """Compute the factor at the current iteration, which mmengine's runner writes to its message hub.

        Raises:
            ValueError: If no runner has written the length of training there.
        """
        if self.constant:
            return 1.0
        info = MessageHub.get_current_instance().runtime_info
        if 'iter' not in info or not info.get('max_iters'):
            raise ValueError(
                'a scheduled loss weight needs to know the progress of training. Outside of a runner, tell it with '
                "MessageHub.get_current_instance().update_info_dict(dict(iter=0, max_iters=1000))"
            )
        return self.factor(min(info['iter'] / info['max_iters'], 1.0))
