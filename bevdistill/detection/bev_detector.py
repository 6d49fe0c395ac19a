"""What every detector on a BEV map has in common, whichever sensor it reads."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from mmdet3d.models.detectors.base import Base3DDetector
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from ..checkpoints.pretrained import take_pretrained
from ..structures import BEVGrid, BEVOutputs, Targets


class BEVDetector(Base3DDetector):
    """A detector that can be taught or teach: outputs first, then losses or boxes from them.

    A subclass builds its parts, a head called `pts_bbox_head` among them, and writes :meth:`forward_outputs`. The head
    has ``grid``, ``num_classes``, ``loss(outputs, targets)`` and ``predict(outputs, samples)``.
    """

    pts_bbox_head: Any

    @property
    def grid(self) -> BEVGrid:
        """Grid of the BEV map."""
        grid: BEVGrid = self.pts_bbox_head.grid
        return grid

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return int(self.pts_bbox_head.num_classes)

    @abstractmethod
    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        """One pass of the network.

        Args:
            inputs: Of the data preprocessor: ``imgs``, ``points``, ``voxels``.
            samples: One per sample of the batch, for calibration and vehicle state.
        """

    def init_weights(self) -> None:
        """Start values of all parts; then what ``init_cfg=dict(type='Pretrained', ...)`` names, see :mod:`.pretrained`.

        Raises:
            ValueError: If a pretrained file does not fit its part.
        """
        pretrained = take_pretrained(self)
        super().init_weights()
        for part in pretrained:
            part.load()

    def loss_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of outputs against the samples' ground truth."""
        losses: dict[str, Tensor] = self.pts_bbox_head.loss(outputs, Targets.from_samples(samples, outputs.bev.device))
        return losses

    def predict_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        """Decode outputs into the samples' ``pred_instances_3d``."""
        predicted: list[Det3DDataSample] = self.add_pred_to_datasample(
            samples, self.pts_bbox_head.predict(outputs, samples)
        )
        return predicted

    def loss(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> dict[str, Tensor]:
        """Losses of a batch."""
        return self.loss_from_outputs(self.forward_outputs(inputs, samples), samples)

    def predict(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> list[Det3DDataSample]:
        """Detections of a batch, in ``pred_instances_3d``."""
        return self.predict_from_outputs(self.forward_outputs(inputs, samples), samples)

    def _forward(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> BEVOutputs:
        return self.forward_outputs(inputs, samples)
