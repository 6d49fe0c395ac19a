"""Whole scenes for each process, and predictions that do not depend on how many processes there are."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmdet3d.registry import DATA_SAMPLERS
from mmengine.dataset import DefaultSampler
from mmengine.registry import DefaultScope

from bevdistill.datasets import SceneBatchSampler, SequenceNuScenesDataset, samplers
from bevdistill.students.bevformer.history import BEVMemory

from .scene_testing import start_ranks, uneven_infos, write_predictions


class Scenes(list):
    """A data set of nothing but its frames' keys."""

    def frame_keys(self) -> list[tuple[str, int]]:
        return list(self)


def scenes(**lengths: int) -> Scenes:
    return Scenes((scene, index) for scene, length in lengths.items() for index in range(length))


def batches_of(monkeypatch: pytest.MonkeyPatch, data: Scenes, batch_size: int, world: int = 1) -> list[list[list[int]]]:
    """Batches of each process."""
    found = []
    for rank in range(world):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda rank=rank: (rank, world))
        sampler = SceneBatchSampler(DefaultSampler(data, shuffle=False, seed=0), batch_size)
        found.append(list(sampler))
        assert len(sampler) == len(found[-1])
        assert list(sampler) == found[-1], 'a second evaluation walks the same way'
    return found


def test_batches_do_not_cross_scenes(monkeypatch):
    (got,) = batches_of(monkeypatch, scenes(a=5, b=1, c=4), 2)
    assert got == [[0, 1], [2, 3], [4], [5], [6, 7], [8, 9]]


def test_scenes_that_lie_in_pieces_are_walked_in_time(monkeypatch):
    data = Scenes([('b', 1), ('a', 0), ('b', 0), ('a', 2), ('a', 1)])
    assert batches_of(monkeypatch, data, 3) == [[[2, 0], [1, 4, 3]]]


@pytest.mark.parametrize('world', [1, 2, 3, 5])
@pytest.mark.parametrize('batch_size', [1, 3])
def test_processes_share_scenes_and_nothing_else(monkeypatch, world: int, batch_size: int):
    data = scenes(a=6, b=2, c=4, d=3)
    single = batches_of(monkeypatch, data, batch_size)[0]
    shares = batches_of(monkeypatch, data, batch_size, world)
    assert sorted(batch for share in shares for batch in share) == sorted(single)
    owner = {}
    for rank, share in enumerate(shares):
        for batch in share:
            assert all(owner.setdefault(data[index][0], rank) == rank for index in batch)
    sizes = [sum(map(len, share)) for share in shares]
    assert max(sizes) - min(sizes) <= 6
    if world == 5:
        assert sizes[-1] == 0, 'more processes than scenes'


def test_processes_are_filled_evenly(monkeypatch):
    shares = batches_of(monkeypatch, scenes(a=6, b=2, c=4, d=3), 10, world=2)
    assert shares == [[[0, 1, 2, 3, 4, 5], [12, 13, 14]], [[6, 7], [8, 9, 10, 11]]]


def test_mmengine_builds_it():
    sampler = DefaultSampler(scenes(a=2), shuffle=False, seed=0)
    built = DATA_SAMPLERS.build(dict(type='SceneBatchSampler'), default_args=dict(sampler=sampler, batch_size=4))
    assert isinstance(built, SceneBatchSampler) and list(built) == [[0, 1]]
    assert built.sampler is sampler


def test_messages():
    with pytest.raises(ValueError, match='set shuffle=False'):
        SceneBatchSampler(DefaultSampler(scenes(a=1), shuffle=True, seed=0), 1)
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        SceneBatchSampler(DefaultSampler(scenes(a=1), shuffle=False, seed=0), 0)
    with pytest.raises(TypeError, match=r'needs a data set with frame_keys\(\), list has none'):
        SceneBatchSampler(SimpleNamespace(dataset=[1], shuffle=False), 1)


def test_keys_of_the_real_data_set(synthetic_root: Path, synthetic_infos: Path):
    dataset = SequenceNuScenesDataset(
        data_root=str(synthetic_root), ann_file=str(synthetic_infos / 'nuscenes_infos_val.msgpack.gz'), test_mode=True
    )
    keys = dataset.frame_keys()
    assert [index for _, index in keys] == [0, 1, 2, 0, 1, 2]
    assert len({scene for scene, _ in keys}) == 2


@pytest.mark.slow  # Two more processes.
def test_two_processes_predict_what_one_does(
    synthetic_root: Path, synthetic_infos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Bit for bit, with scenes of uneven length and workers: the submission files are the same bytes."""
    recall, remembered = BEVMemory.recall, []
    monkeypatch.setattr(BEVMemory, 'recall', lambda *args: remembered.append(recall(*args)) or remembered[-1])
    file = uneven_infos(synthetic_infos, tmp_path)
    ranks = start_ranks(synthetic_root, file, tmp_path / 'ranks')
    try:
        workers = dict(num_workers=2, persistent_workers=True)
        options = {f'test_dataloader.{name}': value for name, value in workers.items()}
        write_predictions(synthetic_root, file, tmp_path / 'one', **options)
    finally:
        for rank in ranks:
            rank.join(timeout=300)
        DefaultScope._instance_dict.clear()
    errors = [path.read_text() for path in (tmp_path / 'ranks').glob('error*.txt')]
    assert not errors and [rank.exitcode for rank in ranks] == [0, 0], '\n'.join(errors)

    def submission(name: str) -> str:
        (path,) = (tmp_path / name).rglob('results_nusc.json')
        return path.read_text()

    one = submission('one')
    assert len(json.loads(one)['results']) == 6
    assert submission('ranks') == one
    histories = sum(frame is not None for frame in remembered[::2])
    assert histories == 6 - 3, 'all frames but the first of each scene have history, or this test says nothing'
