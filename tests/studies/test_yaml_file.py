"""YAML files that are damaged, or larger than they look."""

from __future__ import annotations

from pathlib import Path

import pytest

from bevdistill.studies.yaml_file import read_yaml

GROWING = b'a0: &a0 [x,x,x,x,x,x,x,x,x]\n' + b''.join(
    f'a{i}: &a{i} [{",".join([f"*a{i - 1}"] * 9)}]\n'.encode() for i in range(1, 10)
)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'\xff\xfe\x00', 'is not YAML'), (b'[' * 900, 'is not YAML'), (b'a: [1\nb: }', 'is not YAML'),
        (b'a: 2026-13-01', 'is not YAML: month must be'), (b'!!python/object/apply:os.getcwd []', 'is not YAML'),
        (b'seeds: [1]\na: {b: 1, b: 2}', "is not YAML: 'b' stands twice in one mapping"),
        (GROWING, 'expected at most 100000 entries, found more'), (b'&a [*a]', 'expected at most 100000 entries'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / 'study.yml').write_bytes(content)
    with pytest.raises(ValueError, match=rf'study\.yml:? {message}'):
        read_yaml(tmp_path / 'study.yml')


def test_anchors_are_fine(tmp_path: Path) -> None:
    (tmp_path / 'study.yml').write_text('a: &a [1, {b: 2}]\nc: [*a, *a]\n')
    assert read_yaml(tmp_path / 'study.yml')['c'] == [[1, {'b': 2}]] * 2


def test_a_mapping_may_change_what_it_takes_over_and_be_taken_over_itself(tmp_path: Path) -> None:
    file = tmp_path / 'study.yml'
    file.write_text('rows:\n- overrides: &changed {<<: &base {lr: 1, wd: 0}, lr: 2}\nlater: {<<: *changed, wd: 3}\n')
    tree = read_yaml(file)
    assert tree['rows'][0]['overrides'] == {'lr': 2, 'wd': 0}
    assert tree['later'] == {'lr': 2, 'wd': 3}
