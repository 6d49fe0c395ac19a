"""What stands between the student's map and the features that imitate."""

from __future__ import annotations

from mmdet3d.registry import MODELS
from torch import nn


@MODELS.register_module()
class AdaptationBlock(nn.Sequential):
    """3 x 3 convolution, ReLU, 1 x 1 convolution, as in MonoDistill's code: (B, C, H, W) to (B, C', H, W).

    Note:
        There it follows a fusion of three levels of the backbone; a BEV map is one level.

    Args:
        student_channels: Channels of the student's map.
        teacher_channels: Channels of the teacher's map.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__(
            nn.Conv2d(student_channels, teacher_channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(teacher_channels, teacher_channels, kernel_size=1),
        )
