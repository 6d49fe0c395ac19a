"""Imitate the part of the teacher's map that follows from the labels."""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.detection.gaussian import heatmap_targets
from bevdistill.losses import DenseBEVLoss
from bevdistill.structures import BEVGrid, BEVOutputs, Targets
from bevdistill.structures.box_code import BOX_SIZE, CODE_SIZE, encode_boxes

CODE_UNIT = 10.0
"""Metres, or metres per second, that are 1 in what the encoder reads."""
FAR = 1e6


@MODELS.register_module()
class LabelPartLoss(DenseBEVLoss):
    """Dense imitation of what an encoder of the labels foresees of the teacher's map, in place of the map itself.

    The encoder g of boxes and classes y, three convolutions, learns the teacher's map T; the student S learns g's
    answer, the mean of what the teacher's map is where labels are such. What else T holds, noise to a camera, is left
    out. With weights M and their mass N::

        loss_encoder = sum_p M_p reduce_c (g(y)_cp - T_cp)^2 / N
        loss         = sum_p M_p reduce_c (S_cp - g(y)_cp)^2 / N      g without gradient

    A label encoder of features that a teacher lacks is LabelDistill's idea (arXiv 2407.10164); it adds them to the
    teacher's and is trained by the teacher's head, where this one takes away from them and is trained by the map.

    Args:
        num_classes: Number of classes.
        teacher_channels: Channels that are compared, those of the teacher's map.
        hidden: Channels within the encoder.
        **dense: Arguments of :class:`~bevdistill.losses.DenseBEVLoss`.
    """

    def __init__(self, num_classes: int, teacher_channels: int, hidden: int = 64, **dense: Any) -> None:
        super().__init__(**dense)
        self.wants = tuple(dict.fromkeys((*self.wants, 'targets')))
        self.num_classes = num_classes
        self.encoder = nn.Sequential(
            nn.Conv2d(num_classes + CODE_SIZE, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, teacher_channels, 1),
        )

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss`` and ``loss_encoder``, see :meth:`MapLoss.forward`.

        ``explained`` is the encoder's share of the variance of the teacher's map, by weight over places.
        """
        student_map, teacher_map = self.scaled_maps(student, teacher)
        foreseen = self.encoder(draw_labels(targets, student.grid, self.num_classes))
        student_BCP, foreseen_BCP, weight_BP = self.region.select((student_map, foreseen), student, teacher, targets)
        teacher_BCP = self.region.select((student_map, teacher_map), student, teacher, targets)[1]
        weight_BP = weight_BP.detach()
        missed_BCP, mass = (foreseen_BCP - teacher_BCP).square(), self.mass(weight_BP)
        return {
            'loss': self.total((student_BCP - foreseen_BCP.detach()).square(), weight_BP) / mass,
            'loss_encoder': self.total(missed_BCP, weight_BP) / mass,
            'explained': explained_share(missed_BCP.detach(), teacher_BCP, weight_BP),
        }


@torch.no_grad()
def explained_share(missed_BCP: Tensor, teacher_BCP: Tensor, weight_BP: Tensor) -> Tensor:
    """Compute 1 less the squared error over the variance around each channel's mean, by weight; a scalar."""
    weight_B1P = weight_BP[:, None]
    mean_C1 = (teacher_BCP * weight_B1P).sum(dim=(0, 2), keepdim=True)[0] / weight_BP.sum().clamp(min=1e-6)
    variance = ((teacher_BCP - mean_C1).square() * weight_B1P).sum()
    return 1 - (missed_BCP * weight_B1P).sum() / variance.clamp(min=1e-6)


def draw_labels(targets: Targets, grid: BEVGrid, num_classes: int) -> Tensor:
    """Draw labels as a map: class heatmaps, and the code of the nearest box as seen from each cell, (B, K + 10, H, W).

    Codes fade with the heatmap's Gaussian; their centres are relative to the cell. Unknown velocities are drawn as 0.
    """
    heatmap_BKHW = heatmap_targets(targets, grid, num_classes, sigma=1.0)
    count = max((len(boxes) for boxes in targets.boxes), default=0)
    if count == 0:
        return torch.cat((heatmap_BKHW, heatmap_BKHW.new_zeros(len(targets), CODE_SIZE, grid.rows, grid.cols)), dim=1)
    empty = heatmap_BKHW.new_ones(count, BOX_SIZE)
    empty[:, :2] = FAR
    boxes_BN9 = torch.stack([torch.cat((boxes.float(), empty[len(boxes) :])) for boxes in targets.boxes])
    code_BN10 = encode_boxes(boxes_BN9).nan_to_num(0.0, 0.0, 0.0)
    cell_P2 = grid.cell_centres(heatmap_BKHW.device).view(-1, 2)
    nearest_BP = torch.cdist(cell_P2.expand(len(targets), -1, -1), boxes_BN9[..., :2]).argmin(dim=-1)
    code_BP10 = code_BN10.gather(1, nearest_BP[..., None].expand(-1, -1, CODE_SIZE)) / CODE_UNIT
    code_BP10[..., :2] -= cell_P2 / CODE_UNIT
    shown_BP1 = heatmap_BKHW.amax(dim=1).view(len(targets), -1, 1)
    code_BP10 = torch.where(shown_BP1 > 0, code_BP10 * shown_BP1, 0.0)
    return torch.cat((heatmap_BKHW, code_BP10.transpose(1, 2).reshape(-1, CODE_SIZE, grid.rows, grid.cols)), dim=1)
