"""Draw the masks and BEV maps of a page: one scale and one set of colours for all models, their difference apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from torch import Tensor

from ..detection import gaussian_foreground
from ..losses.alignment import resize_map
from ..structures import BEVGrid, BEVOutputs
from .boxes import BoxSet
from .figures import LABEL_SIZE
from .frame import Frame
from .map_view import PrincipalColours, channel_norm, draw_map
from .pairs import MatchedPairs, draw_pairs

Draw = Callable[[Axes], object]


@dataclass(frozen=True)
class ModelMaps:
    """Maps of one model for one sample.

    Args:
        name: What the model is called on the page, such as ``teacher``.
        grid: Grid of the maps.
        bev: BEV map, (C, H, W).
        heatmap: Logits of the auxiliary class heatmap, (K, H, W), or None.
    """

    name: str
    grid: BEVGrid
    bev: Tensor
    heatmap: Tensor | None = None

    @classmethod
    def from_outputs(cls, name: str, outputs: BEVOutputs, index: int = 0) -> ModelMaps:
        """Take the maps of one sample of a batch."""
        heatmap = None if outputs.heatmap is None else outputs.heatmap[index].detach().cpu()
        return cls(name, outputs.grid, outputs.bev[index].detach().cpu(), heatmap)


def comparable(maps: Sequence[ModelMaps]) -> bool:
    """Tell whether there are several maps, of the same ground and with equally many channels."""
    return len(maps) > 1 and all(
        other.grid.same_range(maps[0].grid) and len(other.bev) == len(maps[0].bev) for other in maps[1:]
    )


def difference(first: ModelMaps, second: ModelMaps) -> ModelMaps:
    """Subtract the first map, laid on the second's grid, from the second."""
    on_grid = resize_map(first.bev[None].float(), first.grid, second.grid)[0]
    return ModelMaps(f'{second.name} - {first.name}', second.grid, second.bev.float() - on_grid)


def draw_maps(
    figure: SubFigure, maps: Sequence[ModelMaps], frame: Frame, grid: BEVGrid, foreground_of: str | None,
    pairs: MatchedPairs | None,
) -> list[str]:  # fmt: skip
    """Fill a figure with two rows: masks, the maps of each model, their difference and matched pairs.

    Args:
        figure: To be filled.
        maps: Of the models, teacher first.
        frame: Sample.
        grid: Where there are no maps.
        foreground_of: The model whose predicted foreground is shown; None: the last that has one.
        pairs: Matched pairs to show, or None.

    Returns:
        What the panels say, in sentences.
    """
    truth = frame.truth
    columns: list[tuple[Draw | None, Draw | None]] = [_foreground(maps, frame, grid, foreground_of)]
    columns += _models(maps, truth)
    said = ['Foreground mask: where objects are, and the losses look.'] if maps else []
    if maps:
        said.append("Strength: root mean square of a cell's channels.")
        said.append('PCA colours: the three directions in which cells differ most, as red, green and blue.')
    upper: Draw | None = None
    lower: Draw | None = None
    if comparable(maps):
        said.append('One scale and one set of colours for all models: equal colours are equal features.')
        gap = difference(maps[0], maps[-1])
        said.append(f'Difference: strength of {gap.name}; dark where the maps agree.')
        values = channel_norm(gap.bev)
        limits = (0.0, float(np.percentile(values, 99)))
        upper = lambda axes: draw_map(axes, gap.grid, values, 'difference of the maps', truth, 'inferno', limits)  # noqa: E731
    elif len(maps) > 1:
        said.append('The maps have other numbers of channels or ranges: each has its own scale and colours.')
    if pairs is not None:
        said.append("Pairs: ring the teacher's box, dot the student's that learns from it, brighter with more weight.")
        lower = lambda axes: draw_pairs(axes, maps[-1].grid if maps else grid, pairs)  # noqa: E731
    if upper or lower:
        columns.append((upper, lower))
    _fill(figure, columns)
    return said


def _fill(figure: SubFigure, columns: Sequence[tuple[Draw | None, Draw | None]]) -> None:
    axes = figure.subplots(2, len(columns), squeeze=False)
    for column, drawn in enumerate(columns):
        for row, draw in enumerate(drawn):
            if draw is None:
                axes[row, column].set_axis_off()
            else:
                draw(axes[row, column])
                axes[row, column].title.set_fontsize(LABEL_SIZE + 0.5)
        axes[1, column].set_xlabel('x, right (m)', fontsize=LABEL_SIZE - 1, labelpad=1)
    for row in range(2):
        axes[row, 0].set_ylabel('y, forward (m)', fontsize=LABEL_SIZE - 1, labelpad=0)


def _foreground(
    maps: Sequence[ModelMaps], frame: Frame, grid: BEVGrid, foreground_of: str | None
) -> tuple[Draw, Draw | None]:
    """Draw the ground-truth foreground mask above, the foreground that a model predicts below."""
    truth, cells = frame.truth, maps[0].grid if maps else grid
    mask = gaussian_foreground(frame.targets(), cells)[0].double().numpy()

    def upper(axes: Axes) -> None:
        draw_map(axes, cells, mask, 'foreground mask, ground truth', truth, 'magma', (0.0, 1.0))

    predicted = [each for each in maps if each.heatmap is not None and foreground_of in (None, each.name)]
    if not predicted:
        return upper, None
    shown = predicted[-1]
    assert shown.heatmap is not None
    heat = shown.heatmap.sigmoid().amax(dim=0).double().numpy()
    limits = (0.0, max(float(heat.max()), 0.1))
    title = f'foreground that {shown.name} predicts'
    return upper, lambda axes: draw_map(axes, shown.grid, heat, title, truth, 'magma', limits)


def _models(maps: Sequence[ModelMaps], truth: BoxSet | None) -> list[tuple[Draw, Draw]]:
    """Draw the strength of each BEV map above, its principal components below."""
    limits: tuple[float, float] | None = None
    colours: PrincipalColours | None = None
    if comparable(maps):
        together = torch.cat([each.bev.float().flatten(1) for each in maps], dim=1)[:, None]
        low, high = np.percentile(channel_norm(together), (1, 99))
        limits, colours = (float(low), float(high)), PrincipalColours.fit(together)
    return [_model(each, truth, limits, colours or PrincipalColours.fit(each.bev)) for each in maps]


def _model(
    maps: ModelMaps, truth: BoxSet | None, limits: tuple[float, float] | None, colours: PrincipalColours
) -> tuple[Draw, Draw]:
    strength, painted = channel_norm(maps.bev), colours.paint(maps.bev)
    name = f'{maps.name} BEV map'
    return (
        lambda axes: draw_map(axes, maps.grid, strength, f'{name}, strength', truth, limits=limits),
        lambda axes: draw_map(axes, maps.grid, painted, f'{name}, PCA colours', colourbar=False),
    )
