from __future__ import annotations

import json

from mmengine.config import ConfigDict

from bevdistill.teacher_cache import CacheKey

HEAD = dict(layers=2, loss=dict(type='L'), coder=dict(max_num=1))
TEACHER = dict(type='T', channels=(64, 128), head=HEAD, init_cfg=1)
VOXELS = dict(type='P', voxel=True, voxel_layer=dict(voxel_size=[0.2, 0.2, 8]), mean=[1, 2, 3])
POINTS = dict(points_sweeps=dict(type='S', sweeps_num=9))


def key(sha256: str = 'aa', teacher: object = TEACHER, voxels: object = VOXELS, points: object = POINTS) -> CacheKey:
    return CacheKey.of(sha256, teacher, voxels, points)  # type: ignore[arg-type]


def test_what_only_training_reads_does_not_count() -> None:
    other = ConfigDict(type='T', channels=[64, 128], head=dict(layers=2, loss=None, coder=dict(max_num=300)))
    own = key(teacher=other, voxels=VOXELS | dict(mean=[0, 0, 0], grid_mask=None))
    assert key().differences(own) == []
    assert key().digest() == own.digest()


def test_json_gives_the_same_key_back() -> None:
    assert CacheKey(**json.loads(json.dumps(key().to_plain()))) == key()


def test_all_differences_name_both_sides() -> None:
    other = key(
        'bb',
        TEACHER | dict(head=dict(layers=6, queries=900)),
        dict(voxel=True, voxel_layer=dict(voxel_size=[0.1, 0.1, 8])),
        dict(points_sweeps=dict(type='S', sweeps_num=1)),
    )
    assert key().differences(other) == [
        'teacher: the cache was made with the weights aa, this run names bb',
        'model.head.layers: the cache has 2, this run 6',
        'model.head.queries: the cache has nothing, this run 900',
        'voxels.voxel_layer.voxel_size: the cache has [0.2, 0.2, 8], this run [0.1, 0.1, 8]',
        'points.points_sweeps.sweeps_num: the cache has 9, this run 1',
    ]
    assert key().digest() != other.digest()


def test_what_a_side_does_not_know_is_not_compared() -> None:
    assert key().differences(CacheKey(sha256='aa')) == []
    assert key().differences(CacheKey()) == []
