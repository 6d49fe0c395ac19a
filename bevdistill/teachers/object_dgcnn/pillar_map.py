"""Put pillars on a BEV map.

Legend: V pillars of all samples, C channels, B samples, H x W cells.
"""

from __future__ import annotations

from torch import Tensor


def scatter_pillars(features_VC: Tensor, coors_V4: Tensor, batch: int, rows: int, cols: int) -> Tensor:
    """Write each pillar's features into its cell; cells without a pillar are 0.

    Args:
        features_VC: Features.
        coors_V4: Sample, z, y, x of each pillar, integers; no two pillars of a sample in one cell.
        batch: B.
        rows: H.
        cols: W.

    Returns:
        (B, C, H, W).

    Note:
        mmdet3d's PointPillarsScatter has the same result. It selects the pillars of each sample by masks, for whose
        sums the host waits, forward and backward.
    """
    sample_V, _, y_V, x_V = coors_V4.long().unbind(dim=1)
    cell_V = (sample_V * rows + y_V) * cols + x_V
    cells = features_VC.new_zeros(batch * rows * cols, features_VC.shape[1]).index_copy(0, cell_V, features_VC)
    maps = cells.view(batch, rows, cols, -1).permute(0, 3, 1, 2)
    # Channels side by side, as they are here, are what convolutions on a CPU read fastest.
    return maps if maps.device.type == 'cpu' else maps.contiguous()
