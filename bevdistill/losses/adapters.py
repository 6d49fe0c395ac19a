"""Adapters: learned projections of student features into the teacher's channels."""

from __future__ import annotations

from mmdet3d.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ConvAdapter(nn.Module):
    """1 x 1 convolution from student channels to teacher channels (FitNets, arXiv 1412.6550, section 2.2).

    Args:
        student_channels: Channels of the student's map.
        teacher_channels: Channels of the teacher's map.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(student_channels, teacher_channels, kernel_size=1)

    def forward(self, student_map_BCHW: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W)."""
        return self.conv(student_map_BCHW)


@MODELS.register_module()
class LinearAdapter(nn.Module):
    """Linear layer from student to teacher channels of vectors in the last dimension, such as decoder states.

    Args:
        student_channels: Channels of the student's vectors.
        teacher_channels: Channels of the teacher's vectors.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(student_channels, teacher_channels)

    def forward(self, student_vectors: Tensor) -> Tensor:
        """Map (..., C) to (..., C')."""
        return self.linear(student_vectors)


def check_channels(student: Tensor, teacher: Tensor, name: str, dim: int = 1) -> None:
    """Check that features of both sides have the same number of channels.

    Args:
        student: Features of the student, after its adapter if there is one.
        teacher: Features of the teacher.
        name: What both are, for the message.
        dim: Dimension of the channels: 1 for maps, -1 for vectors.

    Raises:
        ValueError: If channels differ.
    """
    if student.shape[dim] != teacher.shape[dim]:
        kind = 'LinearAdapter' if dim == -1 else 'ConvAdapter'
        raise ValueError(
            f"student {name} has {student.shape[dim]} channels and the teacher's {teacher.shape[dim]}; "
            f"give the loss adapter=dict(type='{kind}', student_channels=.., teacher_channels=..)"
        )
