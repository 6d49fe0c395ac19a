"""Manifests of caches whose entries are not what they should be: each is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bevdistill.teacher_cache import TeacherCache

Tree = dict[str, Any]


@pytest.fixture
def cache(save_teacher, batch, fill_cache) -> TeacherCache:
    return fill_cache(save_teacher(), batch())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda m: m.pop('layout'), 'expected all_queries, .*, found an object without layout'),
        (lambda m: m.update(more=1), 'expected .*, found an object with more'),
        (lambda m: m.update(key='x'), "key: expected entries by name, found 'x'"),
        (lambda m: m['key'].update(sha256=3), 'key.sha256: expected text, found 3'),
        (lambda m: m['key'].update(model=[1]), 'key.model: expected entries by name'),
        (lambda m: m.update(layout=[]), r'layout: expected a list of taps, found \[\]'),
        (lambda m: m['layout'].reverse(), r'layout\.0\.start: expected 0, found'),
        (lambda m: m['layout'][0].update(shape=[-1, 2, 3]), r'layout\.0: expected tap, shape, dtype and start'),
        (lambda m: m['layout'][0].update(shape='abc'), r'layout\.0: expected'),
        (lambda m: m['layout'][0].update(dtype='float8'), r'layout\.0: expected'),
        (lambda m: m['layout'][0].update(tap='lidar'), r'layout\.0: expected'),
        (lambda m: m['layout'].append(3), r'layout\.\d: expected'),
        (lambda m: m['layout'][1].update(tap='logits'), 'layout: expected logits, codes, references, then others'),
        (lambda m: m.update(queries='x'), "queries: expected a whole number, found 'x'"),
        (lambda m: m.update(teacher={'classes': [1]}), 'teacher: expected a path and classes'),
        (lambda m: m.update(infos='x'), 'infos: expected a list of digests'),
        (lambda m: m.update(complete='yes'), 'complete: expected true or false'),
    ],
)
def test_what_is_wrong_is_named(cache: TeacherCache, change: Callable[[Tree], Any], message: str) -> None:
    file = cache.folder / 'manifest.json'
    tree = json.loads(file.read_text())
    change(tree)
    file.write_text(json.dumps(tree))
    with pytest.raises(ValueError, match=rf'(?s)manifest\.json: {message}.*Make the cache anew'):
        _ = TeacherCache(cache.folder).manifest


def test_samples_have_digests(cache: TeacherCache) -> None:
    (cache.folder / 'samples.json').write_text('{"s0": 3}')
    with pytest.raises(ValueError, match=r'samples\.json: sample s0: expected a digest, found 3'):
        _ = TeacherCache(cache.folder).samples
