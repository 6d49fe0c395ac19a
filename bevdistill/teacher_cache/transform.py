"""Read cached outputs in the workers of the data loader."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from .storage import TeacherCache

RECORD = 'teacher_record'
"""Field of a data sample that holds the teacher's record, (R,) uint8; the preprocessor moves it with the sample."""


@TRANSFORMS.register_module()
class LoadTeacherOutputs(BaseTransform):
    """Attach the cached outputs of the teacher to a packed sample, as the last transform of a pipeline.

    A sample gets one tensor, whatever the taps: workers pass each tensor through a file handle, and those are limited.

    Args:
        folder: Folder that tools/cache_teacher.py made.

    Raises:
        FileNotFoundError: If there is no cache in the folder; in transform, if a sample is not in it (names the token).
    """

    def __init__(self, folder: str) -> None:
        self.cache = TeacherCache(folder)
        self.cache.manifest  # noqa: B018 - report a missing folder now, in the main process

    def transform(self, packed: dict[str, Any]) -> dict[str, Any]:
        """Add the record of the sample."""
        sample = packed['data_samples']
        sample.set_field(self.cache.read(sample.token), RECORD)
        return packed
