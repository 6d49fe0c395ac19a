"""Train a student on data and against a frozen teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, Self

import torch
from mmdet3d.models.detectors.base import Base3DDetector
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.logging import MessageHub, print_log
from torch import Tensor, nn

from ..structures import BEVGrid, BEVOutputs, Targets, has_labels, missing_ground_truth_message
from ..structures.strict_config import refuse_settings
from .frozen_teacher import FrozenTeacher, as_float32, make_teacher
from .pseudo_labels import NAME as UNLABELLED
from .pseudo_labels import PseudoLabels
from .schedule import WeightSchedule
from .taps import check_wiring
from .teacher_checkpoint import TeacherCheckpoint
from .teacher_init import TeacherInit

StepListener = Callable[[BEVOutputs, BEVOutputs, list[Det3DDataSample], dict[str, Tensor]], None]


@MODELS.register_module()
class BEVDistiller(Base3DDetector):
    """Train a student with its own losses and with losses against a frozen teacher.

    In a step the teacher runs without gradient, the student runs once, and each loss gets ``(student outputs, teacher
    outputs, targets)`` in float32. Testing runs the student alone. A checkpoint holds the student (under ``student.``)
    and the distillation heads (under ``losses.``), never the teacher's weights.

    Entries of a loss are logged as ``distill.<name>.<term>``; those whose term contains ``loss`` are trained, the
    others are for information. With a schedule the current weight is logged as ``distill.<name>.weight``.

    With `unlabelled` the teacher's boxes replace the ground truth of frames without labels (metainfo
    ``labelled=False``), in the student's own losses and in the targets of the distillation losses;
    ``distill.unlabelled.boxes`` is the mean number of boxes of such a frame. Without it such frames are refused.

    For a given seed the student starts from the same weights as when it is trained alone: teacher and losses draw from
    a forked random state.

    Args:
        student: Config of the student, a detector with ``forward_outputs`` and ``loss_from_outputs``.
        teacher: Config of the teacher, a detector with ``forward_outputs``.
        teacher_checkpoint: File with the trained weights of the teacher. It is read before the first training step; for
            testing it need neither be named nor exist.
        student_checkpoint: File with a trained detector that the student starts from, such as the undistilled one.
            Weights that a run resumes from or loads come later and win.
        teacher_cache: Folder that ``tools/cache_teacher.py`` made. The teacher's outputs are read from it, see
            :class:`~bevdistill.teacher_cache.CachedTeacher`; ``tools/train.py`` adapts the data pipeline.
        losses: Config of each loss by name. Beside the loss's own arguments an entry may have ``weight`` (a number,
            default 1; entries of weight 0 are not built) and ``schedule``, see :class:`~.schedule.WeightSchedule`.
            None in place of an entry leaves it out.
        init_from_teacher: Parts of the teacher's head that the student starts from, see
            :class:`~.teacher_init.TeacherInit`: False, True, or a dict of switches. Weights that a run resumes from or
            loads come later and win.
        unlabelled: How frames without ground truth are trained on, see :class:`~.pseudo_labels.PseudoLabels`:
            ``dict()`` for its defaults, None (default) to refuse them.
        data_preprocessor: Config of the one preprocessor that serves student and teacher.
        class_names: Class names in label order; compared with the teacher's checkpoint and with the data set. Without
            it the data set is compared with the checkpoint before the first step.
        teacher_precision: ``'float32'`` (autocast off) or ``'follow'`` the student's autocast.
        trust_teacher: Accept a teacher checkpoint that does not say what it was trained with.
        init_cfg: Initialisation, see mmengine.
        train_cfg: Empty or None, as mmdet3d's tools pass it; nothing reads it.
        test_cfg: The same.

    Raises:
        ValueError: If a loss is named badly or wants what the pair does not offer, ranges
            or numbers of classes differ, or a detector brings a preprocessor of its own. Before the first step: if
            the checkpoint or the cache does not fit.
    """

    teacher: FrozenTeacher

    step_listener: StepListener | None = None
    """Called at the end of :meth:`loss` with the outputs of student and teacher, the samples and all entries; for what
    measures a step while its graph is there."""

    def __init__(
        self,
        student: dict[str, Any],
        teacher: dict[str, Any],
        teacher_checkpoint: str | None = None,
        teacher_cache: str | None = None,
        losses: dict[str, dict[str, Any] | None] | None = None,
        init_from_teacher: bool | dict[str, Any] = False,
        unlabelled: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        class_names: Sequence[str] | None = None,
        teacher_precision: Literal['float32', 'follow'] = 'float32',
        trust_teacher: bool = False,
        student_checkpoint: str | None = None,
        init_cfg: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        refuse_settings(type(self).__name__, train_cfg=train_cfg, test_cfg=test_cfg)
        checkpoint = TeacherCheckpoint(teacher_checkpoint, class_names, trust_teacher)
        self.student_checkpoint = (
            TeacherCheckpoint(student_checkpoint, class_names, role='student') if student_checkpoint else None
        )
        for side, config in (('student', student), ('teacher', teacher)):
            if not isinstance(config, Mapping):
                raise ValueError(f'model.{side} of a distiller is the config of a detector, got {config!r}')
            if config.get('data_preprocessor') is not None:
                raise ValueError(
                    f'the {side} of a distiller must not have a data_preprocessor of its own: one serves both. '
                    'Move it to the distiller'
                )
        self.student = MODELS.build(student)
        self.teacher_init = TeacherInit.from_config(init_from_teacher)
        self.unlabelled = PseudoLabels.from_config(unlabelled)
        self.losses = nn.ModuleDict()
        self.loss_weights: dict[str, float] = {}
        self.schedules: dict[str, WeightSchedule] = {}
        with torch.random.fork_rng(devices=[]):
            # Not a sub-module: state_dict, optimizer, DDP and init_weights must not see it.
            self.__dict__['teacher'] = make_teacher(
                teacher, checkpoint, teacher_precision, teacher_cache, data_preprocessor
            )
            for name, loss in (losses or {}).items():
                if loss is not None:
                    self._add_loss(name, deepcopy(dict(loss)))
        readers: dict[str, Any] = dict(self.losses.items())
        if self.unlabelled is not None:
            readers[UNLABELLED] = self.unlabelled
        check_wiring(readers, self.student, self.teacher)
        self._data_checked = False

    def _add_loss(self, name: str, config: dict[str, Any]) -> None:
        if '.' in name or 'loss' in name:
            raise ValueError(
                f"a distillation loss cannot be called '{name}': names must not contain '.', nor 'loss', by which "
                'mmengine tells trained entries from logged ones'
            )
        if name == UNLABELLED:
            raise ValueError(f"a distillation loss cannot be called '{name}': the entries of unlabelled frames are")
        weight = float(config.pop('weight', 1.0))
        schedule = WeightSchedule.from_config(config.pop('schedule', None))
        if weight == 0:
            print_log(f"distillation loss '{name}' has weight 0 and is left out", logger='current')
            return
        self.losses[name] = MODELS.build(config)
        self.loss_weights[name] = weight
        self.schedules[name] = schedule

    @property
    def grid(self) -> BEVGrid:
        """Return the grid of the student's BEV map."""
        return self.student.grid

    @property
    def num_classes(self) -> int:
        """Return the number of the student's classes."""
        return self.student.num_classes

    @property
    def teacher_identity(self) -> dict[str, str]:
        """Return path and SHA-256 of the teacher's weights, empty while they are not loaded."""
        return self.teacher.identity

    def checkpoint_meta(self) -> dict[str, Any]:
        """Return what a checkpoint's meta data hold beside classes and range: the teacher's identity."""
        return {'teacher': self.teacher_identity}

    def check_trainable(self) -> None:
        """Check, before any data is read, that the teacher's weights are named and there.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If none is named.
        """
        self.teacher.checkpoint.existing()

    def init_weights(self) -> None:
        """Initialise the student, or read its file, read the teacher, then copy what `init_from_teacher` names."""
        first = not self.is_init
        super().init_weights()
        if first and self.student_checkpoint is not None:
            self.student_checkpoint.load_into(self.student)
            print_log(f'student: starts from {self.student_checkpoint.path}', logger='current')
        self.teacher.ensure_loaded()
        if first and self.teacher_init.parts:
            self.teacher_init.apply(self.student, self.teacher.with_weights())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.teacher._apply(fn)
        return self

    def loss(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> dict[str, Tensor]:
        """Compute the student's own and the distillation losses of a batch.

        Args:
            inputs: Preprocessed inputs of student and teacher.
            samples: Data samples with ground truth, or unlabelled.
            **kwargs: Not used.

        Raises:
            ValueError: If a sample is unlabelled, and the config does not say what to do with it; names its token.
        """
        self._check_data()
        unlabelled = [sample for sample in samples if not has_labels(sample)]
        if unlabelled and self.unlabelled is None:
            raise ValueError(missing_ground_truth_message(unlabelled[0]))
        # The teacher runs first, so that its memory is free before the student keeps activations.
        teacher = self.teacher(inputs, samples) if self.losses or unlabelled else None
        outputs = self.student.forward_outputs(inputs, samples)
        entries: dict[str, Tensor] = {}
        if teacher is not None and self.unlabelled is not None:
            samples, found = self.unlabelled.fill(samples, teacher, self.grid)
            entries = {f'distill.{UNLABELLED}.{name}': value for name, value in found.items()}
        losses: dict[str, Tensor] = self.student.loss_from_outputs(outputs, samples)
        if teacher is not None:
            losses |= self.distill(outputs, teacher, samples)
            if self.step_listener is not None:
                self.step_listener(outputs, teacher, samples, losses)
        return losses | entries

    def distill(
        self, student: BEVOutputs, teacher: BEVOutputs, samples: list[Det3DDataSample]
    ) -> dict[str, Tensor]:
        """Compute the weighted distillation losses of outputs.

        Args:
            student: Outputs of the student, any precision.
            teacher: Outputs of the teacher, without gradient.
            samples: Data samples with ground truth.

        Returns:
            ``distill.<name>.<term>``.
        """
        device = student.bev.device
        targets = Targets.from_samples(samples, device)
        entries: dict[str, Tensor] = {}
        with torch.autocast(device.type, enabled=False):
            student = as_float32(student)
            for name, module in self.losses.items():
                factor = self.schedules[name].current()
                weight = self.loss_weights[name] * factor
                for term, value in module(student, teacher, targets).items():
                    entries[f'distill.{name}.{term}'] = value * weight if 'loss' in term else value.detach()
                if not self.schedules[name].constant:
                    entries[f'distill.{name}.weight'] = student.bev.new_full((), weight)
        return entries

    def predict(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> list[Det3DDataSample]:
        """Predict with the student."""
        detections: list[Det3DDataSample] = self.student.predict(inputs, samples, **kwargs)
        return detections

    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        """Run the student."""
        outputs: BEVOutputs = self.student.forward_outputs(inputs, samples)
        return outputs

    def _forward(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> BEVOutputs:
        return self.forward_outputs(inputs, samples)

    def extract_feat(self, inputs: dict[str, Any]) -> Any:
        """Extract the student's features."""
        return self.student.extract_feat(inputs)

    def _check_data(self) -> None:
        """Compare the label order of teacher and data before the first step."""
        if self._data_checked:
            return
        self.teacher.ensure_loaded()
        meta = MessageHub.get_current_instance().runtime_info.get('dataset_meta') or {}
        if meta.get('classes') is not None:
            self.teacher.checkpoint.check_data(meta['classes'])
        self._data_checked = True
