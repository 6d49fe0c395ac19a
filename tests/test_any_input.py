"""Readers of what comes from outside, under any input that hypothesis thinks of: an error for people, or nothing."""

from __future__ import annotations

import gzip
import json
import pickle
import zlib
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from own_data import made_up_sample, write_samples

from bevdistill.checkpoints.damage import damage_of
from bevdistill.datasets.contents import as_points, image_header
from bevdistill.datasets.infos.can_bus import check_messages
from bevdistill.datasets.infos.files import read_infos
from bevdistill.datasets.infos.inert_pickle import plain_unpickle
from bevdistill.datasets.infos.own import import_own_data
from bevdistill.datasets.infos.validate import faults_of
from bevdistill.engine.override_values import parse_value
from bevdistill.json_file import read_json_object

few = settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=8),
    st.sampled_from(['../x', '/dev/zero', 'nan', 1e308, 2**70]),
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope='module')
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An information file of one sample."""
    root = tmp_path_factory.mktemp('own')
    write_samples(root, [made_up_sample(root, 0)])
    return read_infos(str(import_own_data(root, [])[0]))


def paths(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all entries."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path for key, inner in items for path in ((*above, key), *paths(inner, (*above, key)))]


@few
@given(draw=st.randoms(use_true_random=False), value=TREES)
def test_a_record_with_anything_anywhere(record: dict[str, Any], draw: Random, value: Any) -> None:
    """The validator never fails; what it lets pass has the numbers of matrices and boxes where they were."""
    changed = deepcopy(record)
    sample = changed['data_list'][0]
    *above, last = draw.choice(paths(sample))
    holder = sample
    for key in above:
        holder = holder[key]
    holder[last] = value
    found = faults_of(changed)
    assert all('\n' not in str(fault) for fault in found)
    if not found:
        assert np.isfinite(np.array(sample['ego2global'], dtype=float)).all()
        assert all(len(box['bbox_3d']) == 7 for box in sample['instances'])


@few
@given(st.one_of(
    st.binary(max_size=60), TREES.map(lambda tree: pickle.dumps(tree, protocol=4)),
    TREES.map(lambda tree: gzip.compress(msgpack.packb(tree, default=str, strict_types=False)) if small(tree) else b''),
    st.binary(max_size=40).map(lambda content: b'\x80\x04' + content), st.binary(max_size=40).map(zlib.compress),
))  # fmt: skip
def test_an_information_file_of_any_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'a.pkl').write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.pkl') as refused:
        read_infos(tmp_path / 'a.pkl')
    assert '\n' not in str(refused.value)


def small(tree: Any) -> bool:
    """Whether msgpack can hold its numbers."""
    if isinstance(tree, dict | list):
        return all(map(small, tree.values() if isinstance(tree, dict) else tree))
    return not isinstance(tree, int) or abs(tree) < 2**63


@few
@given(TREES)
def test_plain_pickles_come_back(tree: Any) -> None:
    for protocol in (0, 2, 5):
        found = plain_unpickle(pickle.dumps([tree, np.float32(2), np.arange(3)], protocol=protocol))
        assert repr(found[0]) == repr(tree)
        assert found[1] == 2.0
        np.testing.assert_array_equal(found[2], [0, 1, 2])


@few
@given(st.text(max_size=40) | st.text('[](){}=,:\'" a1', max_size=40))
@example('[' * 3000)
def test_a_value_of_any_text(text: str) -> None:
    with suppress(ValueError):
        parse_value(text)


@few
@given(TREES | st.lists(st.dictionaries(st.sampled_from(['utime', 'pos', 'vel']), TREES), max_size=2))
def test_messages_of_anything(messages: Any) -> None:
    if messages != []:
        with pytest.raises(ValueError, match=r'pose\.json: .*expected .*found'):
            check_messages(messages, 'pose.json')


@few
@given(st.binary(max_size=90), st.integers(3, 8))
@example(b'', 5)
@example(np.ones(10, np.float32).tobytes(), 5)
def test_points_and_images_of_any_bytes(content: bytes, features: int) -> None:
    with suppress(ValueError):
        points = as_points(content, features)
        assert points.shape == (len(content) // (4 * features), features)
        assert np.isfinite(points).all()
    for begin in (b'', b'\xff\xd8\xff\xe0', b'\x89PNG\r\n\x1a\n', b'BM'):
        with pytest.raises(ValueError, match=r'expected .*found'):
            image_header(begin + content)


@few
@given(st.binary(max_size=60) | TREES.map(lambda tree: json.dumps(tree, default=str).encode()))
def test_a_json_file_of_any_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.json: expected a whole JSON object, found .*\. Copy it') as refused:
        read_json_object(tmp_path / 'a.json', 'a name that no tree has', advice='Copy it')
    assert '\n' not in str(refused.value)


@few
@given(st.binary(min_size=1, max_size=80) | st.binary(max_size=80).map(lambda content: b'PK\x03\x04' + content))
def test_a_checkpoint_of_any_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'a.pth').write_bytes(content)
    found = damage_of(tmp_path / 'a.pth')
    assert found is not None or content[:1] == b'\x80'  # A file from before checksums, at which torch looks.
