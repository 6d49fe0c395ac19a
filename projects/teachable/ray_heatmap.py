"""Where along its ray an object is, from the teacher's heatmap."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import MapLoss
from bevdistill.structures import BEVGrid, BEVOutputs, Targets

NEVER = -1e4
"""Log probability of a place outside the range."""


@MODELS.register_module()
class RayHeatmapLoss(MapLoss):
    """Kullback-Leibler divergence of the distances that two heatmaps give on each ray from the car.

    Both class heatmaps are read at N distances n on each of R rays r. With t and s the probabilities of class k there,
    the shares of a ray ``T_rkn = t_rkn / sum_m t_rkm``, and S likewise::

        loss = sum_rk w_rk sum_n T_rkn log(T_rkn / S_rkn) / sum_rk w_rk,   w_rk = max_n t_rkn

    Only shares of a ray are compared: how sure the student is of an object is left to the labels, its distance is
    taught. Rays start at the LiDAR frame's origin, from which a car's cameras are a metre or two away.

    Args:
        rays: R, evenly over the circle.
        step: Distance between places on a ray, in cells of the student's map.

    Raises:
        ValueError: If an argument is not positive.
    """

    def __init__(self, rays: int = 128, step: float = 0.5) -> None:
        super().__init__('heatmap', taps=('heatmap',))
        if rays <= 0 or step <= 0:
            raise ValueError(f'rays and step must be positive, got {rays} and {step}')
        self.rays = rays
        self.step = step

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        student_map, teacher_map = self.maps(student, teacher)
        place_RN2 = polar_places(student.grid, self.rays, self.step, student_map.device)
        inside_RN = student.grid.contains(place_RN2)
        teacher_BKRN = log_probabilities(teacher_map, teacher.grid, place_RN2, inside_RN)
        student_BKRN = log_probabilities(student_map, student.grid, place_RN2, inside_RN)
        weight_BKR = teacher_BKRN.amax(dim=-1).exp()
        divergence_BKR = F.kl_div(
            student_BKRN.log_softmax(dim=-1), teacher_BKRN.log_softmax(dim=-1), reduction='none', log_target=True
        ).sum(dim=-1)
        return {'loss': (divergence_BKR * weight_BKR).sum() / shared_normaliser(weight_BKR.sum(), floor=1e-6)}


def polar_places(grid: BEVGrid, rays: int, step: float, device: torch.device) -> Tensor:
    """Compute places (x, y) in metres on rays from the origin to the farthest corner, (R, N, 2)."""
    x_min, y_min, _, x_max, y_max, _ = grid.point_cloud_range
    reach = math.hypot(max(abs(x_min), abs(x_max)), max(abs(y_min), abs(y_max)))
    spacing = step * min(grid.cell_size)
    angle_R = (torch.arange(rays, device=device) + 0.5) * (2 * math.pi / rays)
    distance_N = (torch.arange(math.ceil(reach / spacing), device=device) + 0.5) * spacing
    return torch.stack((angle_R.cos(), angle_R.sin()), dim=-1)[:, None] * distance_N[:, None]


def log_probabilities(logits_BKHW: Tensor, grid: BEVGrid, place_RN2: Tensor, inside_RN: Tensor) -> Tensor:
    """Read log class probabilities of a heatmap at places in metres, (B, K, R, N); outside the range `NEVER`."""
    points_BRN2 = grid.sampling_grid(place_RN2).expand(len(logits_BKHW), -1, -1, -1)
    read_BKRN = F.grid_sample(logits_BKHW.float(), points_BRN2, padding_mode='border', align_corners=False)
    return F.logsigmoid(read_BKRN).masked_fill(~inside_RN, NEVER)
