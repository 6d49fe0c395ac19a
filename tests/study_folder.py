"""A study with stand-ins for the commands that it runs: they train nothing, and can be told to wait or to fail."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from bevdistill.cli import study as verb
from bevdistill.studies import run_job
from bevdistill.studies.plan import Plan

REPO = Path(__file__).resolve().parents[1]

STAND_IN = '''
import json, os, pathlib, sys, time
words = sys.argv[1:]
here = pathlib.Path(sys.argv[0])

def after(flag):
    return words[words.index(flag) + 1]

if here.stem in ('train', 'test'):
    folder = pathlib.Path(after('--work-dir'))
elif here.stem == 'create_data':
    folder = pathlib.Path(after('--root-path'))
elif here.stem == 'make_synthetic_nuscenes':
    folder = pathlib.Path(words[0])
else:
    folder = pathlib.Path(after('--out'))
name = folder.name
with (here.parent / 'calls.txt').open('a') as calls:
    calls.write(f'{here.stem} {name}\\n')
if (here.parent / f'break-{here.stem}-{name}').exists():
    print('RuntimeError: this one was told to fail')
    sys.exit(3)
folder.mkdir(parents=True, exist_ok=True)
if here.stem == 'train':
    (folder / 'threads').write_text(os.environ['OMP_NUM_THREADS'])
    seed = int(after('--seed'))
    lr = next((float(word.split('=')[1]) for word in words if word.startswith('model.lr=')), 1.0)
    steps = [int(path.stem[5:]) for path in folder.glob('iter_*.pth')]
    for step in range(max(steps, default=0) + 1, 5):
        print(f'11/22 10:00:00 - mmengine - INFO - Iter(train) [{step}/4]  eta: 0:00:07  loss: 2.5', flush=True)
        (folder / f'iter_{step}.pth').write_text(json.dumps([seed, lr, [word for word in words if 'teacher' in word]]))
        (folder / 'last_checkpoint').write_text(str(folder / f'iter_{step}.pth'))
        while step == 2 and (here.parent / f'wait-{name}').exists():
            time.sleep(0.05)
elif here.stem == 'create_data':
    for split in ('train', 'val'):
        (folder / f'nuscenes_infos_{split}.msgpack.gz').write_text(split)
elif here.stem == 'test':
    seed, lr, _ = json.loads(pathlib.Path(words[1]).read_text())
    bonus = 0.5 if any('second' in word for word in words) else 0.0
    result = folder / '20260101_000000'
    while result.exists():
        result = result.with_name(str(int(result.name.replace('_', '')) + 1))
    result.mkdir()
    metrics = {'nuscenes/NDS': lr / 10 + seed / 100 + bonus, 'nuscenes/mAP': lr / 20, 'time': 0.1}
    (result / f'{result.name}.json').write_text(json.dumps(metrics))
else:
    (folder / 'manifest.json').write_text('{}')
'''

CONFIG = """
model = dict(lr=1.0, teacher_checkpoint=None, teacher_cache=None)
train_dataloader = dict(dataset=dict(data_root='x/', ann_file='nuscenes_infos_train.msgpack.gz'))
val_dataloader = test_dataloader = dict(dataset=dict(data_root='x/', ann_file='nuscenes_infos_val.msgpack.gz'))
val_evaluator = test_evaluator = dict(type='BEVNuScenesMetric', data_root='x/')
val_cfg = dict()
train_cfg = dict(max_iters=4)
"""
EVERYTHING = [
    'train teacher_seed0', 'test teacher_seed0', 'train student_seed0', 'test student_seed0', 'train student_seed1',
    'test student_seed1', 'cache_teacher outputs', 'train distilled_seed0', 'test distilled_seed0',
    'train distilled_seed1', 'test distilled_seed1',
]  # fmt: skip


class StudyFolder:
    """A study file, data, configs, output folder and stand-in tools in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.tools = folder, folder / 'out', folder / 'tools'
        (self.tools / 'analysis_tools').mkdir(parents=True, exist_ok=True)
        tools = ('train', 'test', 'cache_teacher', 'make_synthetic_nuscenes', 'create_data', 'analysis_tools/visualize')
        for name in tools:
            (self.tools / f'{name}.py').write_text(STAND_IN)
        for world in ('data', 'second'):
            (folder / world).mkdir(exist_ok=True)
            for split in ('train', 'val'):
                (folder / world / f'nuscenes_infos_{split}.msgpack.gz').write_text(f'{world} {split}')
        (folder / 'config.py').write_text(CONFIG)
        (folder / 'teacher.py').write_text(CONFIG)
        distilled = dict(inputs={'model.teacher_checkpoint': 'teacher'}, cache='outputs', base='student')
        self.tree: dict[str, Any] = dict(
            data=str(folder / 'data'),
            held_out_data=str(folder / 'second'),
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

    def arguments(self, *words: str, action: str = 'run') -> argparse.Namespace:
        file = self.folder / 'study.yml'
        file.write_text(yaml.safe_dump(self.tree, sort_keys=False))
        parser = argparse.ArgumentParser()
        verb.add_arguments(parser)
        cores = [] if action == 'ls' or '--cores' in words else ['--cores', '1']
        places = ['--out', str(self.out), '--tools', str(self.tools)]
        return parser.parse_args([action, str(file), *places, *cores, *words])

    def run(self, *words: str, action: str = 'run') -> int:
        """Run the verb; returns its exit status, 2 for what it refuses."""
        try:
            return verb.run(self.arguments(*words, action=action))
        except (ValueError, FileNotFoundError) as error:
            print(f'study: error: {error}', file=sys.stderr)
            return 2

    def plan(self, *words: str) -> tuple[Plan, list[str]]:
        """The plan of the study, saved, and the jobs that would run; results that do not fit raise."""
        _, plan, names = verb.prepare(self.arguments(*words))
        plan.save()
        plan.check(names)
        return plan, names

    def run_plain(self, *words: str) -> dict[str, int]:
        """Run the jobs one after the other in this process, without Snakemake; returns the status of each that ran."""
        plan, names = self.plan(*words)
        statuses = {}
        for name in names:
            if not plan.folder.marker(name).exists() and all(plan.done(need) for need in plan.jobs[name].needs):
                statuses[name] = run_job.main([str(self.out), name])
        return statuses

    def records(self) -> dict[str, dict[str, Any]]:
        return {file.stem: json.loads(file.read_text()) for file in (self.out / 'records').glob('*.json')}

    def calls(self) -> list[str]:
        """What the stand-ins were called for since the last look, in order."""
        found = []
        for log in sorted(self.tools.rglob('calls.txt'), reverse=True):
            found += log.read_text().splitlines()
            log.unlink()
        return found

    def tell(self, what: str) -> Path:
        """Tell a stand-in ``wait-RUN`` or ``break-TOOL-RUN``; undone by removing the file."""
        (self.tools / what).touch()
        return self.tools / what

    def manifest(self) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads((self.out / 'manifest.json').read_text())
        return tree

    def jobs(self) -> dict[str, dict[str, Any]]:
        return {entry['job']: entry for entry in self.manifest()['jobs']}
