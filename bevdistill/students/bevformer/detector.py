"""BEVFormer as a detector of mmdet3d.

Legend: B samples, T queue entries, N cameras, C channels, Q BEV queries, H x W image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from numpy.typing import NDArray
from torch import Tensor

from ...detection import BEVDetector
from ...structures import BEVOutputs
from .frame import FrameGeometry, queue_flags
from .history import BEVMemory, frozen_pass, state_since, time_steps


@MODELS.register_module()
class BEVFormer(BEVDetector):
    """Multi-camera detector with BEV queries and, in a queue of two frames or more, history.

    BEVFormer, arXiv 2203.17270, sections 3.4 and 3.5. Where history comes from:

    * training, and testing with a queue of T > 1 frames: from the queue. The T - 1 past frames are encoded one after
      the other without gradient and as in testing, whatever mode the model is in; only the current frame is trained.
    * testing with the current frame alone: from a memory of the scene, see :class:`~.history.BEVMemory`. It is emptied
      whenever the model is switched to ``train()`` or ``eval()``, as each evaluation of mmengine begins. Scenes must
      come in order and whole; a frame whose predecessor was not the scene's last one is detected without history.

    A sample without history is encoded as if it were alone, whatever the rest of its batch has.

    Args:
        img_backbone: Config of the image backbone.
        img_neck: Config of the neck; its channels are the head's `embed_dims`.
        pts_bbox_head: Config of the head, see :class:`~.head.BEVFormerHead`. The name is that of released weights.
        queue_length: Frames T that the model looks at in training, the current one included; the data set's
            ``queue_length`` must be the same. With 1 there is no history anywhere: of a longer queue only the last
            frame is used, with the motion since the previous frame set to zero, which is what the original does for
            the first frame of a sequence.
        video_test_mode: Use history in testing. Without it, every frame is the first of its sequence.
        channels_last: Keep the channels of a pixel side by side in memory, in backbone and neck: the same numbers to
            rounding, which many devices compute faster.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Config of the initialisation.
        train_cfg: Empty or None, as mmdet3d's tools pass it; nothing reads it.
        test_cfg: The same.

    Raises:
        ValueError: If `queue_length` is not positive.

    Note:
        The original switches the whole model to eval and then to train mode for its history, which also wakes frozen
        batch norms, and it looks at the first sample of a batch to see where scenes begin; here each sub-module keeps
        its mode and each sample has its own history.
    """

    def __init__(
        self,
        img_backbone: dict[str, Any],
        img_neck: dict[str, Any],
        pts_bbox_head: dict[str, Any],
        queue_length: int = 1,
        video_test_mode: bool = True,
        channels_last: bool = False,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg, train_cfg, test_cfg)
        if queue_length < 1:
            raise ValueError(f'queue_length counts the current frame and must be at least 1, got {queue_length}')
        self.queue_length = queue_length
        self.video_test_mode = video_test_mode
        self.channels_last = channels_last
        self.memory = BEVMemory()
        self.img_backbone = MODELS.build(img_backbone)
        self.img_neck = MODELS.build(img_neck)
        self.pts_bbox_head = MODELS.build(pts_bbox_head)

    def train(self, mode: bool = True) -> Self:
        """Switch the mode, and forget the scenes of the last evaluation."""
        self.memory.reset()
        return super().train(mode)

    def extract_feat(self, imgs: Tensor) -> list[Tensor]:
        """Extract image features.

        Args:
            imgs: (B, N, 3, H, W), normalised.

        Returns:
            Levels of the neck, (B, N, C, h, w) each.
        """
        batch_cams = imgs.shape[:2]
        images = imgs.flatten(0, 1)
        if self.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        features = self.img_neck(self.img_backbone(images))
        return [level.unflatten(0, batch_cams) for level in features]

    def forward_outputs(
        self, inputs: dict[str, Any], samples: list[Det3DDataSample], with_heatmap: bool = True
    ) -> BEVOutputs:
        """Detect in the last frame of each queue.

        Args:
            inputs: With ``imgs`` (B, T, N, 3, H, W).
            samples: Calibration and vehicle state in the metainfo, see :class:`~.frame.FrameGeometry`. With history
                from the queue also ``history_exists`` (T,); from the memory ``scene_token``, ``frame_idx`` and
                ``can_bus_absolute`` (18,). None of it is changed.
            with_heatmap: Run the auxiliary heatmap too, if there is one.

        Returns:
            Outputs of the current frame.

        Raises:
            ValueError: If the images do not have these dimensions, or a training queue not the model's length.
            KeyError: If an entry of the metainfo is missing.
        """
        imgs = self._checked_images(inputs)
        if self.queue_length == 1:
            frames = FrameGeometry.from_samples(samples, imgs.device).without_motion()
            bev_BQC = self.pts_bbox_head.encode(self.extract_feat(imgs[:, -1]), frames)
        elif imgs.shape[1] > 1:
            bev_BQC = self.encode_queue(imgs, samples)
        else:
            bev_BQC = self.encode_in_scenes(imgs[:, 0], samples)
        return self.pts_bbox_head(bev_BQC, with_heatmap)

    def forward_frame(
        self, imgs: Tensor, frames: FrameGeometry, past_BQC: Tensor | None = None, exists_B: Tensor | None = None
    ) -> tuple[BEVOutputs, Tensor]:
        """Detect in single frames whose history the caller holds; the memory of scenes is not touched.

        Args:
            imgs: (B, N, 3, H, W), normalised.
            frames: Calibration, and the vehicle state with the motion since the previous frame.
            past_BQC: What this method returned second for the previous frames, or None. A model without history
                ignores it.
            exists_B: Which samples continue it, (B,) bool; None: all. The others' motion is ignored.

        Returns:
            Outputs without auxiliary heatmap, and the history of the next frame, (B, Q, C).
        """
        if self.queue_length == 1 or not self.video_test_mode or past_BQC is None:
            frames, past_BQC, exists_B = frames.without_motion(), None, None
        elif exists_B is not None:
            frames = frames.without_motion(~exists_B)
        bev_BQC = self.pts_bbox_head.encode(self.extract_feat(imgs), frames, past_BQC, exists_B)
        return self.pts_bbox_head(bev_BQC, with_heatmap=False), bev_BQC

    def prediction_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        """Run the network without the auxiliary heatmap, which predictions do not need."""
        return self.forward_outputs(inputs, samples, with_heatmap=self.outputs_listener is not None)

    def encode_queue(self, imgs: Tensor, samples: Sequence[Det3DDataSample]) -> Tensor:
        """Encode the last frame of each queue; the frames before give history without gradient.

        Args:
            imgs: (B, T, N, 3, H, W).
            samples: With ``history_exists``.

        Returns:
            (B, Q, C).
        """
        length = imgs.shape[1]
        exists_BT = queue_flags(samples, length)
        device = imgs.device
        frames = self._with_hits([FrameGeometry.from_samples(samples, device, t) for t in range(length)])
        with frozen_pass(self):
            # One pass of the backbone for all past frames: they do not depend on one another.
            features = self.extract_feat(imgs[:, :-1].flatten(0, 1))
            past = [level.unflatten(0, (len(samples), length - 1)) for level in features]
            bev_BQC = None
            for t in range(length - 1):
                bev_BQC = self._encode([level[:, t] for level in past], frames[t], bev_BQC, exists_BT[:, t])
        return self._encode(self.extract_feat(imgs[:, -1]), frames[-1], bev_BQC, exists_BT[:, -1])

    def encode_in_scenes(self, imgs: Tensor, samples: Sequence[Det3DDataSample]) -> Tensor:
        """Encode frames with the history of their scenes: frames tested before, or earlier ones of the same batch.

        Args:
            imgs: (B, N, 3, H, W).
            samples: With ``scene_token``, ``frame_idx`` and ``can_bus_absolute``.

        Returns:
            (B, Q, C).
        """
        features = self.extract_feat(imgs)
        if not self.video_test_mode:
            frames = FrameGeometry.from_samples(samples, imgs.device)
            return self.pts_bbox_head.encode(features, frames.without_motion())
        encoded: dict[int, Tensor] = {}
        steps = time_steps(samples)
        parts = [[samples[place] for place in places] for places in steps]
        geometry = self._with_hits([FrameGeometry.from_samples(part, imgs.device) for part in parts])
        for places, part, frames in zip(steps, parts, geometry, strict=True):
            bev_BQC = self._encode_remembered([_rows(level, places) for level in features], part, frames)
            encoded.update(zip(places, bev_BQC, strict=True))
        self.memory.keep(sample.metainfo['scene_token'] for sample in samples)
        return torch.stack([encoded[place] for place in range(len(samples))])

    def _encode_remembered(
        self, features: Sequence[Tensor], samples: Sequence[Det3DDataSample], frames: FrameGeometry
    ) -> Tensor:
        """Encode one frame of each of several scenes and remember it."""
        device = features[0].device
        before = [self.memory.recall(sample) for sample in samples]
        state_B18 = np.stack([state_since(*pair) for pair in zip(before, samples, strict=True)]).astype(np.float32)
        frames = replace(frames, can_bus=torch.from_numpy(state_B18).to(device, non_blocking=True))
        known = [frame.bev for frame in before if frame is not None]
        past_BQC = exists_B = None
        if known:
            # A scene that begins gets a row too, which the flag makes the encoder ignore.
            past_BQC = torch.stack([known[0] if frame is None else frame.bev for frame in before]).to(device)
            exists_B = _flags(np.array([frame is not None for frame in before]), device)
        bev_BQC: Tensor = self.pts_bbox_head.encode(features, frames, past_BQC, exists_B)
        for sample, bev_QC in zip(samples, bev_BQC, strict=True):
            self.memory.remember(sample, bev_QC)
        return bev_BQC

    def _encode(
        self,
        features: Sequence[Tensor],
        frames: FrameGeometry,
        past_BQC: Tensor | None,
        exists_B: NDArray[np.bool_],
    ) -> Tensor:
        """Encode one entry of the queues; `exists_B` says which of them continue `past_BQC`."""
        continues_B = None
        if past_BQC is None or not exists_B.any():
            frames, past_BQC = frames.without_motion(), None
        else:
            continues_B = _flags(exists_B, features[0].device)
            frames = frames if continues_B is None else frames.without_motion(~continues_B)
        bev_BQC: Tensor = self.pts_bbox_head.encode(features, frames, past_BQC, continues_B)
        return bev_BQC

    def _with_hits(self, frames: Sequence[FrameGeometry]) -> list[FrameGeometry]:
        """Find what the cameras see, for all frames at once: one by one, each would wait for the device."""
        found: list[FrameGeometry] = self.pts_bbox_head.transformer.encoder.with_camera_hits(frames)
        return found

    def _checked_images(self, inputs: dict[str, Any]) -> Tensor:
        """Return the images of the inputs, (B, T, N, 3, H, W), after checking them."""
        imgs = inputs.get('imgs')
        if not isinstance(imgs, Tensor) or imgs.dim() != 6:
            got = f'shape {tuple(imgs.shape)}' if isinstance(imgs, Tensor) else 'none'
            raise ValueError(f"BEVFormer needs inputs['imgs'] of shape (B, T, N, 3, H, W), got {got}")
        if self.training and imgs.shape[1] != self.queue_length:
            raise ValueError(
                f'the model trains on queues of {self.queue_length} frames, but the images (B, T, N, 3, H, W) = '
                f"{tuple(imgs.shape)} have {imgs.shape[1]}; set queue_length of the model and of the training data "
                'set to one number'
            )
        return imgs


def _flags(exists_B: NDArray[np.bool_], device: torch.device) -> Tensor | None:
    """Move flags to the device; None if all are set."""
    return None if exists_B.all() else torch.from_numpy(exists_B).to(device, non_blocking=True)


def _rows(level: Tensor, places: Sequence[int]) -> Tensor:
    """Select samples of a level without an index tensor, which would have to be copied to the device."""
    if list(places) == list(range(len(level))):
        return level
    return torch.stack([level[place] for place in places])
