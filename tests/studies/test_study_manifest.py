"""Manifests of studies whose entries are not what they should be: each is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bevdistill.studies.manifest import read_manifest
from bevdistill.studies.results import read_manifests

MANIFESTS = sorted((Path(__file__).resolve().parents[2] / 'docs/results').glob('*_manifest.json'))
Tree = dict[str, Any]


def good() -> Tree:
    run = dict(
        job='a_seed0', kind='run', row='a', seed=0, state='done', metrics={'NDS': 0.5}, attempts=[],
        identity=dict(config='c', code='d', data='e', inputs={}),
    )  # fmt: skip
    cache = dict(job='cache', kind='cache', row=None, seed=None, state='done')
    return dict(rows=[dict(name='a', title='A', base=None)], metrics=['NDS'], jobs=[cache, run])


@pytest.mark.parametrize('file', MANIFESTS, ids=lambda file: file.stem)
def test_those_of_earlier_studies_are_right(file: Path) -> None:
    assert read_manifest(file)['rows']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda t: t.update(rows='x'), "rows: expected a list, found 'x'"),
        (lambda t: t.update(metrics=[1]), r'metrics: expected a list of names, found \[1\]'),
        (lambda t: t.update(parts={'a': 1}), 'parts: expected hashes by file'),
        (lambda t: t['rows'][0].pop('name'), r'rows\.0\.name: expected text, found None'),
        (lambda t: t['rows'].append(3), r'rows\.1: expected named entries, found 3'),
        (lambda t: t['jobs'].append('x'), r"jobs\.2: expected named entries, found 'x'"),
        (lambda t: t['jobs'][1].update(seed='x'), r"jobs\.1\.seed: expected a whole number from 0 on.*, found 'x'"),
        (lambda t: t['jobs'][1].update(seed=2**70), r'jobs\.1\.seed: '),
        (lambda t: t['jobs'][1].pop('row'), r'jobs\.1\.row: expected text, found None'),
        (lambda t: t['jobs'][1].update(metrics={'NDS': 'good'}), r'jobs\.1\.metrics: expected numbers by name'),
        (lambda t: t['jobs'][1].update(metrics={'NDS': float('inf')}), r'jobs\.1\.metrics: expected numbers by name'),
        (lambda t: t['jobs'][1].update(metrics={'NDS': 10**400}), r'jobs\.1\.metrics: expected numbers by name'),
        (lambda t: t['jobs'][1].update(metrics={'row': 1}), r'metrics: expected .*other names than row, seconds, seed'),
        (lambda t: t['jobs'][1].update(identity=[1]), r'jobs\.1\.identity: expected named entries'),
        (lambda t: t['jobs'][1]['identity'].update(inputs={'a': 1}), r'identity\.inputs: expected hashes by name'),
        (lambda t: t['jobs'][1].update(attempts=3), r'jobs\.1\.attempts: expected a list, found 3'),
        (lambda t: t['jobs'][1].update(attempts=[{'stage': 'train'}]), r'attempts\.0\.wall_s: expected seconds'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Callable[[Tree], Any], message: str) -> None:
    tree = good()
    change(tree)
    (tmp_path / 'm.json').write_text(json.dumps(tree))
    with pytest.raises(ValueError, match=rf'm\.json: .*{message}.*Copy it again') as refused:
        read_manifests([tmp_path / 'm.json'])
    assert '\n' not in str(refused.value)


def test_runs_of_no_row_are_none(tmp_path: Path) -> None:
    (tmp_path / 'm.json').write_text(json.dumps(good() | dict(rows=[])))
    with pytest.raises(ValueError, match=r'm\.json: no run is done'):
        read_manifests([tmp_path / 'm.json'])
