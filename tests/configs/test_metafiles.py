"""model-index.yml and the metafiles: what they name exists, and their numbers are those of the configs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from mmengine.config import Config

REPO = Path(__file__).resolve().parents[2]
CONFIGS = REPO / 'configs'
INDEX = yaml.safe_load((REPO / 'model-index.yml').read_text())
METAFILES = {name: yaml.safe_load((REPO / name).read_text()) for name in INDEX['Import']}
MODELS = [model for metafile in METAFILES.values() for model in metafile['Models']]
SOURCES = ('from the paper (arXiv 2211.09386), not measured here', "from the authors' repository, not measured here")


def name_of(model: dict[str, Any]) -> str:
    return str(model['Name'])


def test_every_folder_of_rows_has_a_metafile_and_a_table() -> None:
    folders = {CONFIGS / name for name in ('bevformer', 'object_dgcnn', 'bevdistill')}
    projects = {file.parent for file in (REPO / 'projects').glob('*/metafile.yml')}
    assert {(REPO / name).parent for name in METAFILES} == folders | projects
    for folder in folders:
        rows = {file.name for file in folder.glob('*.py')}
        entries = METAFILES[f'configs/{folder.name}/metafile.yml']['Models']
        assert {Path(model['Config']).name for model in entries} == rows
        table = (folder / 'README.md').read_text()
        assert '| measured here |' in table
        assert {name for name in rows if '_released_' not in name} <= set(re.findall(r'^\| `(\S+\.py)`', table, re.M))
        for link in re.findall(r'\]\(([^)#:]+)\)', table):
            assert (folder / link).exists(), f'{folder.name}/README.md links to {link}'


@pytest.mark.parametrize('model', MODELS, ids=name_of)
def test_entry(model: dict[str, Any]) -> None:
    file = REPO / model['Config']
    assert file.is_file()
    assert file.stem == model['Name']
    collections = [entry for metafile in METAFILES.values() for entry in metafile['Collections']]
    (collection,) = (entry for entry in collections if entry['Name'] == model['In Collection'])
    assert (REPO / collection['README']).is_file()
    for side in ('Student', 'Teacher'):
        assert (REPO / model['Metadata'].get(side, model['Config'])).is_file()
    # None was trained here.
    assert 'Weights' not in model


@pytest.mark.parametrize('model', MODELS, ids=name_of)
def test_results_are_those_of_the_config(model: dict[str, Any]) -> None:
    header = (REPO / model['Config']).read_text().split('\n_base_')[0]
    stated = re.search(r'^# Result +NDS ([\d.]+), mAP ([\d.]+) on (nuScenes \w+)', header, re.M)
    if stated is None:
        assert 'Results' not in model
        return
    (result,) = model['Results']
    assert result['Task'] == '3D Object Detection'
    assert result['Dataset'] == stated[3]
    assert result['Metrics'] == {'NDS': float(stated[1]), 'mAP': float(stated[2])}
    assert result['Source'] in SOURCES


@pytest.mark.parametrize('model', MODELS, ids=name_of)
def test_epochs_and_batch_are_those_of_the_config(model: dict[str, Any]) -> None:
    if 'convnext' in model['Name']:
        pytest.importorskip('mmpretrain')
    cfg = Config.fromfile(REPO / model['Config'])
    assert model['Metadata']['Epochs'] == cfg.train_cfg.max_epochs
    assert model['Metadata']['Batch Size'] == 8 * cfg.train_dataloader.batch_size


def test_the_format_is_that_of_model_index() -> None:
    load_model_index = pytest.importorskip('modelindex.load_model_index')
    index = load_model_index.load(str(REPO / 'model-index.yml'))
    index.build_models_with_collections()
    index.check(silent=True)
    faults = {fault for part in (index, *index.models, *index.collections) for fault in part.check_errors}
    # Paths in it are relative to the root of the repository, as OpenMMLab has them.
    assert {fault for fault in faults if 'is not a valid file' not in fault} == set()
    assert len(index.models) == sum(len(metafile['Models']) for metafile in METAFILES.values())
