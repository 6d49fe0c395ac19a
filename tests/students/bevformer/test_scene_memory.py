"""Testing with a memory: equal to frame-by-frame arithmetic for every cut into batches, and never of another drive."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from sequences import Key, frame, frame_batch, queue_batch, temporal_student

from bevdistill.structures.ego_state import relative_can_bus
from bevdistill.students import BEVFormer
from bevdistill.students.bevformer import FrameGeometry
from bevdistill.students.bevformer.history import EncodedFrame, state_since

DRIVE: list[Key] = [('a', 0), ('a', 1), ('a', 2), ('b', 0), ('b', 1)]


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def by_hand(model: BEVFormer, drive: list[Key]) -> torch.Tensor:
    """BEV features of frames in order: history, if the scene goes on, and the change of the absolute pose."""
    bev, previous, maps = None, None, []
    for scene, index in drive:
        _, matrices, state = frame(scene, index)
        inputs, _ = frame_batch([(scene, index)])
        if previous is None or previous[0] != scene:
            bev, change = None, np.zeros(18)
        else:
            change = state - previous[1]
        seen = state.copy()
        seen[[0, 1, 2, 17]] = change[[0, 1, 2, 17]]
        frames = FrameGeometry(torch.from_numpy(matrices)[None].float(), torch.from_numpy(seen)[None].float(), (48, 80))
        bev = model.pts_bbox_head.encode(model.extract_feat(inputs['imgs'][:, 0]), frames, bev)
        maps.append(bev[0])
        previous = scene, state
    return torch.stack(maps)


def encode(model: BEVFormer, keys: list[Key]) -> torch.Tensor:
    """What the model makes of one test batch, (B, Q, C), and the map in its outputs for a check."""
    inputs, samples = frame_batch(keys)
    return model.encode_in_scenes(inputs['imgs'][:, 0], samples)


@pytest.mark.parametrize('sizes', [[1, 1, 1, 1, 1], [5], [2, 3], [3, 2], [4, 1]])
def test_any_cut_into_batches_gives_the_same(sizes: list[int]):
    model = temporal_student()
    batches = [list(part) for part in np.split(np.arange(5), np.cumsum(sizes)[:-1])]
    got = torch.cat([encode(model, [DRIVE[i] for i in batch]) for batch in batches])
    torch.testing.assert_close(got, by_hand(model, DRIVE), atol=1e-5, rtol=1e-4)


def test_scenes_side_by_side_and_in_any_order():
    model = temporal_student()
    want = {**dict(zip(DRIVE[:3], by_hand(model, DRIVE[:3]), strict=True))}
    want |= dict(zip(DRIVE[3:], by_hand(model, DRIVE[3:]), strict=True))
    for batch in ([('b', 0), ('a', 0)], [('a', 2), ('b', 1), ('a', 1)]):
        got = encode(model, batch)
        for row, key in zip(got, batch, strict=True):
            torch.testing.assert_close(row, want[key], atol=1e-5, rtol=1e-4, msg=str(key))


def test_testing_and_training_see_the_same_history():
    model = temporal_student()
    inputs, samples = queue_batch([[('a', 4), ('a', 5), ('a', 6)]])
    queue = model.encode_queue(inputs['imgs'], samples)
    in_scenes = [encode(model, [('a', index)]) for index in (4, 5, 6)]
    torch.testing.assert_close(in_scenes[-1], queue, atol=1e-5, rtol=1e-4)
    assert (in_scenes[-1] - by_hand(model, [('a', 6)])).abs().max() > 1e-2


def test_predict_uses_the_memory():
    model = temporal_student()
    for index in range(2):
        (sample,) = model.predict(*frame_batch([('a', index)]))
    with_history = sample.pred_instances_3d.scores_3d
    (sample,) = temporal_student().predict(*frame_batch([('a', 1)]))
    assert not torch.equal(with_history, sample.pred_instances_3d.scores_3d)


@pytest.mark.parametrize(
    'before', [[], [('a', 2)], [('a', 0)], [('b', 1)], [('a', 1), ('b', 1)], [('a', 1), ('a', 3)]], ids=str
)
def test_no_history_rather_than_a_wrong_one(before: list[Key]):
    """A start, a second round, a gap, another scene, a scene left and taken up again, a shuffled loader."""
    model = temporal_student()
    for key in before:
        encode(model, [key])
    assert torch.equal(encode(model, [('a', 2)]), encode(temporal_student(), [('a', 2)]))


def test_a_frame_may_be_asked_for_twice():
    model = temporal_student()
    first = [encode(model, [('a', index)]) for index in range(3)][-1]
    assert torch.equal(encode(model, [('a', 2)]), first)
    twice = encode(model, [('a', 2), ('a', 2)])
    assert torch.equal(twice[:1], first) and torch.equal(twice[1:], first)
    torch.testing.assert_close(encode(model, [('a', 3)])[0], by_hand(model, [('a', i) for i in range(4)])[-1])


@pytest.mark.parametrize('switch', ['train', 'eval'])
def test_an_evaluation_does_not_leak_into_the_next(switch: str):
    model = temporal_student()
    fresh = encode(model, [('a', 4)])
    encode(model, [('a', 3)])
    assert len(model.memory) == 1
    getattr(model, switch)()
    assert len(model.memory) == 0
    assert torch.equal(encode(model.eval(), [('a', 4)]), fresh)


def test_training_does_not_touch_the_memory():
    model = temporal_student().train()
    model.forward_outputs(*queue_batch([[('a', 0), ('a', 1), ('a', 2)]]))
    assert len(model.memory) == 0


def test_memory_is_no_part_of_a_checkpoint_or_a_copy():
    """As for the averaged weights of an EMA hook, which copies the model."""
    model = temporal_student()
    names = set(model.state_dict())
    encode(model, [('a', 0)])
    assert set(model.state_dict()) == names
    assert not any('memory' in name for name, _ in [*model.named_buffers(), *model.named_modules()])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.memory is not model.memory and len(other.memory) == 0
    assert len(model.memory) == 1


def test_memory_is_bounded_by_the_batch():
    model = temporal_student()
    for scene in 'abcdefg':
        for index in range(3):
            encode(model, [(scene, index)])
    assert len(model.memory) == 2
    encode(model, [('h', 0), ('i', 0), ('j', 0)])
    assert len(model.memory) == 3


def test_stored_maps_carry_no_gradient():
    model = temporal_student()
    with torch.enable_grad():
        assert encode(model, [('a', 0)]).requires_grad
        bev = encode(model, [('a', 1)])
        bev.sum().backward()
    _, samples = frame_batch([('a', 2)])
    assert not model.memory.recall(samples[0]).bev.requires_grad


def test_without_video_test_mode_every_frame_stands_alone():
    model = temporal_student(video_test_mode=False)
    plain = temporal_student()
    for key in DRIVE:
        plain.eval()
        torch.testing.assert_close(encode(model, [key]), encode(plain, [key]))
    assert len(model.memory) == 0


def test_meta_data_stay_as_they_are():
    model = temporal_student()
    for keys in (DRIVE[:2], DRIVE[2:3]):
        inputs, samples = frame_batch(keys)
        before = copy.deepcopy([sample.metainfo for sample in samples])
        model.forward_outputs(inputs, samples)
        for sample, meta in zip(samples, before, strict=True):
            assert sample.metainfo.keys() == meta.keys()
            for name, value in meta.items():
                np.testing.assert_array_equal(sample.metainfo[name], value, err_msg=name)


def test_a_sample_without_its_place_is_refused():
    model = temporal_student()
    for name in ('scene_token', 'frame_idx', 'can_bus_absolute'):
        inputs, samples = frame_batch([('a', 0)])
        del samples[0].__dict__[name]
        samples[0]._metainfo_fields.discard(name)
        with pytest.raises(KeyError, match=f"sample a0 has no '{name}'"):
            model.forward_outputs(inputs, samples)


def test_the_data_sets_deltas_are_the_memorys(golden):
    """Test-time motion equals the motion inside a training queue, in the released form of the vehicle state too."""
    _, arrays = golden('dataset_meta')
    absolute = [arrays[f'out.{index}.can_bus'] for index in range(3)]
    relative, _ = relative_can_bus(absolute, ['A'] * 3)
    for index in (1, 2):
        _, (sample,) = frame_batch([('a', index)])
        sample.set_metainfo(dict(can_bus_absolute=absolute[index]))
        before = EncodedFrame(index - 1, absolute[index - 1], torch.zeros(1, 1))
        np.testing.assert_allclose(state_since(before, sample), relative[index], atol=1e-12)
        np.testing.assert_allclose(relative[index], arrays[f'out.union_bevformer.{index}.can_bus'], atol=1e-9)
        assert np.ptp(relative[index][3:7]) == 0
