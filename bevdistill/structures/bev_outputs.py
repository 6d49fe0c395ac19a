"""Define the outputs of a BEV detector that distillation reads."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .bev_grid import BEVGrid
from .box_code import CODE_SIZE, decode_boxes


@dataclass(frozen=True)
class BEVOutputs:
    """Outputs of a BEV detector for one batch, checked when made.

    L decoder layers, B samples, Q queries, C channels, K classes, H x W cells of :attr:`grid`.

    Args:
        grid: The grid of :attr:`bev`.
        bev: BEV map, (B, C, H, W); row follows LiDAR y, column LiDAR x.
        states: Decoder states after each layer, (L, B, Q, C).
        logits: Class logits after each layer, (L, B, Q, K), before the sigmoid.
        codes: Box codes after each layer, (L, B, Q, 10), see :mod:`.box_code`; centres in metres.
        references: Normalised reference points that each layer started from, (L, B, Q, 2) or (L, B, Q, 3).
        heatmap: Logits of the auxiliary class heatmap, (B, K, H, W), or None.
        heatmap_features: Features after the heatmap head's shared convolution, (B, C', H, W), or None.

    Raises:
        ValueError: If a shape does not fit the others; the message names the field.
    """

    grid: BEVGrid
    bev: Tensor
    states: Tensor
    logits: Tensor
    codes: Tensor
    references: Tensor
    heatmap: Tensor | None = None
    heatmap_features: Tensor | None = None

    def __post_init__(self) -> None:
        batch = self.bev.shape[0]
        rows, cols = self.grid.rows, self.grid.cols
        if self.logits.dim() != 4:
            raise ValueError(f"BEVOutputs.logits must be (L, B, Q, K), got {tuple(self.logits.shape)}")
        layers, _, queries, classes = self.logits.shape
        expected: dict[str, tuple[int | None, ...]] = {
            'bev': (batch, None, rows, cols),
            'states': (layers, batch, queries, None),
            'logits': (layers, batch, queries, classes),
            'codes': (layers, batch, queries, CODE_SIZE),
            'references': (layers, batch, queries, None),
            'heatmap': (batch, classes, rows, cols),
            'heatmap_features': (batch, None, rows, cols),
        }
        for name, want in expected.items():
            value = getattr(self, name)
            if value is None:
                continue
            got = tuple(value.shape)
            fits = len(got) == len(want) and all(w is None or w == g for w, g in zip(want, got, strict=True))
            if not fits:
                shape = ', '.join('*' if w is None else str(w) for w in want)
                raise ValueError(f'BEVOutputs.{name} must be ({shape}), got {got}')

    @property
    def batch_size(self) -> int:
        """Return the number of samples."""
        return int(self.bev.shape[0])

    @property
    def num_classes(self) -> int:
        """Return the number of classes K."""
        return int(self.logits.shape[-1])

    @property
    def boxes(self) -> Tensor:
        """Decode the boxes of the last layer with gravity centres, (B, Q, 9)."""
        return decode_boxes(self.codes[-1])

    def taps(self) -> tuple[str, ...]:
        """List the names of the tensors that are present."""
        names = ('bev', 'states', 'logits', 'codes', 'references', 'heatmap', 'heatmap_features')
        return tuple(name for name in names if getattr(self, name) is not None)
