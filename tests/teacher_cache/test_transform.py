from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import Det3DDataSample
from torch.utils.data import DataLoader

from bevdistill.teacher_cache import RECORD, LoadTeacherOutputs, TeacherCache


@pytest.fixture
def cache(save_teacher, batch, fill_cache) -> TeacherCache:
    return fill_cache(save_teacher(), batch())


def packed(token: str) -> dict[str, Any]:
    return dict(inputs={}, data_samples=Det3DDataSample(metainfo=dict(token=token)))


def test_a_missing_folder_is_told_when_the_transform_is_built(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no teacher cache'):
        LoadTeacherOutputs(str(tmp_path / 'nowhere'))


def test_each_sample_gets_its_record_and_keeps_its_inputs(cache: TeacherCache) -> None:
    load = TRANSFORMS.build(dict(type='LoadTeacherOutputs', folder=str(cache.folder)))
    for token in ('s1', 's0'):
        item = packed(token)
        result = load(item)
        assert result['inputs'] is item['inputs']
        assert torch.equal(getattr(result['data_samples'], RECORD), cache.read(token))
    assert not torch.equal(cache.read('s0'), cache.read('s1'))


def test_a_sample_that_is_not_cached_is_named(cache: TeacherCache) -> None:
    with pytest.raises(FileNotFoundError, match='sample s9 is not in the teacher cache'):
        LoadTeacherOutputs(str(cache.folder))(packed('s9'))


class Packed:
    """A data set of packed samples."""

    def __init__(self, folder: str) -> None:
        self.load = LoadTeacherOutputs(folder)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Det3DDataSample:
        return self.load(packed(f's{index}'))['data_samples']


def test_workers_of_a_loader_attach_the_records(cache: TeacherCache) -> None:
    loader = DataLoader(Packed(str(cache.folder)), batch_size=2, num_workers=2, collate_fn=list)
    (samples,) = list(loader)
    for index, sample in enumerate(samples):
        assert torch.equal(getattr(sample.to('cpu'), RECORD), cache.read(f's{index}'))
