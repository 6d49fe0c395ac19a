"""Settings that are wrong: configs, overrides, arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.case import COMPARE, CREATE, SCORE, TRAIN, Case

CHANGED = ['train', 'changed.py', '--work-dir', 'fresh']
DESCRIBE = ['describe', 'changed.py', '--no-flops']
TOKEN = ['predict', 'tiny.py', 'distiller.pth', '--token', 'a', '--out', 'found']


def config(text: str, base: str = 'student') -> Callable[[], Any]:
    """A config that inherits the good one and adds some lines."""
    text = text if text.startswith('_base_') else f"_base_ = ['{base}.py']\n{text}"
    return lambda: Path('changed.py').write_text(f'{text}\n')


CONFIGS = {
    'syntax': 'model = dict(', 'bytes': '\0', 'a name that is not known': 'model = dict(type=Nothing)',
    'an unknown type': "model = dict(type='BEVFormor')", 'a type that is a number': 'model = dict(type=3)',
    'an argument that does not exist': 'model = dict(quene_length=2)',
    'a misspelt top-level key': 'optim_wraper = dict(optimizer=dict(lr=1.0))',
    'keys of mmdetection3d 0.x': "_base_ = []\nmodel = dict(type='BEVFormer')\ndata = dict(samples_per_gpu=1)",
    'a base that is not there': "_base_ = ['absent.py']", 'itself as base': "_base_ = ['changed.py']",
    'no model': "_base_ = []\ntrain_cfg = dict()", 'a model that is text': "_base_ = []\nmodel = 'student'",
    'a model that is a list': '_base_ = []\nmodel = [1]', 'no data loader': 'train_dataloader = None',
    'clip below 0': 'optim_wrapper = dict(clip_grad=dict(max_norm=-1))',
    'a learning rate of text': "optim_wrapper = dict(optimizer=dict(lr='fast'))",
    'a learning rate below 0': 'optim_wrapper = dict(optimizer=dict(lr=-1.0))',
    'a learning rate of NaN': "optim_wrapper = dict(optimizer=dict(lr=float('nan')))",
    'an unknown optimizer': "optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamZ', lr=1e-3))",
    'momentum of AdamW': 'optim_wrapper = dict(optimizer=dict(momentum=0.9))',
    'betas of one': 'optim_wrapper = dict(optimizer=dict(betas=(0.9,)))',
    'betas above 1': 'optim_wrapper = dict(optimizer=dict(betas=(1.9, 0.9)))',
    'a batch of 0': 'train_dataloader = dict(batch_size=0)',
    'a batch of text': "train_dataloader = dict(batch_size='2')",
    'workers below 0': 'train_dataloader = dict(num_workers=-1)',
    'no iterations': 'train_cfg = dict(max_iters=0)', 'iterations of text': "train_cfg = dict(max_iters='ten')",
    'a grid of 0 rows': 'model = dict(pts_bbox_head=dict(grid=dict(rows=0)))',
    'a grid of half a row': 'model = dict(pts_bbox_head=dict(grid=dict(rows=7.5)))',
    'a range that is reversed': 'model = dict(pts_bbox_head=dict(grid=dict(point_cloud_range=[9, 9, 3, -9, -9, -5])))',
    'no queries': 'model = dict(pts_bbox_head=dict(num_queries=0))',
    'no classes': 'model = dict(pts_bbox_head=dict(num_classes=0))',
    'classes below 0': 'model = dict(pts_bbox_head=dict(num_classes=-3))',
    'more classes than names': 'model = dict(pts_bbox_head=dict(num_classes=11))',
    'channels that heads do not divide': 'model = dict(pts_bbox_head=dict(embed_dims=63))',
    'a queue of 0': 'train_dataloader = dict(dataset=dict(dataset=dict(queue_length=0)))',
    'an unknown queue rule': "train_dataloader = dict(dataset=dict(dataset=dict(queue_rule='any')))",
    'a class that is not there': "train_dataloader = dict(dataset=dict(dataset=dict(metainfo=dict(classes=['cat']))))",
    'a camera that is not there': "train_dataloader = dict(dataset=dict(dataset=dict(cameras=['FRONT'])))",
    'no stages': 'train_dataloader = dict(dataset=dict(dataset=dict(pipeline=dict(_delete_=True))))',
    'a sampler that is not known': "train_dataloader = dict(sampler=dict(type='Samplor'))",
    'no data root': "train_dataloader = dict(dataset=dict(dataset=dict(data_root='absent')))",
    'scale of 0': 'train_dataloader = dict(dataset=dict(dataset=dict(pipeline=dict(images=dict(transforms=dict('
    'resize=dict(scale=0.0)))))))',
    'scale below 0': 'train_dataloader = dict(dataset=dict(dataset=dict(pipeline=dict(images=dict(transforms=dict('
    'resize=dict(scale=-1.0)))))))',
    'a hook that is not known': "custom_hooks = [dict(type='Hok')]", 'hooks that are text': "custom_hooks = 'hook'",
    'a scheduler of nothing': 'param_scheduler = [dict()]', 'a schedule that is text': "param_scheduler = 'cosine'",
    'weights that are not there': "load_from = 'absent.pth'",
    'a module that is not there': "custom_imports = dict(imports=['absent_module'])",
    'imports that are text': "custom_imports = 'bevdistill'",
    'a seed of text': "randomness = dict(seed='x')",
    'a metric that is not known': "val_evaluator = dict(type='Metrik')",
    'a visualizer of text': "visualizer = 'local'",
}  # fmt: skip
LOSSES = {
    'an unknown loss': "model = dict(losses=dict(more=dict(type='MoreLoss')))",
    'a weight of text': "model = dict(losses=dict(dense=dict(weight='much')))",
    'a weight of NaN': "model = dict(losses=dict(dense=dict(weight=float('nan'))))",
    'a loss of an unknown key': 'model = dict(losses=dict(dense=dict(wieght=1)))',
    'a teacher of another grid': 'model = dict(teacher=dict(pts_bbox_head=dict(grid=dict(rows=16))))',
    'a teacher that is not there': "model = dict(teacher_checkpoint='absent.pth')",
    'no teacher': 'model = dict(teacher=None)',
    'a schedule of an unknown key': "model = dict(losses=dict(dense=dict(schedule=dict(begin=1))))",
}  # fmt: skip
OVERRIDES = {
    'no sign': 'model', 'no key': '=3', 'an unknown key': 'model.quene_length=2',
    'an index beyond': 'param_scheduler.9.end=3',
    'a list by name': 'param_scheduler.end=3', 'an open bracket': 'train_cfg.max_iters=[1',
    'an open quote': "work_dir='a",
    'a dict by a number': 'optim_wrapper=3', 'a variable': 'class_names=[car]',
    'below a number': 'train_cfg.max_iters.x=1',
    'what exists already': '+train_cfg.max_iters=3', 'brackets 50,000 deep': 'work_dir=' + '[' * 50_000 + ']' * 50_000,
    'a number of 10,000 digits': 'train_cfg.max_iters=' + '9' * 10_000, 'a dict of nothing': 'train_cfg=dict(=)',
    'a launcher': 'launcher=pytorch',
}  # fmt: skip
WORDS = {
    'no verb': [], 'an unknown verb': ['tran'], 'no config': ['train'],
    'a config that is not there': ['train', 'absent.py'],
    'a folder as config': ['train', 'data'], 'an image as config': ['train', 'drive/0CAM_FRONT.png'],
    'a checkpoint as config': ['train', 'student.pth'], 'an unknown flag': ['train', 'student.py', '--sede', '1'],
    'a seed of text': ['train', 'student.py', '--seed', 'x'], 'a seed below 0': ['train', 'student.py', '--seed', '-1'],
    'half precision on a CPU': ['train', 'student.py', '--amp'],
    'a checkpoint that is not there': ['test', 'student.py', 'absent.pth'],
    'a folder as checkpoint': ['test', 'student.py', 'data'],
    'a work dir that is a file': ['train', 'student.py', '--work-dir', 'student.pth'],
    'pictures of nothing': ['test', 'student.py', 'student.pth', '--score-thr', '0.3'],
    'a launcher alone': ['train', 'student.py', '--launcher', 'pytorch'],
    'a root that is not there': ['train', 'student.py', '--data-root', 'absent'],
    'an unknown version': ['data', 'create', 'nuscenes', '--root-path', 'data', '--version', 'v9'],
    'another version': ['data', 'create', 'nuscenes', '--root-path', 'data', '--version', 'v1.0-trainval'],
    'sweeps below 0': [*CREATE, '--max-sweeps', '-3'],
    'a root without files': ['data', 'check', 'drive'], 'no root': ['data', 'check', 'absent'],
    'an image to convert': ['data', 'convert', 'drive/0CAM_FRONT.png', 'out.msgpack.gz'],
    'a list to convert': ['data', 'convert', 'manifest.json', 'out.msgpack.gz'],
    'workers of text': ['data', 'check', 'data', '--workers', 'all'],
    'workers below 0': ['cache', 'distilled.py', 'teacher.pth', '--out', 'new', '--workers', '-1'],
    'a student as teacher': ['cache', 'distilled.py', 'student.pth', '--out', 'new'],
    'a cache of a student': ['cache', 'student.py', 'teacher.pth', '--out', 'new'],
    'predictions of a teacher': ['predict', 'teacher.py', 'teacher.pth', '--token', 'a', '--out', 'found'],
    'a threshold of 2': [*TOKEN, '--threshold', '2'],
    'a threshold of text': [*TOKEN, '--threshold', 'x'],
    'a token that is none': ['predict', 'student.py', 'student.pth', '--token', 'nowhere', '--out', 'found'],
    'bands that fall': [*SCORE, '--bands', '30', '10'], 'a band of NaN': [*SCORE, '--bands', '0', 'nan', '50'],
    'a range below 0': [*SCORE, '--range', '-5'], 'a range of NaN': [*SCORE, '--range', 'nan'],
    'a class that is none': [*SCORE, '--classes', 'cat'], 'a scene that is none': [*SCORE, '--scenes', 'a=b'],
    'a metric that is none': [*COMPARE, '--metrics', 'NDZ'], 'a base that is none': [*COMPARE, '--base', 'none'],
    'sorted by nothing': [*COMPARE, '--sort', 'none'],
    'an index beyond': ['show', 'data', 'student.py', '--out', 'p', '--index', '999'],
    'an index below': ['show', 'data', 'student.py', '--out', 'p', '--index', '-999'],
    'a file as folder': ['show', 'data', 'student.py', '--out', 'student.pth', '--index', '0'],
    'an export of images of 1 pixel': [
        'export', 'student.pth', 'a.onnx', '--config', 'student.py', '--image-size', '1', '1',
    ],
    'an export of a student': ['export', 'student.pth', 'alone.pth'], 'words that nothing has': ['ls', 'zzzz'],
    'a synthetic seed below 0': ['synthetic', 'made', '--preset', 'tiny', '--seed', '-1'],
    'synthetic data over a folder': ['synthetic', 'own', '--preset', 'tiny', '--overwrite'],
    'rows that are none': ['study', 'ls', 'study.yml', '--until', 'nobody'],
}  # fmt: skip

CASES = [
    *(Case('config', what, DESCRIBE if 'model' in text and 'classes than' not in what else CHANGED, config(text))
      for what, text in CONFIGS.items()),
    *(Case('config of a distillation', what, CHANGED, config(text, 'distilled'))
      for what, text in LOSSES.items()),
    *(Case('override', what, [*TRAIN, '--cfg-options', word]) for what, word in OVERRIDES.items()),
    *(Case('arguments', what, words) for what, words in WORDS.items()),
]  # fmt: skip
