"""Load a trained student and detect in images of any car: no information file, no data root.

Legend: B moments, N cameras, Q BEV queries, C channels.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints import check_weights, convention_unknown, conversion_advice
from ..checkpoints.existing import existing_checkpoint
from ..checkpoints.find import unreadable_checkpoints_explained
from ..checkpoints.identity import META_KEY
from ..checkpoints.identity_hook import require_state
from ..checkpoints.student_export import STUDENT, export_student
from ..datasets.transforms import build_camera_stages
from ..engine.config_file import load_config
from ..for_people import config_explained, counted
from ..structures.ego_state import CAN_BUS_SIZE, relative_can_bus
from ..students.bevformer import BEVFormer, FrameGeometry
from .moments import Calibration, Detection, Moment, prepare


@dataclass
class Stream:
    """History of one camera stream, held by the caller; :func:`detect` reads it and writes the next one into it.

    A new object, or one after :meth:`reset`, starts a sequence. Frames must come in order and evenly, half a second
    apart for models trained on nuScenes.

    Args:
        bev: BEV map of the last frame, (Q, C), or None.
        can_bus: Absolute vehicle state of the last frame, (18,), or None.
    """

    bev: Tensor | None = None
    can_bus: NDArray[np.float64] | None = None

    def reset(self) -> None:
        """Forget the sequence."""
        self.bev = self.can_bus = None


@dataclass(frozen=True)
class Student:
    """Trained student, ready to detect.

    Args:
        detector: The network, in eval mode.
        preprocessor: Normalises, pads and stacks images.
        stages: Image stages of the config's test data: resize, crop.
        classes: Class names in label order.
        cfg: The config.
        meta: Meta data of the checkpoint.
    """

    detector: BEVFormer
    preprocessor: Any
    stages: Sequence[Any]
    classes: Sequence[str]
    cfg: Config
    meta: Mapping[str, Any]

    @property
    def num_cameras(self) -> int:
        """Number of cameras N."""
        return len(self.detector.pts_bbox_head.transformer.cams_embeds)

    @property
    def uses_history(self) -> bool:
        """Whether the previous frame changes what is detected."""
        return self.detector.queue_length > 1 and self.detector.video_test_mode


def init_student(
    config: str | Path,
    checkpoint: str | Path,
    device: str | torch.device = 'cpu',
    overrides: Mapping[str, Any] | None = None,
    data_root: str | None = None,
) -> Student:
    """Build the student of a config and load its weights.

    Args:
        config: Config file of a student or of a distiller, whose student is taken. Its data need not be there.
        checkpoint: Checkpoint of either: of a distiller's, the student's weights are taken.
        device: Where it runs.
        overrides: Entries of the config to change, by dotted key.
        data_root: Data root in place of the config's, for what reads samples of its test data.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the model is no camera student, or the weights do not fit.
    """
    weights_file = existing_checkpoint(str(checkpoint))
    cfg = load_config(config, overrides, data_root=data_root)
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    model = dict(cfg.model.get('student', cfg.model))
    preprocessor = model.pop('data_preprocessor', None) or cfg.model.data_preprocessor
    with config_explained('model'):
        detector = MODELS.build(model)
    if not isinstance(detector, BEVFormer):
        raise ValueError(
            f'{config}: expected a student that sees cameras alone, a BEVFormer; found {type(detector).__name__}. '
            'bevdistill test runs other detectors'
        )
    meta = _load(detector, weights_file, str(config))
    data = cfg.test_dataloader.dataset
    stages = build_camera_stages(data.get('pipeline'))
    detector.to(device).train(False)
    preprocess = MODELS.build(preprocessor).to(device)
    return Student(detector, preprocess, stages, _classes(meta, data, detector.num_classes), cfg, meta)


def _load(detector: BEVFormer, file: str, config: str) -> dict[str, Any]:
    """Load weights and return the checkpoint's meta data."""
    with unreadable_checkpoints_explained(file):
        loaded = CheckpointLoader.load_checkpoint(file, map_location='cpu')
    require_state(loaded, file, ())
    meta = loaded.get('meta') or {}
    weights = loaded.get('state_dict', loaded)
    if any(name.startswith(STUDENT) for name in weights):
        weights = export_student(dict(state_dict=weights), file)['state_dict']
    check_weights(detector, weights, file, owner=config)
    if convention_unknown(weights, meta):
        raise ValueError(f'checkpoint {file} cannot be used as it is: {conversion_advice(file, weights)}')
    return dict(meta)


def _classes(meta: Mapping[str, Any], data: Mapping[str, Any], count: int) -> list[str]:
    """Read the class names from the checkpoint, else the config; check their number."""
    sources = (meta.get(META_KEY), meta.get('dataset_meta'), data.get('metainfo'))
    named = next((source['classes'] for source in sources if source and source.get('classes')), None)
    if named is not None and not (isinstance(named, list | tuple) and all(isinstance(name, str) for name in named)):
        raise ValueError(f'expected class names in the meta data of the checkpoint, found {reprlib.repr(named)}')
    if named is None or len(named) != count:
        found = 'none' if named is None else f'{len(named)}: {", ".join(named)}'
        raise ValueError(
            f'expected {count} class names in the meta data of the checkpoint or in test_dataloader.dataset.metainfo, '
            f'found {found}. Set test_dataloader.dataset.metainfo.classes in the config'
        )
    return list(named)


def infer(
    student: Student,
    images: Sequence[Sequence[NDArray[np.uint8]]],
    calibrations: Sequence[Calibration],
    streams: Sequence[Stream] | None = None,
) -> list[list[Detection]]:
    """Detect objects around the car from images and matrices, in a batch of moments.

    A sequence is one call per moment with the same :class:`Stream`. Images of a batch may differ in size.

    Args:
        student: Of :func:`init_student`.
        images: Of B moments: N images (h, w, 3), uint8, BGR, in the order of the cameras in training, which is
            :data:`bevdistill.structures.cameras.CAMERAS` for models of nuScenes.
        calibrations: Of each moment.
        streams: History of each; None: every moment is the first of its sequence.

    Returns:
        Objects of each moment, best first.

    Raises:
        ValueError: If images, matrices or streams do not fit each other or the model.
    """
    if len(images) != len(calibrations):
        raise ValueError(f'expected one calibration for each of {len(images)} moments, found {len(calibrations)}')
    released = bool(student.cfg.test_dataloader.dataset.get('released_can_bus', False))
    pairs = zip(images, calibrations, strict=True)
    return detect(student, [prepare(student.stages, *pair, released) for pair in pairs], streams)


@torch.no_grad()
def detect(
    student: Student, moments: Sequence[Moment], streams: Sequence[Stream] | None = None
) -> list[list[Detection]]:
    """Detect objects around the car, in a batch of moments.

    Args:
        student: Of :func:`init_student`.
        moments: B moments, see :func:`~.moments.prepare`.
        streams: History of each, which this call replaces; None: every moment is the first of its sequence. Models
            without history ignore it.

    Returns:
        Objects of each moment, best first.

    Raises:
        ValueError: If cameras, streams or vehicle states do not fit.
    """
    moments = list(moments)
    if not moments:
        return []
    if streams is not None:
        _check_streams(student, moments, streams)
    device = student.preprocessor.device
    samples = [_sample(student, moment) for moment in moments]
    images = [moment.images[None] for moment in moments]
    data = student.preprocessor(dict(inputs=dict(img=images), data_samples=samples), False)
    samples = data['data_samples']
    past, exists = _history(streams or [], device) if student.uses_history else (None, None)
    frames = FrameGeometry.from_samples(samples, device)
    state = np.stack([_since(stream, moment) for stream, moment in zip(_each(streams, moments), moments, strict=True)])
    frames = replace(frames, can_bus=torch.from_numpy(state.astype(np.float32)).to(device))
    outputs, bev = student.detector.forward_frame(data['inputs']['imgs'][:, 0], frames, past, exists)
    for stream, moment, bev_QC in zip(streams or [], moments, bev, strict=bool(streams)):
        stream.bev, stream.can_bus = bev_QC.clone(), moment.state()
    coder = student.detector.pts_bbox_head.coder
    return [
        Detection.listed(boxes, scores, labels, student.classes)
        for boxes, scores, labels in coder.decode(outputs.logits[-1], outputs.codes[-1])
    ]


def _check_streams(student: Student, moments: Sequence[Moment], streams: Sequence[Stream]) -> None:
    if len(streams) != len(moments):
        raise ValueError(f'expected one stream for each of {counted(len(moments), "moment")}, found {len(streams)}')
    if len({id(stream) for stream in streams}) < len(streams):
        raise ValueError('one stream is given twice in a batch: frames of one stream go into calls one after the other')
    if student.uses_history and any(moment.can_bus is None for moment in moments):
        raise ValueError(
            'the model uses the previous frame and needs to know how the car moved since; found a moment of a stream '
            'without ego2global or can_bus. Give it, or no streams'
        )


def _sample(student: Student, moment: Moment) -> Det3DDataSample:
    """Put what the network reads of a moment into a data sample."""
    if len(moment.images) != student.num_cameras:
        trained = counted(student.num_cameras, 'camera')
        raise ValueError(f'the model was trained with {trained}, found {counted(len(moment.images), "image")}')
    return Det3DDataSample(
        metainfo=dict(
            lidar2img=moment.lidar2img[None],
            can_bus=np.zeros((1, CAN_BUS_SIZE), dtype=np.float32),
            img_shape=[tuple(moment.images.shape[-2:])] * len(moment.images),
        )
    )


def _each(streams: Sequence[Stream] | None, moments: Sequence[Moment]) -> Sequence[Stream | None]:
    return [None] * len(moments) if streams is None else streams


def _since(stream: Stream | None, moment: Moment) -> NDArray[np.float64]:
    """Compute the vehicle state with the motion since the stream's last frame, (18,), in float64."""
    before = None if stream is None else stream.can_bus
    records = [moment.state()] if before is None else [before, moment.state()]
    return relative_can_bus(records, [''] * len(records))[0][-1]


def _history(streams: Sequence[Stream], device: torch.device) -> tuple[Tensor | None, Tensor | None]:
    """Stack the streams' BEV maps, (B, Q, C), and tell which there are, (B,)."""
    known = [stream.bev for stream in streams if stream.bev is not None]
    if not known:
        return None, None
    maps = [torch.zeros_like(known[0]) if stream.bev is None else stream.bev for stream in streams]
    exists = torch.tensor([stream.bev is not None for stream in streams], device=device)
    return torch.stack(maps).to(device), exists
