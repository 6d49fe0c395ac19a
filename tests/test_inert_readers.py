"""Nothing from outside is run: information files with a canary at every entry, and no reader in the tree that would."""

from __future__ import annotations

import ast
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import init_default_scope

from bevdistill.cli.main import main
from bevdistill.datasets import SequenceNuScenesDataset
from bevdistill.datasets.infos import write_keyframe_infos
from bevdistill.evaluation import BEVNuScenesMetric
from bevdistill.evaluation.keyframe_ap import KeyframeAP
from bevdistill.teacher_cache import Samples

REPO = Path(__file__).resolve().parents[1]
FOLDERS = ('bevdistill', 'projects', 'tools', 'benchmarks', 'docs')


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


def build(root: Path, **options: Any) -> None:
    SequenceNuScenesDataset(data_root=str(root), ann_file='infos.pkl', **options)


def score(root: Path) -> None:
    metric = BEVNuScenesMetric(str(root), ann_file='infos.pkl', format_only=True, jsonfile_prefix=str(root))
    metric.dataset_meta = {'version': 'v1.0-mini', 'classes': ['car'], 'modality': {}}
    metric.compute_metrics([])


def verb(*words: str) -> Callable[[Path], None]:
    def call(root: Path) -> None:
        (root / 'config.py').write_text(
            "test_dataloader = dict(dataset=dict(type='SequenceNuScenesDataset', ann_file='infos.pkl', "
            f"data_root='{root}', test_mode=True, pipeline=[dict(type='PointsRangeFilter', "
            "point_cloud_range=[-1, -1, -1, 1, 1, 1])]))\n"
        )
        main([word.format(root=root) for word in words])

    return call


ENTRIES: dict[str, Callable[[Path], Any]] = {
    'training': build,
    'testing and pictures of a model': lambda root: build(root, test_mode=True),
    'teacher cache': lambda root: Samples.of(dict(data_root=str(root), ann_file='infos.pkl')),
    'evaluator': score,
    'evaluator of a keyframe': lambda root: KeyframeAP(str(root / 'infos.pkl'), [-1, -1, -1, 1, 1, 1]),
    'single keyframe': lambda root: write_keyframe_infos(root, root / 'out.msgpack.gz'),
    'show data': verb('show', 'data', '{root}/config.py', '--split', 'test', '--out', '{root}/out', '--traceback'),
    'data check': verb('data', 'check', '{root}'),
}


@pytest.mark.parametrize('entry', ENTRIES)
def test_a_canary_is_refused_by_its_name_and_does_not_sing(
    entry: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init_default_scope('mmdet3d')
    content = {'metainfo': {}, 'data_list': [{'token': Canary(tmp_path / 'ran')}]}
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content))
    try:
        ENTRIES[entry](tmp_path)
        said = capsys.readouterr().out
    except ValueError as error:
        said = str(error)
    assert 'posix.mkdir' in said and 'Nothing in it was run' in said
    assert not (tmp_path / 'ran').exists()


def test_the_canary_is_alive(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / 'ran')))
    assert (tmp_path / 'ran').exists()


RUNS_CODE = {
    'pickle.load', 'pickle.loads', 'pickle.Unpickler', 'mmengine.load', 'mmengine.fileio.load', 'marshal.loads',
    'yaml.load', 'yaml.unsafe_load', 'joblib.load', 'pandas.read_pickle', 'pd.read_pickle', 'shelve.open',
    'eval', 'exec',
}  # fmt: skip
ALLOWED = {
    # Checked classes alone, see there.
    'bevdistill/datasets/infos/inert_pickle.py': {'pickle.Unpickler'},
    'bevdistill/checkpoints/foreign_file.py': {'pickle.Unpickler', 'torch.load'},
}


def readers(text: str) -> set[str]:
    """Names of the calls and bases in a file that would run what is in the file that they read."""
    tree = ast.parse(text)
    homes = {
        alias.asname or alias.name: f'{node.module}.{alias.name}'
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level for alias in node.names
    }  # fmt: skip
    found = set()
    for node in ast.walk(tree):
        names = [node.func] if isinstance(node, ast.Call) else node.bases if isinstance(node, ast.ClassDef) else []
        for name in map(ast.unparse, names):
            head, _, rest = name.partition('.')
            full = '.'.join(filter(None, (homes.get(head, head), rest)))
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}  # type: ignore[attr-defined]
            if full in RUNS_CODE or (full == 'torch.load' and options.get('weights_only') != 'True'):
                found.add(full)
            if full in ('np.load', 'numpy.load') and options.get('allow_pickle', 'False') != 'False':
                found.add(full)
    return found


@pytest.mark.parametrize(('text', 'found'), [
    ('import pickle\npickle.load(f)', {'pickle.load'}),
    ('from mmengine.fileio import load as read\nread(f)', {'mmengine.fileio.load'}),
    ('torch.load(f)', {'torch.load'}),
    ('torch.load(f, weights_only=False)', {'torch.load'}),
    ('torch.load(f, weights_only=True)', set()),
    ('np.load(f, allow_pickle=True)', {'np.load'}),
    ('class R(pickle.Unpickler): pass', {'pickle.Unpickler'}),
    ('json.loads(f)\nyaml.safe_load(f)\nnp.load(f)', set()),
])  # fmt: skip
def test_the_search_sees(text: str, found: set[str]) -> None:
    assert readers(text) == found


def test_no_other_reader_would_run_what_it_reads() -> None:
    for path in (path for folder in FOLDERS for path in sorted((REPO / folder).rglob('*.py'))):
        name = str(path.relative_to(REPO))
        assert readers(path.read_text()) <= ALLOWED.get(name, set()), name


def test_nothing_advises_to_load_without_looking() -> None:
    files = (path for folder in FOLDERS for path in (REPO / folder).rglob('*') if path.suffix in ('.py', '.md'))
    for path in files:
        if str(path.relative_to(REPO)) not in ALLOWED:
            assert 'weights_only=False' not in path.read_text(), path
