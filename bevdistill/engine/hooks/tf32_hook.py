"""Choose where float32 is rounded to TF32 on NVIDIA cards."""

from __future__ import annotations

import torch
from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class Tf32Hook(Hook):
    """Let float32 products round their factors to ten bits of mantissa, TF32, as cards from Ampere on can.

    Sums stay float32. The defaults are torch's own; a CPU knows no TF32 and computes the same with any of them.

    Args:
        matmul: In matrix products.
        convolution: In convolutions.
    """

    priority = 'VERY_HIGH'

    def __init__(self, matmul: bool = False, convolution: bool = True) -> None:
        self.matmul, self.convolution = matmul, convolution

    def before_run(self, runner: Runner) -> None:
        """Set torch's switches, for the whole process."""
        torch.backends.cuda.matmul.allow_tf32 = self.matmul
        torch.backends.cudnn.allow_tf32 = self.convolution
