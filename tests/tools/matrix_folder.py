"""A matrix with stand-ins for the tools that it runs: they train nothing, and can be told to wait or to fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
if str(REPO) not in sys.path:
    sys.path.insert(0, str(REPO))

from tools.run_matrix import main  # noqa: E402

STAND_IN = '''
import json, pathlib, sys, time
words = sys.argv[1:]
here = pathlib.Path(sys.argv[0])
folder = pathlib.Path(words[words.index('--out' if here.stem == 'cache_teacher' else '--work-dir') + 1])
name = folder.name
with (here.parent / 'calls.txt').open('a') as calls:
    calls.write(f'{here.stem} {name}\\n')
if (here.parent / f'break-{here.stem}-{name}').exists():
    print('RuntimeError: this one was told to fail')
    sys.exit(3)
folder.mkdir(parents=True, exist_ok=True)
if here.stem == 'train':
    seed = int(words[words.index('--seed') + 1])
    lr = next((float(word.split('=')[1]) for word in words if word.startswith('model.lr=')), 1.0)
    steps = [int(path.stem[5:]) for path in folder.glob('iter_*.pth')]
    for step in range(max(steps, default=0) + 1, 5):
        print(f'11/22 10:00:00 - mmengine - INFO - Iter(train) [{step}/4]  eta: 0:00:07  loss: 2.5', flush=True)
        (folder / f'iter_{step}.pth').write_text(json.dumps([seed, lr, [word for word in words if 'teacher' in word]]))
        (folder / 'last_checkpoint').write_text(str(folder / f'iter_{step}.pth'))
        while step == 2 and (here.parent / f'wait-{name}').exists():
            time.sleep(0.05)
elif here.stem == 'cache_teacher':
    (folder / 'manifest.json').write_text('{}')
elif here.stem == 'test':
    seed, lr, _ = json.loads(pathlib.Path(words[1]).read_text())
    bonus = 0.5 if any('second' in word for word in words) else 0.0
    result = folder / '20260101_000000'
    while result.exists():
        result = result.with_name(str(int(result.name.replace('_', '')) + 1))
    result.mkdir()
    metrics = {'nuscenes/NDS': lr / 10 + seed / 100 + bonus, 'nuscenes/mAP': lr / 20, 'time': 0.1}
    (result / f'{result.name}.json').write_text(json.dumps(metrics))
'''

CONFIG = """
model = dict(lr=1.0, teacher_checkpoint=None, teacher_cache=None)
train_dataloader = dict(dataset=dict(data_root='x/', ann_file='nuscenes_infos_train.pkl'))
val_dataloader = test_dataloader = dict(dataset=dict(data_root='x/', ann_file='nuscenes_infos_val.pkl'))
val_evaluator = test_evaluator = dict(type='BEVNuScenesMetric', data_root='x/')
val_cfg = dict()
train_cfg = dict(max_iters=4)
"""


class Stage:
    """A matrix file, data, config, output folder and stand-in tools in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.tools = folder, folder / 'out', folder / 'tools'
        self.tools.mkdir()
        for name in ('train', 'test', 'cache_teacher'):
            (self.tools / f'{name}.py').write_text(STAND_IN)
        for world in ('data', 'second'):
            (folder / world).mkdir()
            for split in ('train', 'val'):
                (folder / world / f'nuscenes_infos_{split}.pkl').write_text(f'{world} {split}')
        (folder / 'config.py').write_text(CONFIG)
        (folder / 'teacher.py').write_text(CONFIG)
        distilled = dict(inputs={'model.teacher_checkpoint': 'teacher'}, cache='outputs', base='student')
        self.tree: dict[str, Any] = dict(
            data=str(folder / 'data'),
            second_data=str(folder / 'second'),
            seeds=[0, 1],
            overrides={'train_cfg.max_iters': 4},
            caches=dict(outputs=dict(config=self.config, checkpoint='teacher', dtype='float16')),
            rows=[
                dict(name='teacher', config=str(folder / 'teacher.py'), seeds=[0]),
                dict(name='student', config=self.config),
                dict(name='distilled', config=self.config, overrides={'model.lr': 2.0}, **distilled),
            ],
        )

    @property
    def config(self) -> str:
        return str(self.folder / 'config.py')

    def run(self, *words: str) -> int:
        """Run the tool; returns the exit status."""
        file = self.folder / 'study.yml'
        file.write_text(yaml.safe_dump(self.tree, sort_keys=False))
        return main([str(file), '--out', str(self.out), *words], tools=self.tools)

    def calls(self) -> list[str]:
        """What the stand-ins were called for since the last look, in order."""
        log = self.tools / 'calls.txt'
        found = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return found

    def tell(self, what: str) -> Path:
        """``wait-RUN`` or ``break-TOOL-RUN``; undone by removing the file."""
        (self.tools / what).touch()
        return self.tools / what

    def manifest(self) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads((self.out / 'manifest.json').read_text())
        return tree

    def jobs(self) -> dict[str, dict[str, Any]]:
        return {entry['job']: entry for entry in self.manifest()['jobs']}
