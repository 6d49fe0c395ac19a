"""Run a trained model on samples of its test data, for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet3d.registry import DATASETS, MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader

from ..checkpoints import (
    check_weights,
    convention_unknown,
    conversion_advice,
    inert_loader,
)
from ..checkpoints.existing import existing_checkpoint
from ..checkpoints.find import unreadable_checkpoints_explained
from ..datasets.sequence_dataset import MissingSensorError
from ..distillers import as_float32
from ..engine.launch import load_config
from ..losses import InstanceDistillLoss
from ..structures import BEVOutputs
from .boxes import BoxSet
from .frame import Frame
from .hook import predicting_model
from .map_panels import ModelMaps
from .pairs import MatchedPairs

SENSORS = {'img': 'use_camera', 'points': 'use_lidar'}
"""Inputs of a data set item, and the modality that loads each."""


@dataclass(frozen=True)
class View:
    """Inputs and outputs of one model for one sample: sensors, predictions, BEV maps, teacher first, matched pairs."""

    frame: Frame
    predictions: BoxSet
    maps: tuple[ModelMaps, ...]
    pairs: MatchedPairs | None = None


class ModelViewer:
    """Load a model and run it on samples of its test data.

    Cameras and LiDAR are both loaded even if the model uses only one of them, so that a page can show both; the model
    is given what its config loads. Of a distiller the student predicts, and the teacher's maps are shown if its
    weights are where the checkpoint says. A student with history first runs over the scene up to the sample.

    Args:
        config: Config file of a student, a teacher or a distiller.
        checkpoint: Trained weights.
        role: What the model is called on a page; by default its class.
        data_root: Data root to use in place of the config's.
        overrides: Further entries of the config to change, by dotted key.
        device: Where the model runs.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If an override does not fit, or the weights do not fit the model.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path,
        role: str | None = None,
        data_root: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        device: torch.device | str = 'cpu',
    ) -> None:
        weights = existing_checkpoint(str(checkpoint))
        cfg = load_config(config, overrides, data_root=data_root)
        init_default_scope(cfg.get('default_scope', 'mmdet3d'))
        self.dataset, self._loaded = _test_data(cfg)
        self.shows_teacher = _settle_teacher(cfg, weights)
        if self.shows_teacher:
            # Tested without its teacher, a distiller asks for the student's sensors only.
            self._loaded = tuple(SENSORS.values())
        self.model: Any = MODELS.build(cfg.model)
        _load_weights(self.model, weights, config)
        self.role = role or type(self.detector).__name__
        self.model.to(device)
        # Not model.eval(): backbones of mmdet return nothing from it.
        self.model.train(False)
        self._positions: dict[str, int] | None = None
        self._keys: list[tuple[str, int]] | None = None

    @property
    def detector(self) -> Any:
        """Detector that predicts."""
        return predicting_model(self.model)

    @property
    def classes(self) -> list[str]:
        """Class names in label order."""
        return list(self.dataset.metainfo['classes'])

    def position(self, token: str) -> int:
        """Find the index of a sample in the data set.

        Raises:
            ValueError: If the data set lacks it.
        """
        if self._positions is None:
            self._positions = {
                str(self.dataset.get_data_info(index)['token']): index for index in range(len(self.dataset))
            }
        if token not in self._positions:
            raise ValueError(f'the test data of the {self.role} have no sample {token}; its ann_file names others')
        return self._positions[token]

    @torch.no_grad()
    def view(self, index: int) -> View:
        """Run the model on sample `index` of the test data."""
        for earlier in self._history(index):
            self._outputs(self.dataset[earlier])
        item = self.dataset[index]
        frame = Frame.from_item(item['inputs'], item['data_samples']).with_truth_of(self.dataset, index)
        outputs, inputs, samples = self._outputs(item)
        predicted: list[Det3DDataSample] = self.detector.predict_from_outputs(outputs, samples)
        maps, pairs = [ModelMaps.from_outputs(self.role, outputs)], None
        if self.shows_teacher:
            taught = self.model.teacher(inputs, samples)
            maps.insert(0, ModelMaps.from_outputs('teacher', taught))
            losses = getattr(self.model, 'losses', {}).values()
            sparse = next((loss for loss in losses if isinstance(loss, InstanceDistillLoss)), None)
            if sparse is not None:
                pairs = MatchedPairs.of(sparse, as_float32(outputs), taught, frame.targets(outputs.bev.device))
        return View(frame, BoxSet.from_instances(predicted[0].pred_instances_3d), tuple(maps), pairs)

    def scene(self, index: int) -> str:
        """Return the scene of sample `index`, empty where the data set does not say."""
        return str(self.dataset.get_data_info(index).get('scene_token', ''))

    def _history(self, index: int) -> list[int]:
        """List the frames of the scene before a sample, over which a detector with history runs first."""
        if getattr(self.detector, 'queue_length', 1) == 1:
            return []
        if self._keys is None:
            self._keys = self.dataset.frame_keys()
        scene, place = self._keys[index]
        earlier = {frame: i for i, (other, frame) in enumerate(self._keys) if other == scene and frame < place}
        return [earlier[frame] for frame in sorted(earlier)]

    def _outputs(self, item: dict[str, Any]) -> tuple[BEVOutputs, dict[str, Any], list[Det3DDataSample]]:
        """Return the outputs of the detector for a data set item, with its inputs."""
        used = {name: value for name, value in item['inputs'].items() if SENSORS.get(name) in (None, *self._loaded)}
        data = self.model.data_preprocessor(pseudo_collate([{**item, 'inputs': used}]), False)
        inputs, samples = data['inputs'], data['data_samples']
        return self.detector.forward_outputs(inputs, samples), inputs, samples


def _test_data(cfg: Config) -> tuple[BaseDataset, tuple[str, ...]]:
    """Build the test data with the sensors that there are; return them with those that the config itself loads."""
    dataset = cfg.test_dataloader.dataset
    modality = dict(dataset.get('modality') or dict.fromkeys(SENSORS.values(), True))
    loaded = tuple(name for name, used in modality.items() if used)
    dataset.modality = modality | dict.fromkeys(SENSORS.values(), True)
    try:
        return DATASETS.build(dataset), loaded
    except MissingSensorError:
        dataset.modality = modality
        return DATASETS.build(dataset), loaded


def _load_weights(model: Any, checkpoint: str, config: str | Path) -> None:
    with unreadable_checkpoints_explained(checkpoint):
        loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    weights = loaded.get('state_dict', loaded)
    check_weights(model, weights, checkpoint, owner=str(config))
    if convention_unknown(weights, loaded.get('meta') or {}):
        raise ValueError(f'checkpoint {checkpoint} cannot be shown as it is: {conversion_advice(checkpoint, weights)}')


def _settle_teacher(cfg: Config, checkpoint: str) -> bool:
    """Name the teacher that a distiller was trained with, if it is known; return whether its weights are there."""
    if 'teacher' not in cfg.model:
        return False
    path = cfg.model.get('teacher_checkpoint')
    if not path:
        meta = inert_loader.load_local(checkpoint, 'cpu').get('meta') or {}
        path = (meta.get('bevdistill') or {}).get('teacher', {}).get('path')
    cfg.model.teacher_checkpoint = path
    return path is not None and Path(path).is_file()
