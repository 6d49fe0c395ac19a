"""JSON files that were cut off, emptied or exchanged are told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bevdistill.json_file import each_once, read_json_object
from bevdistill.studies.plan import Plan
from bevdistill.studies.results import read_manifests


@pytest.mark.parametrize(('content', 'found'), [
    ('', 'an empty file'), ('{"a": 1', r"Expecting ',' delimiter: .* in 7 bytes"), ('\0\0', 'Expecting value'),
    ('[1]', 'a list'), ('{"a": 1}', 'one without b'), ('[' * 100_000, 'recursion'),
])  # fmt: skip
def test_what_is_damaged(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / 'x.json').write_text(content)
    with pytest.raises(ValueError, match=rf'x.json: expected a whole JSON object, .*{found}.*. Copy it') as refused:
        read_json_object(tmp_path / 'x.json', 'a', 'b', advice='Copy it')
    assert '\n' not in str(refused.value)


def test_what_is_whole(tmp_path: Path) -> None:
    (tmp_path / 'x.json').write_text(json.dumps({'a': 1, 'b': [2]}))
    assert read_json_object(tmp_path / 'x.json', 'a', advice='') == {'a': 1, 'b': [2]}
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / 'y.json', advice='')


def test_manifests_and_plans_of_studies(tmp_path: Path) -> None:
    (tmp_path / 'manifest.json').write_text('{"rows": [')
    with pytest.raises(ValueError, match=r'manifest\.json: expected a whole JSON object, found .*Copy it again'):
        read_manifests([tmp_path / 'manifest.json'])
    (tmp_path / 'jobs.json').write_text('{"jobs": {}}')
    with pytest.raises(ValueError, match=r'jobs\.json: .*one without configs, stale, code\. Start the study again'):
        Plan.load(tmp_path)


@pytest.mark.parametrize(('text', 'name'), [
    ('{"a": 1, "b": 2, "a": 3}', 'a'), ('{"x": {"b": 1, "b": 1}}', 'b'), ('[{"a": 1}, {"c": 1, "c": 2}]', 'c'),
])  # fmt: skip
def test_names_that_stand_twice(text: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"^'{name}' stands twice in one object$"):
        json.loads(text, object_pairs_hook=each_once)


def test_names_that_stand_once_each() -> None:
    text = '{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}], "c": {}}'
    assert json.loads(text, object_pairs_hook=each_once) == json.loads(text)
