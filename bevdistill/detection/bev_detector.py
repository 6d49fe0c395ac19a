"""Base class of detectors on a BEV map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from mmdet3d.models.detectors.base import Base3DDetector
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from torch import Tensor

from ..checkpoints.pretrained import take_pretrained
from ..structures import BEVGrid, BEVOutputs, Targets
from ..structures.strict_config import refuse_settings
from .listed_pipeline import list_pipeline


class BEVDetector(Base3DDetector):
    """Detector in two steps: outputs first, then losses or boxes from them, so that it can be student or teacher.

    A subclass builds its parts, a head called `pts_bbox_head` among them, and writes :meth:`forward_outputs`. The head
    has ``grid``, ``num_classes``, ``loss(outputs, targets)`` and ``predict(outputs, samples)``.
    """

    pts_bbox_head: Any

    outputs_listener: Callable[[BEVOutputs], None] | None = None
    """Called with the outputs of each prediction, for what shows them; while it is set, all outputs are computed, also
    an auxiliary heatmap that predictions do without."""

    def __init__(
        self,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        refuse_settings(type(self).__name__, train_cfg=train_cfg, test_cfg=test_cfg)
        self._cfg: Config | None = None

    @property
    def cfg(self) -> Config | None:
        """Return the config that mmdet3d's functions and inferencers leave here, with the test pipeline as a list."""
        return self._cfg

    @cfg.setter
    def cfg(self, cfg: Config) -> None:
        self._cfg = list_pipeline(cfg)

    @property
    def grid(self) -> BEVGrid:
        """Return the grid of the BEV map."""
        grid: BEVGrid = self.pts_bbox_head.grid
        return grid

    @property
    def num_classes(self) -> int:
        """Return the number of classes."""
        return int(self.pts_bbox_head.num_classes)

    @abstractmethod
    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        """Run the network once.

        Args:
            inputs: Of the data preprocessor: ``imgs``, ``points``, ``voxels``.
            samples: One per sample of the batch, for calibration and vehicle state.
        """

    def init_weights(self) -> None:
        """Initialise all parts, then load what ``init_cfg=dict(type='Pretrained', ...)`` names.

        Raises:
            ValueError: If a pretrained file does not fit its part.
        """
        pretrained = take_pretrained(self)
        super().init_weights()
        for part in pretrained:
            part.load()

    def loss_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        """Compute the losses of outputs against the samples' ground truth."""
        losses: dict[str, Tensor] = self.pts_bbox_head.loss(outputs, Targets.from_samples(samples, outputs.bev.device))
        return losses

    def predict_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        """Decode outputs into the samples' ``pred_instances_3d``."""
        predicted: list[Det3DDataSample] = self.add_pred_to_datasample(
            samples, self.pts_bbox_head.predict(outputs, samples)
        )
        return predicted

    def loss(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> dict[str, Tensor]:
        """Compute the losses of a batch."""
        return self.loss_from_outputs(self.forward_outputs(inputs, samples), samples)

    def predict(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> list[Det3DDataSample]:
        """Detect in a batch; results are in ``pred_instances_3d``."""
        outputs = self.prediction_outputs(inputs, samples)
        if self.outputs_listener is not None:
            self.outputs_listener(outputs)
        return self.predict_from_outputs(outputs, samples)

    def prediction_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        """Run :meth:`forward_outputs` for predictions; a subclass may leave out what they do not need."""
        return self.forward_outputs(inputs, samples)

    def _forward(
        self, inputs: dict[str, Any], samples: list[Det3DDataSample] | None = None, **kwargs: Any
    ) -> BEVOutputs:
        if not isinstance(inputs, Mapping):
            raise TypeError(
                f'{type(self).__name__} expects the inputs of its data_preprocessor and their data samples, found '
                f'{type(inputs).__name__}; to count operations use: bevdistill describe CONFIG'
            )
        return self.forward_outputs(inputs, samples or [])
