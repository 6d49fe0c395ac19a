"""State dicts in the form of public checkpoints."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

RESNET = ('conv1.weight', 'bn1.running_mean', 'layer1.0.conv1.weight')


def head_names(camera: bool, heatmap: bool, graph: bool = False) -> dict[str, tuple[int, ...]]:
    """Names and small shapes of a head, one per kind of weight."""
    shapes: dict[str, tuple[int, ...]] = {
        'query_embedding.weight': (5, 8),
        'transformer.reference_points.weight': (3, 4),
        'transformer.reference_points.bias': (3,),
        'transformer.level_embeds': (4, 4),
        'transformer.encoder.layers.0.attentions.0.value_proj.weight': (4, 4),
        'transformer.decoder.layers.0.ffns.0.layers.1.weight': (4, 4),
    }
    first = 'transformer.decoder.layers.0.attentions.0.'
    shapes[first + ('conv1.0.weight' if graph else 'attn.in_proj_weight')] = (4, 4)
    for layer in range(2):
        for index, rows in ((0, 4), (1, 4), (6, 10)):
            shapes |= {f'cls_branches.{layer}.{index}.{part}': (rows, 4)[: 2 - (part == 'bias')] for part in PARTS}
        for index, rows in ((0, 4), (4, 10)):
            shapes |= {f'reg_branches.{layer}.{index}.{part}': (rows, 4)[: 2 - (part == 'bias')] for part in PARTS}
    if camera:
        shapes |= {
            'bev_embedding.weight': (6, 4),
            'positional_encoding.row_embed.weight': (2, 2),
            'positional_encoding.col_embed.weight': (3, 2),
            'transformer.cams_embeds': (6, 4),
            'transformer.can_bus_mlp.0.weight': (2, 18),
            'transformer.can_bus_mlp.norm.bias': (4,),
            'code_weights': (10,),
        }
    if heatmap:
        shapes |= {
            'shared_conv.conv.weight': (4, 4, 3, 3),
            'task_heads.0.heatmap.0.conv.weight': (4, 4, 3, 3),
            'task_heads.0.heatmap.2.weight': (10, 4, 3, 3),
            'task_heads.0.heatmap.2.bias': (10,),
        }
    return {f'pts_bbox_head.{name}': shape for name, shape in shapes.items()}


PARTS = ('weight', 'bias')
CAMERA = {f'img_backbone.{name}': (4,) for name in RESNET} | {'img_neck.lateral_convs.0.conv.weight': (4, 4, 1, 1)}
LIDAR = {
    'pts_voxel_encoder.vfe_layers.0.0.weight': (4, 11),
    'pts_middle_encoder.conv_input.0.weight': (3, 3, 3, 5, 16),
    'pts_middle_encoder.conv_input.1.weight': (16,),
    'pts_middle_encoder.conv_out.0.weight': (3, 1, 1, 16, 16),
    'pts_backbone.blocks.0.0.weight': (4, 4, 3, 3),
    'pts_neck.fpn_convs.0.conv.weight': (4, 4, 3, 3),
}
CRITIC = {
    f'cl_head.{name}': (4, 4)
    for side in ('img', 'pts')
    for name in (f'{side}_projs.0.0.weight', f'encoder_{side}.0.weight', f'encoder_{side}.1.running_mean')
}
SHAPES = {
    'bevformer': CAMERA | head_names(camera=True, heatmap=False),
    'bevdistill-student': CAMERA | head_names(camera=True, heatmap=True),
    'bevdistill-teacher': LIDAR | head_names(camera=False, heatmap=True),
    'object-dgcnn': LIDAR | head_names(camera=False, heatmap=False, graph=True),
}
SHAPES['distiller'] = (
    {f'student.{name}': shape for name, shape in SHAPES['bevdistill-student'].items()}
    | {f'teacher.{name}': shape for name, shape in SHAPES['bevdistill-teacher'].items()}
    | CRITIC
)


@pytest.fixture
def official() -> Callable[[str], dict[str, Tensor]]:
    """Random weights with the names of a kind of public checkpoint and shapes of a few numbers."""
    return lambda kind: {name: torch.rand(shape) for name, shape in SHAPES[kind].items()}


@pytest.fixture
def predicting() -> Callable[[str], bool]:
    """Whether a name is that of a layer whose rows are slots of a box code or classes."""
    pattern = re.compile(r'(cls_branches\.\d\.6|reg_branches\.\d\.4|heatmap\.2)\.|code_weights')
    return lambda name: pattern.search(name) is not None
