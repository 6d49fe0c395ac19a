"""Read the weights of a teacher, or those that a student starts from, and compare their file with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn

from ..checkpoints import (
    BOX_CONVENTION,
    META_KEY,
    DamagedCheckpointError,
    check_finite_weights,
    convention_unknown,
    conversion_advice,
    identity_gaps,
    load_weights,
    read_whole,
    sha256_of,
    unreadable_advice,
)
from ..checkpoints.damage import check_content
from ..checkpoints.existing import existing_checkpoint
from ..checkpoints.fit import without_wrapper_prefix
from ..checkpoints.foreign_file import weights_below

TRAIN_A_TEACHER = (
    'Train a teacher with\n'
    '  python tools/train.py configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py\n'
    '(for the CPU-sized configs: configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py) and name its\n'
    'checkpoint in the config, or with\n'
    '  --cfg-options model.teacher_checkpoint=work_dirs/teacher_voxel01_cbgs_20e_nus-3d/epoch_20.pth'
)


class TeacherCheckpoint:
    """A checkpoint of a trained teacher, or of the detector that a student starts from.

    Any file of this package serves: of a detector, or of a distiller, whose student is taken.

    It is read as plain data (``weights_only=True``), since it may come from elsewhere. Its meta data hold the classes,
    range and box convention it was trained with.

    Args:
        path: The file, or None in a distiller that is only tested or described. That it is named and exists is checked
            when it is needed: before the first training step, never in testing.
        class_names: Class names of the run in label order, or None to learn them from the data set later.
        trusted: Accept a file that does not say what it was trained with.
        role: ``'teacher'`` or ``'student'``, for messages.
    """

    def __init__(
        self,
        path: str | Path | None,
        class_names: Sequence[str] | None = None,
        trusted: bool = False,
        role: Literal['teacher', 'student'] = 'teacher',
    ) -> None:
        self.role = role
        self.path = Path(path).expanduser() if path else None
        self.class_names = None if class_names is None else list(class_names)
        self.trusted = trusted
        self.saved_class_names: list[str] | None = None
        self._digest: str | None = None

    def digest(self) -> str:
        """Compute the SHA-256 of the file, hexadecimal.

        Raises:
            FileNotFoundError: If there is no such file.
        """
        if self._digest is None:
            self._digest = sha256_of(self.existing())
        return self._digest

    def load_into(self, detector: nn.Module) -> None:
        """Check the file and load it.

        Args:
            detector: The teacher or student, with ``grid`` and ``num_classes``.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read as plain data, it was trained with other classes, range or box convention,
                or its weights are not exactly those of the detector. All differences are named.
        """
        checkpoint = self._read()
        weights = checkpoint.get('state_dict', checkpoint)
        meta = checkpoint.get('meta') or {}
        identity = self._identity_gaps(meta, weights, detector)
        weights = detector_weights(weights)
        check_finite_weights(weights, dict(detector.named_parameters()), f'{self.role} checkpoint {self.path}')
        fit = load_weights(detector, weights, str(self.path)).without()
        gaps = [*identity, *fit.lines(f'the {self.role}')]
        if gaps:
            gaps += self._other_sensor(weights, detector)
            raise ValueError(f'{self.role} checkpoint {self.path} does not fit this run:\n  ' + '\n  '.join(gaps))
        self.digest()

    def check_data(self, class_names: Sequence[str], source: str = 'the data set') -> None:
        """Compare the teacher's classes with those of the data.

        Args:
            class_names: Class names in label order.
            source: Whose they are, for the error.

        Raises:
            ValueError: If they or their order differ; names both.
        """
        sides = ((f'the {self.role} checkpoint', self.saved_class_names), ('class_names', self.class_names))
        for owner, names in sides:
            if names is not None and names != list(class_names):
                raise ValueError(
                    f'{owner} has the classes {names}, {source} {list(class_names)}; labels would mean different '
                    'things. Use one class order for teacher, student and data'
                )

    def existing(self) -> Path:
        """Return the path of the file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If none is named.
        """
        if self.path is None:
            raise ValueError(
                f'training a distiller needs teacher_checkpoint, the weights of a trained teacher.\n{TRAIN_A_TEACHER}'
            )
        if self.path.is_dir():
            existing_checkpoint(str(self.path))  # Refuses a folder with what is in it.
        if not self.path.is_file():
            advice = TRAIN_A_TEACHER if self.role == 'teacher' else 'Leave student_checkpoint out to start without it'
            raise FileNotFoundError(f'there is no {self.role} checkpoint {self.path}.\n{advice}')
        return self.path

    def _read(self) -> dict[str, Any]:
        path = self.existing()
        try:
            checkpoint: dict[str, Any] = read_whole(path)
        except (DamagedCheckpointError, OSError):
            raise
        except Exception:  # The reader of a file that is no checkpoint can fail in any way.
            raise ValueError(
                f'{self.role} checkpoint {path} cannot be read as plain data. Either it is damaged, or it holds '
                f'Python objects, and loading those could run code: {unreadable_advice(path)}'
            ) from None
        check_content(checkpoint, str(path))
        return checkpoint

    def _other_sensor(self, weights: Mapping[str, Any], detector: nn.Module) -> list[str]:
        """Say that the file is of a detector with another sensor, if it is."""
        given = {name.partition('.')[0] for name in weights}
        own = {name for name, _ in detector.named_children()}
        other = 'student' if self.role == 'teacher' else 'teacher'
        for part, kind in (('img_backbone', 'camera'), ('pts_voxel_encoder', 'LiDAR'), ('pts_backbone', 'LiDAR')):
            if part in given - own:
                return [
                    f"the file is of a {kind} detector, which this distiller's {self.role} is not; "
                    f'for the {other} use model.{other}_checkpoint={self.path}'
                ]
        return []

    def _identity_gaps(self, meta: dict[str, Any], weights: dict[str, Any], detector: Any) -> list[str]:
        saved = meta.get(META_KEY)
        if saved is None:
            return [] if self.trusted else [_anonymous(self.existing(), weights, meta)]
        if 'classes' in saved:
            self.saved_class_names = list(saved['classes'])
        own: dict[str, Any] = dict(
            point_cloud_range=detector.grid.point_cloud_range,
            box_convention=BOX_CONVENTION,
            num_classes=detector.num_classes,
        )
        if self.class_names is not None:
            own['classes'] = self.class_names
        return list(identity_gaps(saved, own, 'the config').values())


def detector_weights(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take a detector's weights out of a state: a distiller's student, or all of them; ``module.`` is dropped."""
    weights = without_wrapper_prefix(weights)
    return weights_below(weights, 'student.') or weights


def _anonymous(path: Path, weights: dict[str, Any], meta: dict[str, Any]) -> str:
    if convention_unknown(weights, meta):
        trust = 'or set trust_teacher=True if it is in the conventions of this package'
        return f'{conversion_advice(path, weights)}\n  {trust}'
    return (
        'it does not say which classes, range and box convention it was trained with; set trust_teacher=True if you '
        'know that they fit'
    )
