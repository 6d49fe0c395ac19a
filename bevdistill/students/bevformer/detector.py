"""BEVFormer as a detector of mmdet3d.

Legend: B samples, T queue entries, N cameras, C channels, H x W image.
"""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from ...layers import BEVDetector
from ...structures import BEVOutputs
from .frame import Frames


@MODELS.register_module()
class BEVFormer(BEVDetector):
    """Multi-camera detector with BEV queries (BEVFormer, arXiv 2203.17270).

    Args:
        img_backbone: Config of the image backbone.
        img_neck: Config of the neck; its channels are the head's `embed_dims`.
        pts_bbox_head: Config of the head, see :class:`~.head.BEVFormerHead`. The name is that of released weights.
        queue_length: Frames that the model looks at, the current one included.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Config of the initialisation.

    Raises:
        ValueError: If `queue_length` asks for history, which this version does not keep.

    Note:
        The encoder takes history (:meth:`~.head.BEVFormerHead.encode`); what is missing is who remembers it. Of a
        longer queue only the last frame is used, with the motion since the previous frame set to zero, which is what
        the original does for the first frame of a sequence.
    """

    def __init__(
        self,
        img_backbone: dict[str, Any],
        img_neck: dict[str, Any],
        pts_bbox_head: dict[str, Any],
        queue_length: int = 1,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if queue_length != 1:
            raise ValueError(
                f'BEVFormer was asked for a queue of {queue_length} frames, but this version trains and tests on '
                'single frames; set queue_length=1'
            )
        self.img_backbone = MODELS.build(img_backbone)
        self.img_neck = MODELS.build(img_neck)
        self.pts_bbox_head = MODELS.build(pts_bbox_head)

    def extract_feat(self, imgs: Tensor) -> list[Tensor]:
        """Image features.

        Args:
            imgs: (B, N, 3, H, W), normalised.

        Returns:
            Levels of the neck, (B, N, C, h, w) each.
        """
        batch_cams = imgs.shape[:2]
        features = self.img_neck(self.img_backbone(imgs.flatten(0, 1)))
        return [level.unflatten(0, batch_cams) for level in features]

    def forward_outputs(
        self, inputs: dict[str, Any], samples: list[Det3DDataSample], with_heatmap: bool = True
    ) -> BEVOutputs:
        """Detect in the last frame of each queue.

        Args:
            inputs: With ``imgs`` (B, T, N, 3, H, W).
            samples: Calibration and vehicle state in the metainfo, see :class:`~.frame.Frames`.
            with_heatmap: Run the auxiliary heatmap too, if there is one.

        Returns:
            Outputs of the current frame.

        Raises:
            ValueError: If the images do not have these dimensions.
        """
        imgs = inputs.get('imgs')
        if imgs is None or imgs.dim() != 6:
            got = 'none' if imgs is None else f'shape {tuple(imgs.shape)}'
            raise ValueError(f"BEVFormer needs inputs['imgs'] of shape (B, T, N, 3, H, W), got {got}")
        frames = Frames.from_samples(samples, imgs.device).without_motion()
        bev_BQC = self.pts_bbox_head.encode(self.extract_feat(imgs[:, -1]), frames)
        return self.pts_bbox_head(bev_BQC, with_heatmap)

    def predict(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> list[Det3DDataSample]:
        """Detect; the auxiliary heatmap is not needed and not run."""
        return self.predict_from_outputs(self.forward_outputs(inputs, samples, with_heatmap=False), samples)
