"""A cache filled from a live teacher, without files of points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cache_runs
import pytest
from fake_detector import batch, save_teacher  # noqa: F401
from mmdet3d.registry import MODELS
from toy_run import quick_runner  # noqa: F401

from bevdistill.distillers import FrozenTeacher, TeacherCheckpoint
from bevdistill.teacher_cache import RECORD, CacheKey, CacheManifest, RecordLayout, Samples, TeacherCache, best_queries

COMMAND = 'python tools/cache_teacher.py config.py teacher.pth --out cache'


@pytest.fixture(scope='module')
def data(
    synthetic_root: Path, synthetic_infos: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The synthetic root, and information files of its first samples."""
    return synthetic_root, cache_runs.few(synthetic_infos, tmp_path_factory.mktemp('infos'), cache_runs.SAMPLES)


@pytest.fixture(scope='module')
def teacher(data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CPU-sized teacher with weights of its own."""
    folder = tmp_path_factory.mktemp('teacher')
    model = cache_runs.distilled(folder, data, folder).model.teacher
    return cache_runs.save_teacher(folder / 'teacher.pth', model)


def put(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def fill_cache(tmp_path: Path) -> Callable[..., TeacherCache]:
    """``fill_cache(checkpoint, data, dtype='float16', ...)``: tokens ``s0, s1, ...`` in the order of the batch.

    Leaves the record of each sample in the batch, as LoadTeacherOutputs does.
    """

    def fill(
        checkpoint: Path,
        data: dict[str, Any],
        dtype: str = 'float32',
        taps: Sequence[str] = ('bev', 'states', 'heatmap', 'heatmap_features'),
        top_k: int | None = None,
        folder: str = 'cache',
        complete: bool = True,
        preprocessor: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> TeacherCache:
        config = dict(type='FakeDetector', source='points', **arguments)
        teacher = FrozenTeacher(MODELS.build(config), TeacherCheckpoint(checkpoint))
        whole = teacher(data['inputs'], data['data_samples'])
        kept = whole if top_k is None else best_queries(whole, top_k)
        layout = RecordLayout.plan(kept, taps, dtype)
        samples = Samples({f's{index}': 'digest' for index in range(whole.batch_size)}, {})
        manifest = CacheManifest(
            key=CacheKey.of(teacher.identity['sha256'], config, preprocessor),
            layout=layout,
            teacher=dict(path=str(checkpoint), classes=teacher.checkpoint.saved_class_names),
            queries=kept.logits.shape[2],
            all_queries=whole.logits.shape[2],
            probes={},
            infos=(),
            num_samples=whole.batch_size,
            command=COMMAND,
        )
        cache = TeacherCache(tmp_path / folder)
        cache.begin(manifest, samples, put)
        for index, sample in enumerate(data['data_samples']):
            sample.set_metainfo(dict(token=f's{index}'))
            cache.put_record(sample.token, layout.pack(kept, index))
            sample.set_field(cache.read(sample.token), RECORD)
        if complete:
            assert cache.finish(put) == []
        return TeacherCache(tmp_path / folder)

    return fill
