"""`show data` on the synthetic root."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_runs import Run

from bevdistill.cli.show_data import range_of

REPO = Path(__file__).resolve().parents[2]
CONFIG = '''
_base_ = ['{base}']
default_scope = 'mmdet3d'
'''


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory, synthetic_infos: Path) -> Path:
    base = REPO / 'configs' / '_base_' / 'datasets' / 'nus-3d.py'
    path = tmp_path_factory.mktemp('config') / 'data_only.py'
    at = f'{synthetic_infos}/nuscenes_infos'
    infos = ''.join(
        f"{split}_dataloader = dict(dataset={before}ann_file='{at}_{name}.msgpack.gz'{after})\n"
        for split, name, before, after in (
            ('train', 'train', 'dict(dataset=dict(', '))'),
            ('val', 'val', 'dict(', ')'),
            ('test', 'val', 'dict(', ')'),
        )
    )
    path.write_text(CONFIG.format(base=base) + infos)
    return path


@pytest.mark.parametrize('split', ['train', 'val'])
def test_draws_pages_with_ground_truth(
    run: Run,
    config: Path,
    synthetic_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    split: str,
) -> None:
    """Also of validation, whose pipeline loads no boxes."""
    import bevdistill.visualization as visualization

    pages = []
    real = visualization.report_page
    monkeypatch.setattr(visualization, 'report_page', lambda page: pages.append(page) or real(page))
    argv = [str(config), '--out', str(tmp_path), '--split', split, '--index', '1', '--data-root', str(synthetic_root)]
    assert run('show', 'data', *argv).code == 0
    (path,) = tmp_path.glob(f'{split}_00001_*.png')
    assert cv2.imread(str(path)).std() > 10
    (page,) = pages
    assert page.frame.truth is not None
    assert len(page.predictions) == len(page.frame.truth) > 5
    assert np.all(page.predictions.scores == 1)
    assert page.limit == len(page.frame.truth)


def test_a_sample_that_is_not_there(run: Run, config: Path, synthetic_root: Path, tmp_path: Path) -> None:
    argv = [str(config), '--out', str(tmp_path), '--index', '999', '--data-root', str(synthetic_root)]
    done = run('show', 'data', *argv)
    assert done.code == 1
    assert 'error: there is no sample 999: the train data has 24' in done.err


def test_ranges() -> None:
    assert range_of({'a': None, 'b': {'point_cloud_range': (1, 2)}}) == [1, 2]
    with pytest.raises(ValueError, match='no stage of the pipeline has a point_cloud_range'):
        range_of({'a': {'type': 'x'}})
