"""mmdet3d's sparse encoder, with its conditions said before they hurt."""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.models.middle_encoders import SparseEncoder
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ... import sparse_library

WITHOUT_SPCONV = (
    'the sparse encoder of a voxel detector needs spconv: {fault}. The pillar detectors, such as '
    'configs/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py, do without it'
)
NO_CPU_TRAINING = (
    'a voxel detector cannot be trained on a CPU: spconv has no backward pass there. Train the pillar teacher, '
    'configs/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py (CPU-sized: configs/synthetic/object_dgcnn/'
    'teacher_pillar02_cbgs_20e_nus-3d.py), or train on CUDA; testing and a frozen voxel teacher work on a CPU'
)


@MODELS.register_module()
class PortableSparseEncoder(SparseEncoder):
    """SparseEncoder (SECOND, Sensors 2018) of spconv 2.x with the same parameters, on CUDA and, forward only, on CPU.

    Beside what mmdet3d's encoder does: it computes in float32 under autocast, a batch without voxels gives zeros that
    are part of the graph, weights load in the kernel layout of spconv 1.x and mmcv (z, y, x, in, out) as well as in
    spconv 2.x's (out, z, y, x, in) whatever the file's metadata say, and training on a CPU is refused.

    Args:
        **kwargs: Of mmdet3d's encoder: in_channels, sparse_shape (z, y, x), encoder_channels, ...

    Raises:
        ImportError: If spconv 2.x is missing, or is not the build that this machine needs; names the package.
    """

    def __init__(self, **kwargs: Any) -> None:
        fault = sparse_library.fault()
        if fault:
            raise ImportError(WITHOUT_SPCONV.format(fault=fault))
        # Configs may come with lists.
        for key in ('order', 'encoder_channels', 'encoder_paddings'):
            if key in kwargs:
                kwargs[key] = tuple(kwargs[key])
        super().__init__(**kwargs)
        for module in self.modules():
            if hasattr(module, 'subm'):
                # Without the underscore it is of torch 2.5.
                module._register_load_state_dict_pre_hook(_expected_kernel_layout, with_module=True)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Return channels (features times heights), rows and columns of the BEV map."""
        sizes = list(self.sparse_shape)
        for module in self.modules():
            if hasattr(module, 'subm') and not module.subm:
                sizes = [
                    (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
                    for size, kernel, stride, pad, dilation in zip(
                        sizes, module.kernel_size, module.stride, module.padding, module.dilation, strict=True
                    )
                ]
        heights, rows, columns = sizes
        return self.output_channels * heights, rows, columns

    def check_trainable(self) -> None:
        """Refuse training on a CPU.

        Raises:
            ValueError: If a parameter that wants a gradient lies on a CPU; says what works instead.
        """
        if any(parameter.requires_grad and parameter.device.type == 'cpu' for parameter in self.parameters()):
            raise ValueError(NO_CPU_TRAINING)

    def forward(self, voxel_features: Tensor, coors: Tensor, batch_size: int) -> Tensor:
        """Encode voxels into a BEV map.

        Args:
            voxel_features: (V, C). V may be 0.
            coors: Sample, z, y, x of each voxel, (V, 4).
            batch_size: B.

        Returns:
            (B, C', H, W) float32, see :attr:`output_shape`.

        Raises:
            ValueError: If it is asked to train on a CPU.
        """
        if self.training and torch.is_grad_enabled():
            self.check_trainable()
        if len(voxel_features) == 0:
            return self._empty(voxel_features, batch_size)
        with torch.autocast(voxel_features.device.type, enabled=False):
            canvas: Tensor = super().forward(voxel_features.float(), coors, batch_size)
        return canvas

    def _empty(self, voxel_features: Tensor, batch_size: int) -> Tensor:
        """Return zeros that depend on the parameters, so that every rank has gradients."""
        parameters = torch.stack([parameter.sum() for parameter in self.parameters()])
        zeros = voxel_features.new_zeros(batch_size, *self.output_shape, dtype=torch.float32)
        return zeros + 0.0 * parameters.sum()


def _expected_kernel_layout(
    convolution: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *_: Any
) -> None:
    """Convert a kernel about to be loaded into the layout that mmdet3d expects from the file's metadata.

    mmdet3d moves the last axis to the front unless the metadata say version 2, and metadata are lost whenever a state
    dict is rebuilt. The shape itself tells which layout a kernel has.
    """
    name = f'{prefix}weight'
    kernel = state_dict.get(name)
    if kernel is None:
        return
    shape = convolution.weight.shape
    moved = kernel.movedim(-1, 0)
    current = kernel if kernel.shape == shape else moved if moved.shape == shape else None
    if current is not None:
        state_dict[name] = current if local_metadata.get('version') == 2 else current.movedim(0, -1)
