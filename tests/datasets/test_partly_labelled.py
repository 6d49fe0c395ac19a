"""Which frames keep their labels, and that those of the others go nowhere."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.config import Config

from bevdistill.datasets import PartlyLabelledDataset
from bevdistill.datasets.partly_labelled import choose_scenes

from .conftest import toy_record, write_infos

BASE = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets' / 'nus-3d.py'
SCENES = [f'scene{number}' for number in range(8)]


def frames(root: Path, **changes: Any) -> dict[str, Any]:
    """Config of the data set of the base config on another root."""
    config = Config.fromfile(str(BASE)).train_dataloader.dataset.dataset.to_dict()
    return config | dict(data_root=str(root), ann_file='infos.msgpack.gz') | changes


def build(root: Path, **options: Any) -> PartlyLabelledDataset:
    built = DATASETS.build(dict(type='PartlyLabelledDataset', dataset=frames(root)) | options)
    assert isinstance(built, PartlyLabelledDataset)
    return built


def test_items_and_their_flag(toy_root: Path) -> None:
    dataset = build(toy_root, labelled=['b'])
    assert dataset.is_labelled.tolist() == [True, True, False, False, False]
    assert dataset.frame_keys() == [('b', 0), ('b', 1), ('a', 0), ('a', 1), ('a', 2)]
    assert len(dataset) == 5
    plain = DATASETS.build(frames(toy_root))
    for index, token in enumerate(['token-3', 'token-4', 'token-0', 'token-1', 'token-2']):
        item, labelled = dataset[index], index < 2
        sample = item['data_samples']
        assert sample.token == token and sample.labelled is labelled
        assert item['inputs']['img'].shape[0] == 1 and len(item['inputs']['points'])
        assert ('gt_instances_3d' in sample) == labelled
        if labelled:
            wanted = plain[index + 3]['data_samples'].gt_instances_3d
            assert (sample.gt_instances_3d.bboxes_3d.tensor == wanted.bboxes_3d.tensor).all()
            assert (sample.gt_instances_3d.labels_3d == wanted.labels_3d).all()


def test_labels_of_unlabelled_frames_go_nowhere(toy_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No box of an unlabelled frame is in what the pipeline is given, in the item, or in the record."""
    dataset = build(toy_root, labelled=['b'])
    seen: list[int] = []

    def spy(results: dict[str, Any]) -> dict[str, Any]:
        seen.append(len(results['ann_info']['gt_labels_3d']))
        return results

    for part in dataset.parts:
        part.pipeline.transforms.insert(1, spy)
    items = [dataset[index] for index in range(5)]
    assert seen[2:] == [0, 0, 0] and all(seen[:2])
    sample = items[2]['data_samples']
    assert 'eval_ann_info' not in sample or sample.eval_ann_info is None
    fields = {name for name in (*sample.keys(), *sample.metainfo_keys(), *items[2]['inputs']) if 'gt' in name}
    assert fields <= {'gt_instances', 'gt_pts_seg'}, 'mmdet3d packs these for other tasks'
    assert not any(getattr(sample, name).keys() for name in fields)
    assert [len(dataset.get_data_info(index)['ann_info']['gt_bboxes_3d']) for index in (2, 3, 4)] == [0, 0, 0]
    assert dataset.get_cat_ids(3) == set() and dataset.get_cat_ids(0) == {0, 3, 7}
    # The same for a process that works for a data loader.
    assert 'gt_instances_3d' not in pickle.loads(pickle.dumps(build(toy_root, labelled=['b'])))[2]['data_samples']


def test_queues_stay_in_their_scene(toy_root: Path) -> None:
    config = frames(toy_root, queue_length=3, queue_rule='consecutive')
    dataset, plain = build(toy_root, labelled=['b'], dataset=config), DATASETS.build(config)
    for index, place in enumerate([3, 4, 0, 1, 2]):
        item, wanted = dataset[index]['data_samples'], plain[place]['data_samples']
        assert (item.token, item.frame_idx) == (wanted.token, wanted.frame_idx)
        # What is not history does not matter: at the beginning of a data set a queue repeats the first frame.
        known = min(item.frame_idx, 2)
        assert item.history_exists[3 - known :].all() and wanted.history_exists[3 - known :].all()
        np.testing.assert_array_equal(item.can_bus[3 - known :], wanted.can_bus[3 - known :])


def test_frames_without_objects(tmp_path: Path) -> None:
    """Labels do not decide which unlabelled frames are used; a labelled one makes place for another labelled one."""
    rng = np.random.default_rng(0)
    records = [toy_record(tmp_path, i, scene, i % 2, rng) for i, scene in enumerate('aabbcc')]
    for index in (0, 2):
        records[index]['instances'] = []
    write_infos(tmp_path, records)
    dataset = build(tmp_path, labelled=['a'])
    assert dataset.is_labelled.tolist() == [True, True] + [False] * 4
    tokens = [dataset[index]['data_samples'].token for index in range(6)]
    assert tokens == ['token-1', 'token-1', 'token-2', 'token-3', 'token-4', 'token-5']


def test_labelled_frames_alone(toy_root: Path) -> None:
    dataset = build(toy_root, labelled=['a'], keep='labelled', unlabelled=frames(toy_root))
    assert dataset.is_labelled.tolist() == [True] * 3
    assert {scene for scene, _ in dataset.frame_keys()} == {'a'}
    assert build(toy_root, keep='labelled').is_labelled.tolist() == [True] * 5
    cars = dict(type='PartlyLabelledDataset', dataset=frames(toy_root, metainfo=dict(classes=['car'])), labelled=['a'])
    balanced = DATASETS.build(dict(type='CBGSDataset', dataset=cars))
    assert len(balanced) == 3 and balanced.metainfo['classes'] == ['car']


def test_a_second_data_set_without_labels(toy_root: Path, toy_records: list[dict[str, Any]]) -> None:
    """Its boxes are not used even if its file has some."""
    other = toy_root / 'other'
    other.mkdir()
    write_infos(other, toy_records[3:])
    extra = frames(toy_root, ann_file=str(other / 'infos.msgpack.gz'))
    dataset = build(toy_root, labelled=['a'], unlabelled=extra)
    assert dataset.is_labelled.tolist() == [True] * 3 + [False] * 4
    assert 'gt_instances_3d' not in dataset[6]['data_samples'] and dataset[6]['data_samples'].token == 'token-4'
    assert build(toy_root, unlabelled=extra).is_labelled.tolist() == [True] * 5 + [False] * 2
    with pytest.raises(ValueError, match=r"the labelled data have the classes .* the unlabelled \['car'\]"):
        build(toy_root, unlabelled=extra | dict(metainfo=dict(classes=['car'])))


@pytest.mark.parametrize(('labelled', 'count'), [(1, 1), (3, 3), (8, 8), (0.25, 2), (1.0, 8), (0.3, 2), (None, 8)])
def test_numbers_and_shares(labelled: float | None, count: int) -> None:
    chosen = choose_scenes(SCENES * 3, labelled, seed=0)
    assert len(chosen) == len(set(chosen)) == count and set(chosen) <= set(SCENES)


def test_the_choice_follows_from_seed_and_tokens() -> None:
    first = choose_scenes(SCENES, 3, seed=0)
    assert first == choose_scenes(SCENES[::-1] * 2, 3, seed=0)
    assert len({tuple(choose_scenes(SCENES, 3, seed)) for seed in range(8)}) > 1
    assert set(first) < set(choose_scenes(SCENES, 5, seed=0)), 'fewer labels are a part of more'


@pytest.mark.parametrize(
    ('labelled', 'message'),
    [
        (0, 'labelled=0 of 8 scenes would be 0; give a number of scenes from 1 to 8, a share'),
        (9, 'labelled=9 of 8 scenes would be 9'),
        (0.01, 'labelled=0.01 of 8 scenes would be 0'),
        (True, 'labelled=True'),
        (['scene1', 'x', 'y'], 'names 2 scenes that the data set lacks, x for one'),
        ([], 'an empty list of scene tokens'),
        ('scene1', "got the text 'scene1'"),
    ],
)
def test_choices_that_cannot_be(labelled: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_scenes(SCENES, labelled, seed=0)


def test_options_that_cannot_be(toy_root: Path) -> None:
    with pytest.raises(ValueError, match="keep must be 'all' or 'labelled', got 'some'"):
        build(toy_root, keep='some')
    cut = dict(type='RepeatDataset', times=2, dataset=frames(toy_root))
    with pytest.raises(TypeError, match='needs a data set with frame_keys'):
        build(toy_root, dataset=cut)
    with pytest.raises(IndexError, match='index 5 of 5 frames'):
        build(toy_root)[5]


def test_the_log_names_the_scenes(toy_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr('bevdistill.datasets.partly_labelled.print_log', lambda text, **_: lines.append(text))
    build(toy_root, labelled=['b'], seed=7)
    assert lines == ['labels: 1 of 2 scenes, 2 frames labelled and 3 unlabelled; seed 7; labelled scenes: b']
