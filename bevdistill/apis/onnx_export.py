"""Export a student as one program: raw images, matrices and the previous BEV map in, boxes and the next map out.

Legend: N cameras, Q BEV queries, C channels, K classes, n boxes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..checkpoints.whole_file import write_whole
from ..layers.sampling import use_backend
from ..structures import decode_boxes
from ..structures.ego_state import CAN_BUS_SIZE
from ..students.bevformer import FrameGeometry
from .student import Student

OPSET = 20
"""Of ONNX: the first with grid sampling under the name that newer runtimes have for it."""

NAMES = ('images', 'lidar2img', 'can_bus', 'prev_bev', 'has_prev')
OUTPUTS = ('boxes', 'scores', 'labels', 'bev')


class FrameProgram(nn.Module):
    """A student over one frame, with tensors in and out; batch 1.

    Args:
        student: Of :func:`~.student.init_student`.
        image_size: Height and width of the images after the config's resizing and cropping.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, student: Student, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.detector = student.detector
        self.image_size = image_size
        preprocessor = student.preprocessor
        divisor = preprocessor.pad_size_divisor
        self.padded = tuple(-(-side // divisor) * divisor for side in image_size)
        self.flips = bool(preprocessor._channel_conversion)
        self.pad_value = float(preprocessor.pad_value)
        normalises = bool(preprocessor._enable_normalize)
        self.register_buffer('mean', preprocessor.mean.clone() if normalises else torch.zeros(3, 1, 1))
        self.register_buffer('std', preprocessor.std.clone() if normalises else torch.ones(3, 1, 1))

    def forward(
        self,
        images: Tensor,
        lidar2img: Tensor,
        can_bus: Tensor,
        prev_bev: Tensor | None = None,
        has_prev: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Detect.

        Args:
            images: (1, N, 3, h, w), BGR, 0 to 255, float32.
            lidar2img: (1, N, 4, 4), metres to pixels of these images.
            can_bus: (1, 18), vehicle state with the motion since the previous frame.
            prev_bev: (1, Q, C), what the previous frame returned as ``bev``.
            has_prev: (1,) bool, whether there is a previous frame.

        Returns:
            Boxes (n, 9), scores (n,), labels (n,), and the next frame's `prev_bev`. The score of a box whose centre is
            out of the coder's range is 0.
        """
        imgs = images.flip(2) if self.flips else images
        imgs = (imgs - self.mean) / self.std
        height, width = self.image_size
        below, right = self.padded[0] - height, self.padded[1] - width
        if below or right:
            imgs = functional.pad(imgs, (0, right, 0, below), value=self.pad_value)
        frames = FrameGeometry(lidar2img, can_bus, self.padded)
        outputs, bev = self.detector.forward_frame(imgs, frames, prev_bev, has_prev)
        return (*self._decode(outputs.logits[-1, 0], outputs.codes[-1, 0]), bev)

    def _decode(self, logits_QK: Tensor, codes_Q10: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decode as :class:`~bevdistill.detection.NMSFreeCoder`, with equally many boxes for every frame."""
        coder = self.detector.pts_bbox_head.coder
        scores, index = logits_QK.sigmoid().flatten().topk(min(coder.max_num, logits_QK.numel()))
        classes = logits_QK.shape[-1]
        boxes = decode_boxes(codes_Q10)[torch.div(index, classes, rounding_mode='floor')]
        low, high = boxes.new_tensor(coder.post_center_range[:3]), boxes.new_tensor(coder.post_center_range[3:])
        keep = ((boxes[:, :3] >= low) & (boxes[:, :3] <= high)).all(dim=-1)
        return boxes, torch.where(keep, scores, 0.0), index % classes


def example_inputs(student: Student, image_size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Make inputs of the right shapes: grey images, cameras that look at the ground around the car, no previous map."""
    head = student.detector.pts_bbox_head
    count = student.num_cameras
    height, width = image_size
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, count, 3, height, width, generator=generator) * 255
    turn = torch.arange(count) * (2 * torch.pi / count)
    forward = torch.stack((turn.sin(), turn.cos(), torch.zeros(count)), dim=-1)
    right = torch.stack((turn.cos(), -turn.sin(), torch.zeros(count)), dim=-1)
    down = torch.tensor([0.0, 0.0, -1.0]).expand(count, -1)
    lidar2img = torch.eye(4).repeat(count, 1, 1)
    lidar2img[:, 0, :3] = 0.8 * width * right + width / 2 * forward
    lidar2img[:, 1, :3] = 0.8 * width * down + height / 2 * forward
    lidar2img[:, 2, :3] = forward
    inputs = (images, lidar2img[None], torch.zeros(1, CAN_BUS_SIZE))
    if not student.uses_history:
        return inputs
    bev = torch.zeros(1, head.grid.num_cells, head.bev_embedding.embedding_dim)
    return (*inputs, bev, torch.ones(1, dtype=torch.bool))


def staged_size(student: Student, image_size: Sequence[int]) -> tuple[int, int]:
    """Return height and width that images of a size have after the config's resizing and cropping."""
    results: dict[str, Any] = dict(img=[np.zeros((*image_size, 3), dtype=np.uint8)], cam2img=[np.eye(3)])
    for stage in student.stages:
        results = stage(results)
    height, width = results['img'][0].shape[:2]
    return height, width


def export_program(student: Student, image_size: tuple[int, int]) -> torch.export.ExportedProgram:
    """Export a student by ``torch.export``, with sampling by grids and dense masks.

    Args:
        student: On a CPU.
        image_size: Height and width of the images after resizing and cropping; they are part of the program.

    Raises:
        ValueError: If the student is not on a CPU, or its coder lowers thresholds by what it finds.
    """
    if student.preprocessor.device.type != 'cpu':
        raise ValueError(f'expected a student on the CPU, found it on {student.preprocessor.device}')
    if student.detector.pts_bbox_head.coder.score_threshold is not None:
        raise ValueError(
            'the coder has a score_threshold, whose rule depends on the data; export with '
            '--cfg-options model.pts_bbox_head.coder.score_threshold=None and choose boxes by their scores'
        )
    program = FrameProgram(student, image_size)
    program.train(False)
    inputs = example_inputs(student, image_size)
    with torch.no_grad(), use_backend('grid'):
        program(*inputs)  # Makes the cached constants: one that is made while exporting is no tensor of its own.
        return torch.export.export(program, inputs, strict=False)


def write_program(student: Student, image_size: tuple[int, int], path: Path) -> None:
    """Write a student as ``.pt2`` (``torch.export``) or ``.onnx``, whole or not at all.

    Raises:
        ValueError: If the file has another ending, or the packages for ONNX are missing.
    """
    if path.suffix not in ('.pt2', '.onnx'):
        raise ValueError(f'{path}: expected a name that ends in .onnx or .pt2')
    if path.suffix == '.onnx':
        missing = [name for name in ('onnx', 'onnxscript') if find_spec(name) is None]
        if missing:
            raise ValueError(f"writing {path} needs {' and '.join(missing)}: pip install 'bevdistill[export]'")
    program = export_program(student, image_size)
    buffer = io.BytesIO()
    if path.suffix == '.pt2':
        torch.export.save(program, buffer)
    else:
        buffer.write(_onnx_bytes(program, len(NAMES) if student.uses_history else 3, student))
    write_whole(buffer.getvalue(), path)


def _onnx_bytes(program: torch.export.ExportedProgram, inputs: int, student: Student) -> bytes:
    """Translate a program to ONNX, with the class names in its meta data."""
    exported: Any = cast(
        Any,
        torch.onnx.export(
            program,
            input_names=list(NAMES[:inputs]),
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        ),
    )
    model = exported.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = 'classes', ','.join(student.classes)
    return model.SerializeToString()
