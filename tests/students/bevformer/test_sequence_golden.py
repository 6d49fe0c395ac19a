"""A drive of five frames with a scene change against the original detector: states in testing, history in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from student_configs import small
from torch import Tensor

from bevdistill.structures.ego_state import relative_can_bus
from bevdistill.students import BEVFormer
from bevdistill.students.bevformer import FrameGeometry
from bevdistill.students.bevformer.ego_motion import ego_shift, rotate_history
from bevdistill.students.bevformer.history import state_since

CHECK = dict(atol=1e-4, rtol=1e-4)


@pytest.fixture
def recorded(golden) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return golden('detector_sequence')


@pytest.fixture
def model(recorded, make_head) -> BEVFormer:
    """The recorded head behind a backbone that finds the recorded features by the number in the first pixel."""
    _, arrays = recorded
    model = MODELS.build({**small(), 'queue_length': 4}).eval()
    model.pts_bbox_head = make_head(rotate_center=[4, 5])
    head = {name.removeprefix('w.'): torch.from_numpy(value) for name, value in arrays.items() if name[:2] == 'w.'}
    body = {name: value for name, value in model.state_dict().items() if name.startswith('img_')}
    model.load_state_dict(head | body)

    def features(imgs: Tensor) -> list[Tensor]:
        numbers = imgs[:, 0, 0, 0, 0].int().tolist()
        levels = ([arrays[f'in.{number}.mlvl_feats_{level}'] for number in numbers] for level in range(2))
        return [torch.from_numpy(np.concatenate(level)) for level in levels]

    model.extract_feat = features
    return model


def images(numbers: list[int]) -> Tensor:
    """(1, T, N, 3, 1, 1) whose pixels hold the number of the frame."""
    return torch.tensor(numbers, dtype=torch.float32)[None, :, None, None, None, None].expand(1, -1, 3, 3, 1, 1)


def sample(recorded, number: int) -> Det3DDataSample:
    meta, arrays = recorded
    scenes = meta['config']['scenes']
    return Det3DDataSample(
        metainfo=dict(
            token=str(number),
            scene_token=scenes[number],
            frame_idx=number - scenes.index(scenes[number]),
            lidar2img=arrays['in.lidar2img'],
            can_bus=arrays[f'in.{number}.can_bus'][None],
            can_bus_absolute=arrays[f'in.{number}.can_bus'],
            batch_input_shape=(96, 160),
        )
    )


def check_frame(recorded, old_convention, model: BEVFormer, number: int, outputs: Any, bev: Tensor) -> float:
    """Compare one frame with the recording; returns the largest difference of maps and logits."""
    _, arrays = recorded
    want = {name: torch.from_numpy(arrays[f'out.{number}.{name}']) for name in WANTED}
    torch.testing.assert_close(bev, want['bev_embed'].transpose(0, 1), **CHECK)
    torch.testing.assert_close(outputs.logits, want['all_cls_scores'], **CHECK)
    torch.testing.assert_close(outputs.codes, want['all_bbox_preds'], **CHECK)
    coder = model.pts_bbox_head.coder
    ((boxes, scores, labels),) = coder.decode(outputs.logits[-1], old_convention.codes(outputs.codes[-1]))
    expected = old_convention.boxes(want['boxes'])
    expected[:, 2] += expected[:, 5] / 2
    assert torch.equal(labels, want['labels'])
    torch.testing.assert_close(scores, want['scores'], **CHECK)
    torch.testing.assert_close(boxes[:, [0, 1, 2, 3, 4, 5, 7, 8]], expected[:, [0, 1, 2, 3, 4, 5, 7, 8]], **CHECK)
    torch.testing.assert_close((boxes[:, 6] - expected[:, 6]).cos(), torch.ones(len(expected)))
    return max(
        float((bev - want['bev_embed'].transpose(0, 1)).abs().max()),
        float((outputs.logits - want['all_cls_scores']).abs().max()),
    )


WANTED = ('bev_embed', 'all_cls_scores', 'all_bbox_preds', 'boxes', 'scores', 'labels')


@torch.no_grad()
def test_testing_frame_by_frame(recorded, old_convention, model, record_property):
    _, arrays = recorded
    worst = 0.0
    for number in range(5):
        current = sample(recorded, number)
        before = model.memory.recall(current)
        state = state_since(before, current)
        np.testing.assert_allclose(state, arrays[f'out.{number}.can_bus_used'], atol=1e-9)
        frames = FrameGeometry.from_samples([current])
        shift = ego_shift(torch.from_numpy(state)[None].float(), model.grid)
        torch.testing.assert_close(shift, torch.from_numpy(arrays[f'out.{number}.shift']), atol=1e-5, rtol=1e-4)
        assert (before is None) == (f'out.{number}.prev_bev_rotated' not in arrays)
        if before is not None:
            turned = rotate_history(before.bev[None], torch.tensor([state[17]]), model.grid, [4, 5])
            want = torch.from_numpy(arrays[f'out.{number}.prev_bev_rotated']).transpose(0, 1)
            torch.testing.assert_close(turned, want, **CHECK)
        outputs = model.forward_outputs(dict(imgs=images([number])), [current])
        bev = outputs.bev.flatten(2).transpose(1, 2)
        worst = max(worst, check_frame(recorded, old_convention, model, number, outputs, bev))
        assert frames.image_size == (96, 160)
    record_property('largest error', worst)


@torch.no_grad()
def test_testing_in_one_batch(recorded, old_convention, model):
    """The original takes one sample at a time; here the five frames of two scenes are one batch."""
    numbers = [4, 0, 2, 3, 1]
    outputs = model.forward_outputs(
        dict(imgs=images(numbers).transpose(0, 1)), [sample(recorded, number) for number in numbers]
    )
    for place, number in enumerate(numbers):
        _, arrays = recorded
        want = torch.from_numpy(arrays[f'out.{number}.bev_embed'])[:, 0]
        torch.testing.assert_close(outputs.bev[place].flatten(1).T, want, **CHECK)
        logits = torch.from_numpy(arrays[f'out.{number}.all_cls_scores'])[:, 0]
        torch.testing.assert_close(outputs.logits[:, place], logits, **CHECK)


@torch.no_grad()
@pytest.mark.parametrize('frames', [[0, 1, 2], [0, 1, 2, 3]])
def test_training_history(recorded, model, monkeypatch, frames):
    """The history that the current frame, number 4, is given."""
    meta, arrays = recorded
    queue = [*frames, 4]
    absolute = [arrays[f'in.{number}.can_bus'] for number in queue]
    can_bus, continues = relative_can_bus(absolute, [meta['config']['scenes'][number] for number in queue])
    for t, number in enumerate(frames):
        np.testing.assert_allclose(can_bus[t], arrays[f'out.history_can_bus_{number}'], atol=1e-9)
    current = sample(recorded, 4)
    current.set_metainfo(
        dict(can_bus=can_bus, history_exists=continues, lidar2img=np.repeat(arrays['in.lidar2img'], len(queue), 0))
    )
    encode, past = model.pts_bbox_head.encode, []

    def spy(*args: Any) -> Tensor:
        past.append(encode(*args))
        return past[-1]

    monkeypatch.setattr(model.pts_bbox_head, 'encode', spy)
    model.encode_queue(images(queue), [current])
    name = 'out.history_' + '_'.join(map(str, frames))
    torch.testing.assert_close(past[len(frames) - 1], torch.from_numpy(arrays[name]), **CHECK)
