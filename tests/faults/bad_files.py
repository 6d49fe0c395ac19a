"""Files of this package that are wrong: checkpoints, caches, studies, predictions, manifests, work dirs."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from faults.bad_tables import Canary
from faults.case import CACHE, CACHED, COMPARE, SCORE, TEST, Case, put
from faults.spoil import Change, all_of, in_json, raw, replaced

STUDY, ERRORS = ['study', 'ls', 'study.yml'], ['errors', *SCORE[1:]]
DIRS = ['compare', 'runs/a', 'runs/b', '--base', 'a']
EXPORT = ['export', 'distiller.pth', 'alone.pth']
CONVERT = ['convert', 'student.pth', 'converted.pth', '--kind', 'bevformer']


def in_checkpoint(file: str, change: Change) -> Callable[[], Any]:
    def spoil() -> None:
        content = torch.load(file, weights_only=True)
        found = change(content)
        content = content if found is None or isinstance(found, str | int | float) else found
        Path(file).unlink()
        torch.save(content, file)

    return spoil


def turned(content: bytes) -> bytes:
    """Turn every bit of 99 bytes, more than the space between two entries."""
    half = len(content) // 2
    return content[:half] + bytes(255 - value for value in content[half : half + 99]) + content[half + 99 :]


def broken(file: str) -> dict[str, Callable[[], Any]]:
    """Ways in which a checkpoint can be broken, or another one than is wanted."""
    path = Path(file)

    def halves(tree: Any) -> Any:
        return {name: value[: len(value) // 2] if value.dim() else value for name, value in tree.items()}

    return {
        'empty': partial(raw, file, b''), 'cut': lambda: put(path, path.read_bytes()[:-500]),
        'zeros': lambda: put(path, bytes(path.stat().st_size)),
        'bytes of its middle': partial(all_of, lambda: [path], turned),
        'text': partial(raw, file, b'hello\n' * 50), 'a web page': partial(raw, file, b'<html>Sign in</html>'),
        'a pickle that would run': lambda: put(path, pickle.dumps(Canary())),
        'an archive that would run': lambda: path.unlink() or torch.save({'state_dict': {}, 'x': Canary()}, path),
        'another archive': lambda: path.unlink() or zipfile.ZipFile(path, 'w').writestr('a.txt', 'hello'),
        'a list': in_checkpoint(file, lambda c: [1, 2]), 'a tensor': in_checkpoint(file, lambda c: torch.zeros(3)),
        'no weights': in_checkpoint(file, lambda c: c.update(state_dict={})),
        'weights as a list': in_checkpoint(file, lambda c: c.update(state_dict=[1])),
        'weights that are text': in_checkpoint(
            file, lambda c: c.update(state_dict=dict.fromkeys(c['state_dict'], 'x'))
        ),
        'half of each weight': in_checkpoint(file, lambda c: c.update(state_dict=halves(c['state_dict']))),
        'NaN': in_checkpoint(
            file, lambda c: [w.fill_(float('nan')) for w in c['state_dict'].values() if w.dim()] and None
        ),
        'another model': lambda: put(path, Path('teacher.pth').read_bytes()),
        'meta that is text': in_checkpoint(file, lambda c: c.update(meta='x')),
        'names of a wrapper': in_checkpoint(
            file, lambda c: c.update(state_dict={f'model.net.{name}': w for name, w in c['state_dict'].items()})
        ),
    }  # fmt: skip


RESUMED = broken('run/iter_1.pth') | {
    'no optimizer': in_checkpoint('run/iter_1.pth', lambda c: c.pop('optimizer') and None),
    'optimizer of another model': in_checkpoint(
        'run/iter_1.pth', lambda c: c['optimizer']['param_groups'].pop() and None
    ),
    'no schedule': in_checkpoint('run/iter_1.pth', lambda c: c.pop('param_schedulers') and None),
    'no iteration': in_checkpoint('run/iter_1.pth', lambda c: c['meta'].pop('iter') and None),
    'iteration of text': in_checkpoint('run/iter_1.pth', lambda c: c['meta'].update(iter='one')),
}


def in_manifest(change: Change) -> Callable[[], Any]:
    return partial(in_json, 'cache/manifest.json', change)


def first_record() -> Path:
    return sorted(Path('cache/records').rglob('*.bin'))[0]


CACHES: dict[str, Callable[[], Any]] = {
    'no manifest': lambda: Path('cache/manifest.json').unlink(),
    'an empty manifest': partial(raw, 'cache/manifest.json', b''),
    'a cut manifest': partial(all_of, lambda: [Path('cache/manifest.json')], lambda c: c[:200]),
    'a manifest of a list': in_manifest(lambda m: [1]), 'format 99': in_manifest(lambda m: m.update(format=99)),
    'no layout': in_manifest(lambda m: m.pop('layout') and None),
    'no key': in_manifest(lambda m: m.pop('key') and None),
    'a key of text': in_manifest(lambda m: m.update(key='x')),
    'a layout of text': in_manifest(lambda m: m.update(layout='x')),
    'a layout of nothing': in_manifest(lambda m: m.update(layout=[])),
    'a shape below 0': in_manifest(lambda m: m['layout'][0].update(shape=[-1, 2, 3])),
    'a shape of text': in_manifest(lambda m: m['layout'][0].update(shape='x')),
    'an unknown number type': in_manifest(lambda m: m['layout'][0].update(dtype='float8')),
    'an unknown tap': in_manifest(lambda m: m['layout'][0].update(tap='lidar')),
    'another entry': in_manifest(lambda m: m.update(more=1)),
    'not complete': in_manifest(lambda m: m.update(complete=False)),
    'of another teacher': in_manifest(lambda m: m['key'].update(checkpoint='0' * 64)),
    'no samples': lambda: Path('cache/samples.json').unlink(),
    'samples of a list': partial(in_json, 'cache/samples.json', lambda s: [1]),
    'a record missing': lambda: first_record().unlink(),
    'a record cut': lambda: put(first_record(), first_record().read_bytes()[:-9]),
    'a record of zeros': lambda: put(first_record(), bytes(first_record().stat().st_size)),
    'no records': lambda: shutil.rmtree('cache/records'),
}  # fmt: skip


def in_study(change: Change) -> Callable[[], Any]:
    def spoil() -> None:
        tree = yaml.safe_load(Path('study.yml').read_text())
        tree = replaced(change(tree), tree)
        put(Path('study.yml'), yaml.safe_dump(tree).encode())

    return spoil


STUDIES: dict[str, Callable[[], Any]] = {
    'missing': lambda: Path('study.yml').unlink(), 'empty': partial(raw, 'study.yml', b''),
    'a list': in_study(lambda s: [1]),
    'no YAML': partial(raw, 'study.yml', b'a: [1\nb: }'), 'bytes': partial(raw, 'study.yml', b'\xff\xfe\x00\x01'),
    'an object of Python': partial(raw, 'study.yml', b'!!python/object/apply:os.system ["touch x"]'),
    'anchors that grow': partial(raw, 'study.yml', b'a0: &a0 [x,x,x,x,x,x,x,x,x]\n' + b''.join(
        f'a{i}: &a{i} [{",".join([f"*a{i - 1}"] * 9)}]\n'.encode() for i in range(1, 10))),
    'an unknown key': in_study(lambda s: s.update(sedes=[1])), 'no rows': in_study(lambda s: s.update(rows=[])),
    'rows as an object': in_study(lambda s: s.update(rows={'a': 1})),
    'a row of text': in_study(lambda s: s['rows'].append('x')),
    'two rows alike': in_study(lambda s: s['rows'].append(s['rows'][0])),
    'a row that leads out': in_study(lambda s: s['rows'][0].update(name='../out')),
    'no config': in_study(lambda s: s['rows'][1].update(config='absent.py')),
    'seeds of text': in_study(lambda s: s.update(seeds=['a'])),
    'seeds alike': in_study(lambda s: s.update(seeds=[1, 1])),
    'a seed below 0': in_study(lambda s: s.update(seeds=[-1])),
    'an override of nothing': in_study(lambda s: s['rows'][1].update(overrides={'model.quene': 3})),
    'overrides that are text': in_study(lambda s: s['rows'][1].update(overrides='x')),
    'an override by a number': in_study(lambda s: s['rows'][1].update(overrides={3: 4})),
    'an input of nobody': in_study(lambda s: s['rows'][1].update(inputs={'model.teacher_checkpoint': 'nobody'})),
    'inputs that are numbers': in_study(lambda s: s['rows'][1].update(inputs={'model.teacher_checkpoint': 3})),
    'an unknown base': in_study(lambda s: s['rows'][1].update(base='nobody')),
    'an unknown cache': in_study(lambda s: s['rows'][1].update(cache='nothing')),
    'caches as a list': in_study(lambda s: s.update(caches=[1])),
    'metrics that are numbers': in_study(lambda s: s.update(metrics=[1])),
    'pictures below 0': in_study(lambda s: s.update(pictures=-1)),
    'minutes below 0': in_study(lambda s: s['rows'][1].update(minutes=-5)),
    'no data': in_study(lambda s: s.pop('data') and None),
}  # fmt: skip


def results(change: Change) -> Callable[[], Any]:
    return partial(in_json, 'results_nusc.json', change)


def boxes(change: Change) -> Callable[[], Any]:
    return results(lambda r: [change(box) for found in r['results'].values() for box in found] and None)


RESULTS: dict[str, Callable[[], Any]] = {
    'missing': lambda: Path('results_nusc.json').unlink(), 'empty': partial(raw, 'results_nusc.json', b''),
    'cut': partial(all_of, lambda: [Path('results_nusc.json')], lambda c: c[:300]), 'a list': results(lambda r: [1]),
    'bytes': partial(raw, 'results_nusc.json', b'\xff\xfe'),
    'a sample that is none': results(lambda r: r['results'].update(x=[])),
    'a box of text': results(lambda r: [found.append('x') for found in r['results'].values()] and None),
    'no size': boxes(lambda b: b.pop('size')), 'a size of two': boxes(lambda b: b['size'].pop()),
    'a size below 0': boxes(lambda b: b.update(size=[-1, 1, 1])),
    'a NaN': boxes(lambda b: b.update(translation=[float('nan')] * 3)),
    'a place of text': boxes(lambda b: b.update(translation=['a', 'b', 'c'])),
    'a score of 3': boxes(lambda b: b.update(detection_score=3)),
    'a score of text': boxes(lambda b: b.update(detection_score='high')),
    'an unknown class': boxes(lambda b: b.update(detection_name='cat')),
    'a rotation of zeros': boxes(lambda b: b.update(rotation=[0, 0, 0, 0])),
    'a rotation of text': boxes(lambda b: b.update(rotation='x')),
    'a velocity of text': boxes(lambda b: b.update(velocity='x')),
    "another sample's box": boxes(lambda b: b.update(sample_token='x')),
    'an attribute that is none': boxes(lambda b: b.update(attribute_name='flying')),
}  # fmt: skip


def in_table(change: Change) -> Callable[[], Any]:
    return partial(in_json, 'manifest.json', change)


MANIFESTS: dict[str, Callable[[], Any]] = {
    'missing': lambda: Path('manifest.json').unlink(), 'empty': partial(raw, 'manifest.json', b''),
    'cut': partial(all_of, lambda: [Path('manifest.json')], lambda c: c[: len(c) // 2]),
    'a list': in_table(lambda m: [1]),
    'bytes': partial(raw, 'manifest.json', b'\xff\xfe'), 'rows of text': in_table(lambda m: m.update(rows='x')),
    'jobs of numbers': in_table(lambda m: m.update(jobs=[1, 2])),
    'a row without name': in_table(lambda m: m['rows'][0].pop('name') and None),
    'a job without row': in_table(lambda m: [j.pop('row', 0) for j in m['jobs']] and None),
    'a job of no row': in_table(lambda m: [j.update(row='nobody') for j in m['jobs']] and None),
    'a seed of text': in_table(lambda m: [j.update(seed='x') for j in m['jobs']] and None),
    'metrics of text': in_table(
        lambda m: [j.update(metrics={'NDS': 'good'}) for j in m['jobs'] if j.get('metrics')] and None
    ),
    'metrics as a list': in_table(lambda m: [j.update(metrics=[1]) for j in m['jobs'] if j.get('metrics')] and None),
    'no metrics named': in_table(lambda m: m.pop('metrics') and None),
    'nothing done': in_table(lambda m: [j.update(state='failed') for j in m['jobs']] and None),
}  # fmt: skip
RUN_FOLDERS: dict[str, Callable[[], Any]] = {
    'a cut result': lambda: raw('runs/a/*/*.json', b'{"NDS": 0.'),
    'an empty result': lambda: raw('runs/a/*/*.json', b''),
    'a list': lambda: raw('runs/a/*/*.json', b'[1]'), 'bytes': lambda: raw('runs/a/*/*.json', b'\xff\xfe'),
    'numbers of text': lambda: raw('runs/a/*/*.json', b'{"nuscenes/NDS": "good"}'),
    'gone': lambda: shutil.rmtree('runs/a'),
    'a note that is broken': lambda: Path('runs/a/20260101_000000/tested.json').write_text('{"check'),
    'a note of a list': lambda: Path('runs/a/20260101_000000/tested.json').write_text('[1]'),
    'no metric and a log of bytes': lambda: (
        raw('runs/a/*/*.json', b'{}'), Path('runs/a/20260101_000000/vis_data').mkdir(),
        Path('runs/a/20260101_000000/vis_data/scalars.json').write_bytes(b'\xff\xfe\n[1]\n{"time": "x", "NDS": 1}\n'),
    ),
}  # fmt: skip

CASES = [
    *(Case('checkpoint, tested', what, TEST, spoil) for what, spoil in broken('student.pth').items()),
    *(Case('checkpoint, of a teacher', what, CACHE, spoil) for what, spoil in broken('teacher.pth').items()
      if what != 'another model'),
    *(Case('checkpoint, exported', what, EXPORT, spoil,
           harmless='what reads the student compares shapes' if 'half' in what else '')
      for what, spoil in broken('distiller.pth').items()),
    *(Case('checkpoint, converted', what, CONVERT, spoil) for what, spoil in broken('student.pth').items()),
    *(Case('checkpoint, resumed', what, ['train', 'student.py', '--work-dir', 'run', '--resume'], spoil,
           harmless='schedules are repeated up to the iteration, and the log says so' if what == 'no schedule' else '')
      for what, spoil in RESUMED.items()),
    *(Case('teacher cache', what, CACHED, spoil) for what, spoil in CACHES.items()),
    *(Case('study file', what, STUDY, spoil) for what, spoil in STUDIES.items()),
    *(Case('results file', what, SCORE if number % 2 else ERRORS, spoil)
      for number, (what, spoil) in enumerate(RESULTS.items())),
    *(Case('manifest', what, COMPARE, spoil) for what, spoil in MANIFESTS.items()),
    *(Case('work dirs', what, DIRS, spoil,
           harmless='a line that is no JSON is left out; the last validation counts, and a note says so'
           if 'log' in what else '')
      for what, spoil in RUN_FOLDERS.items()),
]  # fmt: skip
