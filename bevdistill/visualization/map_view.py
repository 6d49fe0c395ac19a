"""Draw maps on the BEV grid: feature maps as norms or colours, masks as heat; forward is up.

Shape legend: C channels, H rows (LiDAR y), W columns (LiDAR x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from torch import Tensor

from ..structures import BEVGrid
from .bev_view import draw_outlines, map_extent
from .boxes import BoxSet
from .figures import LABEL_SIZE, dark_panel

Array = NDArray[np.float64]


def _check_map(feat_CHW: Tensor) -> None:
    if feat_CHW.dim() != 3:
        raise ValueError(f'a feature map to draw must be (C, H, W), got {tuple(feat_CHW.shape)}')


def channel_norm(feat_CHW: Tensor) -> Array:
    """Compute the root mean square over the channels of a feature map, (H, W)."""
    _check_map(feat_CHW)
    norm: Array = feat_CHW.detach().double().square().mean(dim=0).sqrt().cpu().numpy()
    return norm


@dataclass(frozen=True)
class PrincipalColours:
    """Colours of a feature map: its first three principal components as red, green and blue.

    Fitted once, it can paint another map of as many channels, so that equal features get equal colours.

    Args:
        mean: (C,).
        basis: Principal directions, (C, 3); columns that the data does not span are zero.
        low: Value of each component that becomes 0, (3,).
        high: Value of each component that becomes 1, (3,).
    """

    mean: Tensor
    basis: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def fit(cls, feat_CHW: Tensor) -> PrincipalColours:
        """Fit to a map (C, H, W). The sign of a direction is set so that its largest weight is positive."""
        _check_map(feat_CHW)
        pixels = feat_CHW.detach().double().cpu().flatten(1).T
        mean = pixels.mean(dim=0)
        centred = pixels - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred)
        order = values.argsort(descending=True)[:3]
        basis = torch.zeros(pixels.shape[1], 3, dtype=torch.float64)
        basis[:, : len(order)] = vectors[:, order]
        peak = basis.gather(0, basis.abs().argmax(dim=0, keepdim=True))
        basis = basis * torch.where(peak < 0, -1.0, 1.0)
        components = centred @ basis
        low, high = components.quantile(0.02, dim=0), components.quantile(0.98, dim=0)
        return cls(mean, basis, low, high)

    def paint(self, feat_CHW: Tensor) -> Array:
        """Compute colours (H, W, 3) in ``[0, 1]`` of a map with as many channels as the fitted one.

        Raises:
            ValueError: If the number of channels differs.
        """
        _check_map(feat_CHW)
        if feat_CHW.shape[0] != len(self.mean):
            raise ValueError(
                f'colours fitted to {len(self.mean)} channels cannot paint a map of {feat_CHW.shape[0]}; fit them to it'
            )
        pixels = feat_CHW.detach().double().cpu().flatten(1).T
        components = (pixels - self.mean) @ self.basis
        unit = (components - self.low) / (self.high - self.low).clamp(min=1e-12)
        colours: Array = unit.clamp(0, 1).reshape(*feat_CHW.shape[1:], 3).numpy()
        return colours


def draw_map(
    axes: Axes,
    grid: BEVGrid,
    values: Array,
    title: str,
    truth: BoxSet | None = None,
    cmap: str = 'viridis',
    limits: tuple[float, float] | None = None,
    colourbar: bool = True,
) -> AxesImage:
    """Draw a map of the BEV grid in metres, forward up.

    Args:
        axes: Empty axes.
        grid: Grid of the map.
        values: (H, W) numbers, or (H, W, 3) colours in ``[0, 1]``.
        title: Title of the panel.
        truth: Ground truth to outline over the map, or None.
        cmap: Colour map for numbers.
        limits: Values of the darkest and brightest colour; by default the 1st and 99th percentile.
        colourbar: Whether numbers get a scale beside the map.

    Returns:
        The drawn image.

    Raises:
        ValueError: If the map does not have the grid's size.
    """
    if values.shape[:2] != (grid.rows, grid.cols):
        raise ValueError(f'map {values.shape} does not fit a grid of {grid.rows} rows x {grid.cols} columns')
    dark_panel(axes, title)
    low, high = limits if limits is not None else tuple(np.percentile(values, (1, 99)))
    left, right, bottom, top = map_extent(grid)
    image = axes.imshow(
        values, origin='lower', extent=(left, right, bottom, top), interpolation='nearest', cmap=cmap,
        vmin=low, vmax=max(high, low + 1e-9), aspect='equal',
    )  # fmt: skip
    if truth is not None and len(truth):
        outlines = draw_outlines(axes, truth, linewidth=0.6)
        # White on the bright cells of a map as well.
        outlines.set_path_effects([patheffects.Stroke(linewidth=1.6, foreground='black'), patheffects.Normal()])
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    if colourbar and values.ndim == 2:
        bar = axes.inset_axes((1.02, 0.0, 0.035, 1.0))
        axes.figure.colorbar(image, cax=bar, format='%.3g')
        bar.tick_params(labelsize=LABEL_SIZE - 1.5, length=2, colors='0.25')
        bar.yaxis.get_offset_text().set_fontsize(LABEL_SIZE - 2)
    return image
