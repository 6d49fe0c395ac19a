"""Readers of settings and results under changes: overrides, configs, checkpoints, caches, studies, tables."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
import yaml
from faults.case import put
from faults.fuzz_data import NOTHING, TAKEN, plain, ruled
from faults.mutations import NUMBERS, OTHERS, differences, mutate, mutate_bytes
from mmdet3d.registry import MODELS
from mmengine.config import Config

from bevdistill.apis import student
from bevdistill.checkpoints.inert_loader import load_local
from bevdistill.engine.config_check import check_config
from bevdistill.engine.config_file import read_config
from bevdistill.engine.overrides import apply_overrides, parse_overrides, read_paths
from bevdistill.evaluation.nuscenes_boxes import read_results
from bevdistill.studies.results import read_manifests
from bevdistill.studies.spec import load_study
from bevdistill.studies.tables import to_text
from bevdistill.teacher_cache.storage import TeacherCache

ASKED = 'what was asked for: an entry of this name has this value'


class Overrides:
    """Words of ``--cfg-options``: right ones, and ones with letters changed."""

    letters = '=.+,[](){}"\' \\:0195e-_ax\n'

    def __init__(self) -> None:
        self.cfg = Config.fromfile('distilled.py', import_custom_modules=False)
        self.tree = self.cfg.to_dict()
        self.paths = [path for path, _ in read_paths(self.tree)]

    def __call__(self, draw: Random) -> str:
        value = repr(draw.choice((*NUMBERS, *OTHERS, 'dict(a=1)', "{'a': [1, (2, 3)]}", "[1,'a,b']")))
        word = f'{draw.choice(("", "", "", "+"))}{draw.choice(self.paths)}={value}'
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(word) + 1)
            letters = draw.choice(self.letters) * draw.choice((1, 1, 1, 40))
            word = word[:place] + letters + word[place + draw.randrange(3) :]
        cfg = Config(copy.deepcopy(self.tree))
        apply_overrides(cfg, parse_overrides([word]))
        check_config(cfg.to_dict(), 'distilled.py')
        return ASKED if next(differences(self.tree, cfg.to_dict()), None) else NOTHING


class ConfigFiles:
    """Config files with another literal somewhere, a line less, or letters changed in the middle."""

    def __init__(self) -> None:
        self.tree = Config.fromfile('student.py', import_custom_modules=False).to_dict()

    def __call__(self, draw: Random) -> str:
        tree = mutate(copy.deepcopy(self.tree), draw)
        text = ''.join(f'{key} = {value!r}\n' for key, value in tree.items()) if isinstance(tree, dict) else repr(tree)
        if draw.random() < 0.2:
            place = draw.randrange(len(text))
            text = text[:place] + draw.choice('()[]{}\'",=\n ') + text[place + 1 :]
        Path('changed.py').write_text(re.sub(r'\b(nan|inf)\b', r"float('\1')", text))
        cfg = read_config('changed.py')
        return ASKED if next(differences(self.tree, cfg.to_dict()), None) else NOTHING


class CheckpointBytes:
    """Files of weights, of which bytes are changed."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        content = dict(state_dict={f'w{i}': torch.randn(3, 4 + i) for i in range(6)}, meta=dict(epoch=3, a=['b']))
        torch.save(content, 'small.pth')
        self.good, self.tree = Path('small.pth').read_bytes(), plain(content)

    def __call__(self, draw: Random) -> str:
        put(Path('small.pth'), mutate_bytes(self.good, draw))
        found = plain(load_local('small.pth'))
        return TAKEN if next(differences(self.tree, found), None) else NOTHING


class CheckpointTrees:
    """Checkpoints of a student with other content, loaded into it."""

    def __init__(self) -> None:
        self.good = torch.load('distiller.pth', weights_only=True)
        cfg = Config.fromfile('tiny.py')
        self.model = MODELS.build({k: v for k, v in cfg.model.items() if k != 'data_preprocessor'})
        self.data = cfg.test_dataloader.dataset

    def __call__(self, draw: Random) -> str:
        content = mutate(copy.deepcopy(self.good), draw)
        weights = content.get('state_dict') if isinstance(content, dict) else None
        if isinstance(weights, dict) and draw.random() < 0.5:
            name = draw.choice(list(weights))
            value = self.good['state_dict'].get(name, torch.zeros(1))
            weights[name] = draw.choice((value * torch.nan, value.reshape(-1)[:1], value.bool(), value[None]))
        Path('changed.pth').unlink(missing_ok=True)
        torch.save(content, 'changed.pth')
        meta = student._load(self.model, 'changed.pth', 'tiny.py')
        student._classes(meta, self.data, 2)
        return NOTHING if next(differences(plain(self.good), plain(content)), None) is None else META


META = 'meta data that nothing needs, or an entry of another name beside it'


class CacheRecords:
    """Records of a teacher cache, of which bytes are changed or which change places."""

    def __init__(self) -> None:
        self.cache = TeacherCache('cache')
        self.tokens = list(self.cache.samples.digests)
        self.files = [self.cache.record_path(token) for token in self.tokens]
        self.good = [file.read_bytes() for file in self.files]

    def __call__(self, draw: Random) -> str:
        place, other = draw.randrange(len(self.files)), draw.randrange(len(self.files))
        content = self.good[other] if draw.random() < 0.1 else mutate_bytes(self.good[place], draw)
        put(self.files[place], content)
        try:
            self.cache.read(self.tokens[place])
        finally:
            put(self.files[place], self.good[place])
        return NOTHING if content == self.good[place] else TAKEN


class JSONFile:
    """A JSON file whose tree or bytes are changed."""

    file = ''
    trees = 0.8

    def __init__(self) -> None:
        self.good = json.loads(Path(self.file).read_text())

    def read(self) -> str:
        """Read the changed file; returns what it is if it is taken."""
        raise NotImplementedError

    def __call__(self, draw: Random) -> str:
        if draw.random() < self.trees:
            tree = mutate(copy.deepcopy(self.good), draw)
            content = json.dumps(tree, default=repr, skipkeys=True).encode()
        else:
            content = mutate_bytes(json.dumps(self.good).encode(), draw)
        put(Path(self.file), content)
        return self.read()


class CacheManifests(JSONFile):
    """Manifests of a cache."""

    file = 'cache/manifest.json'

    def read(self) -> str:
        cache = TeacherCache('cache')
        manifest = cache.manifest
        manifest.key.differences(manifest.key)
        assert manifest.record_bytes > 0 and manifest.layout.taps and cache.has('x') is False
        return CHECKED


CHECKED = 'compared with the run that reads it, entry by entry, or kept for people'


class Manifests(JSONFile):
    """Manifests of studies, put into a table."""

    file = 'manifest.json'

    def __init__(self) -> None:
        super().__init__()
        self.good['jobs'] = self.good['jobs'][:12]

    def read(self) -> str:
        results = read_manifests([Path(self.file)])
        results.mixed()
        to_text(results, (*results.metrics, 'seconds'))
        return SHOWN


SHOWN = 'another name or number, shown as it is'


class ResultFiles(JSONFile):
    """Predictions."""

    file = 'results_nusc.json'

    def read(self) -> str:
        results = read_results(self.file, 500)
        from nuscenes.eval.common.data_classes import EvalBoxes
        from nuscenes.eval.detection.data_classes import DetectionBox

        EvalBoxes.deserialize(results, DetectionBox)
        read = json.loads(Path(self.file).read_text())
        old, new = ([dict(token=t, boxes=b) for t, b in tree['results'].items()] for tree in (self.good, read))
        return ruled(old, new)


class Studies:
    """Study files."""

    def __init__(self) -> None:
        self.good = yaml.safe_load(Path('study.yml').read_text())
        cache = dict(config=self.good['rows'][0]['config'], checkpoint='one:0')
        self.good.update(caches=dict(c=cache), overrides={'a.b': [1, 2]})
        inputs = {'model.teacher_checkpoint': 'one:0'}
        self.good['rows'][1].update(inputs=inputs, base='one', overrides={'a': 1}, cache='c')

    def __call__(self, draw: Random) -> str:
        tree = mutate(copy.deepcopy(self.good), draw)
        text = yaml.dump(tree).encode()
        put(Path('study.yml'), mutate_bytes(text, draw) if draw.random() < 0.2 else text)
        load_study(Path('study.yml'))
        return ASKED


def sections() -> Iterator[tuple[str, type, int]]:
    """Yield what is changed, by which class, and the share of all changes, of 1,000."""
    yield 'overrides of configs', Overrides, 60
    yield 'config files', ConfigFiles, 4
    yield 'bytes of checkpoints', CheckpointBytes, 60
    yield 'content of checkpoints', CheckpointTrees, 3
    yield 'records of teacher caches', CacheRecords, 80
    yield 'manifests of teacher caches', CacheManifests, 40
    yield 'manifests of studies', Manifests, 5
    yield 'predictions', ResultFiles, 20
    yield 'study files', Studies, 8
