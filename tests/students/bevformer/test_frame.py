"""Calibration and vehicle state of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bevdistill.students.bevformer import FrameGeometry


def test_last_entry_of_every_queue(make_batch):
    _, samples = make_batch([0, 0], queue=3, num_cams=5, height=32, width=48)
    frames = FrameGeometry.from_samples(samples)
    assert frames.lidar2img.shape == (2, 5, 4, 4) and frames.lidar2img.dtype == torch.float32
    assert frames.image_size == (32, 48)
    for b in range(2):
        assert np.array_equal(frames.lidar2img[b].numpy(), samples[b].lidar2img[2])
        assert np.array_equal(frames.can_bus[b].numpy(), samples[b].can_bus[2])
    first = FrameGeometry.from_samples(samples, index=0)
    assert np.array_equal(first.can_bus[1].numpy(), samples[1].can_bus[0])


def test_without_motion_keeps_the_rest(make_batch):
    _, samples = make_batch([0])
    frames = FrameGeometry.from_samples(samples)
    still = frames.without_motion()
    assert not still.can_bus[:, [0, 1, 2, 17]].any()
    assert torch.equal(still.can_bus[:, 3:17], frames.can_bus[:, 3:17])
    assert frames.can_bus[:, :3].any()


def test_messages(make_batch):
    _, samples = make_batch([0])
    samples[0].set_metainfo(dict(lidar2img=np.zeros((1, 3, 3, 4))))
    with pytest.raises(ValueError, match=r"token0: 'lidar2img' must be \(queue, ..., 4, 4\), got \(1, 3, 3, 4\)"):
        FrameGeometry.from_samples(samples)
    del samples[0].lidar2img
    with pytest.raises(KeyError, match="token0 has no 'lidar2img'"):
        FrameGeometry.from_samples(samples)
