"""Backbones from files in the public formats: loaded whole, or refused with what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from public_files import (
    Detector,
    Files,
    check_equal,
    fcos3d_file,
    initialised,
    mmpretrain_file,
    resnet,
    torchvision_file,
    weights_of,
)
from torch import Tensor, nn

import bevdistill  # noqa: F401
from bevdistill.checkpoints import build_part

NECK = dict(type='mmdet.FPN', in_channels=[2], out_channels=2, num_outs=1)


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmdet3d')


@pytest.mark.parametrize('old', [True, False])
@pytest.mark.parametrize('depth', [50, 101])
def test_torchvision(tmp_path: Path, depth: int, old: bool) -> None:
    made = torchvision_file(tmp_path / 'resnet.pth', depth, old)
    detector, log = initialised(resnet(depth), tmp_path / 'resnet.pth')
    check_equal(detector, made['weights'])
    assert 'left over in the file: 2: fc.weight, fc.bias' in log
    assert 'not in the file' not in log


def test_torchvision_into_deformable_convolutions(tmp_path: Path) -> None:
    made = torchvision_file(tmp_path / 'resnet.pth')
    detector, log = initialised(resnet(dcn=True), tmp_path / 'resnet.pth')
    own = detector.img_backbone.state_dict()
    offsets = [name for name in own if '.conv_offset.' in name]
    assert len(offsets) == 18 and not any(own[name].any() for name in offsets)
    assert all(torch.equal(own[name], value) for name, value in made['weights'].items() if name in own)
    assert 'not in the file, as at the start: 18: layer3.0.conv2.conv_offset.weight' in log


@pytest.mark.parametrize('prefix', ['backbone.', 'backbone'])
def test_mmpretrain(tmp_path: Path, prefix: str) -> None:
    made = mmpretrain_file(tmp_path / 'resnet.pth')
    detector, log = initialised(resnet(), tmp_path / 'resnet.pth', prefix=prefix)
    check_equal(detector, made['weights'])
    assert 'left over' not in log and 'img_backbone: 318 weights from' in log


@pytest.mark.parametrize('prefix', ['backbone.', 'img_backbone.'])
@pytest.mark.parametrize('depth', [50, 101])
def test_fcos3d(tmp_path: Path, prefix: str, depth: int) -> None:
    made = fcos3d_file(tmp_path / 'fcos3d.pth', prefix, depth)
    style = dict(style='caffe') if depth == 101 else {}
    detector, log = initialised(resnet(depth, dcn=True, **style), tmp_path / 'fcos3d.pth', prefix=prefix)
    check_equal(detector, made['weights'], but='never')
    assert f'img_backbone: {336 if depth == 50 else 676} weights' in log
    assert 'not read, and not needed: ' in log and 'numpy' in log


@pytest.mark.parametrize(
    ('make', 'config', 'init', 'message'),
    [
        (mmpretrain_file, resnet(), {}, r"no weight of it\. Set prefix='backbone\.' in img_backbone\.init_cfg"),
        (fcos3d_file, resnet(101, True), dict(prefix='img_backbone.'), r"below 'img_backbone\.' has no .*'backbone\.'"),
        (torchvision_file, resnet(), dict(prefix='backbone.'), r'Leave prefix out of img_backbone\.init_cfg'),
        (torchvision_file, NECK, {}, r'Names in the file start with conv1, bn1, layer1'),
        (torchvision_file, resnet(101), {}, r'255 weights missing in the file: layer3\.6\.conv1\.weight'),
        (fcos3d_file, resnet(50, True), dict(prefix='backbone.'), r'340 weights of the file unknown to img_backbone'),
        (fcos3d_file, resnet(101), dict(prefix='backbone.'), r'52 weights of the file unknown .*conv_offset'),
        (torchvision_file, resnet(base_channels=4), {}, r' of other shapes: conv1\.weight \(2, 3, 7, 7\) in the file'),
    ],
    ids=['no prefix', 'wrong prefix', 'needless prefix', 'other part', 'too deep', 'too flat', 'no dcn', 'shapes'],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, make: Callable[[Path], Files], config: dict[str, Any], init: dict[str, Any], message: str
) -> None:
    make(tmp_path / 'file.pth')
    with pytest.raises(ValueError, match=rf'(?s)pretrained checkpoint \S*file\.pth of img_backbone.*{message}'):
        initialised(config, tmp_path / 'file.pth', **init)


def test_a_deep_file_in_a_flat_backbone(tmp_path: Path) -> None:
    torchvision_file(tmp_path / 'r101.pth', 101)
    message = r'does not fit:\n +\d+ weights of the file unknown.*layer3\.6'
    with pytest.raises(ValueError, match=message):
        initialised(resnet(50), tmp_path / 'r101.pth')


def test_what_may_be_missing_is_named(tmp_path: Path) -> None:
    weights = weights_of(resnet())
    del weights['layer4.2.bn3.weight'], weights['layer4.2.bn3.bias']
    torch.save(weights, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r'2 weights missing in the file: layer4\.2\.bn3\.weight'):
        initialised(resnet(), tmp_path / 'part.pth')
    _, log = initialised(resnet(), tmp_path / 'part.pth', allow_missing=['layer4.2.bn3.*'])
    assert 'not in the file, as at the start: 2: layer4.2.bn3.weight' in log


def test_what_may_be_missing_may_have_another_shape(tmp_path: Path) -> None:
    weights = weights_of(resnet())
    weights['layer4.2.bn3.weight'] = torch.ones(5)
    torch.save(weights, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r'1 weight of other shapes: layer4\.2\.bn3\.weight'):
        initialised(resnet(), tmp_path / 'part.pth')
    _, log = initialised(resnet(), tmp_path / 'part.pth', allow_missing=['layer4.2.bn3.*'])
    assert 'of another shape in the file, as at the start: 1: layer4.2.bn3.weight' in log


def of_the_authors(name: str, value: Tensor) -> tuple[str, Tensor]:
    """A weight of mmdet's Swin as its authors' file has it: their names, and patches merged column by column."""
    if 'downsample' in name:
        *rows, width = value.shape
        value = value.reshape(*rows, width // 4, 4).transpose(-1, -2)[..., [0, 2, 1, 3], :].reshape(*rows, width)
    for ours, theirs in (
        ('stages', 'layers'), ('attn.w_msa.', 'attn.'), ('ffn.layers.0.0.', 'mlp.fc1.'), ('ffn.layers.1.', 'mlp.fc2.'),
        ('projection', 'proj'),
    ):  # fmt: skip
        name = name.replace(ours, theirs)
    return name, value


def test_layout_of_the_authors_where_mmdet_converts_it(tmp_path: Path) -> None:
    swin = dict(type='mmdet.SwinTransformer', embed_dims=4, depths=(1, 1), num_heads=(1, 1), strides=(4, 2),
                out_indices=(0, 1), window_size=2, convert_weights=True)  # fmt: skip
    wanted = {name: torch.rand_like(value) if value.is_floating_point() else value
              for name, value in MODELS.build(swin).state_dict().items()}  # fmt: skip
    own_norms = ('norm0.', 'norm1.')
    theirs = dict(of_the_authors(*item) for item in wanted.items() if not item[0].startswith(own_norms))
    torch.save(dict(model=theirs), tmp_path / 'swin.pth')
    torch.save(dict(state_dict=wanted), tmp_path / 'mmdet.pth')
    for file in ('swin.pth', 'mmdet.pth'):
        detector, _ = initialised(swin, tmp_path / file, allow_missing=['norm?.*'])
        for name, value in detector.img_backbone.state_dict().items():
            assert name.startswith(own_norms) or torch.equal(value, wanted[name]), name


def test_what_may_be_left_over_is_named(tmp_path: Path) -> None:
    """A neck of four levels from a file with five."""
    levels = [dict(NECK, num_outs=number, add_extra_convs='on_output') for number in (4, 5)]
    state = {f'neck.{name}': value for name, value in weights_of(levels[1]).items()}
    torch.save(dict(state_dict=state), tmp_path / 'neck.pth')
    with pytest.raises(ValueError, match=r'2 weights of the file unknown to img_backbone: fpn_convs\.4\.conv\.weight'):
        initialised(levels[0], tmp_path / 'neck.pth', prefix='neck.')
    detector, log = initialised(
        levels[0], tmp_path / 'neck.pth', prefix='neck.', allow_unexpected=['fpn_convs.4.*']
    )
    assert torch.equal(detector.img_backbone.fpn_convs[3].conv.bias, state['neck.fpn_convs.3.conv.bias'])
    assert 'left over in the file: 2: fpn_convs.4.conv.weight' in log


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched once into torch's cache; where there is no network, the error says where to put the file."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    made = fcos3d_file(tmp_path / 'source.pth')
    fetched: list[str] = []

    def fetch(address: str, target: str, progress: bool) -> None:
        fetched.append(address)
        shutil.copy(tmp_path / 'source.pth', target)

    monkeypatch.setattr(torch.hub, 'download_url_to_file', fetch)
    for _ in range(2):
        detector, _ = initialised(resnet(101, True), 'https://example.org/a/fcos3d.pth?x=1', prefix='backbone.')
        check_equal(detector, made['weights'], but='never')
    assert fetched == ['https://example.org/a/fcos3d.pth?x=1']

    def fail(address: str, target: str, progress: bool) -> None:
        raise URLError('no network')

    monkeypatch.setattr(torch.hub, 'download_url_to_file', fail)
    with pytest.raises(ValueError, match=r'cannot download https://example\.org/b\.pth .*Put the file into .*'):
        initialised(resnet(), 'https://example.org/b.pth')


def test_parts_that_take_no_init_cfg_or_ignore_it(tmp_path: Path) -> None:
    second = dict(type='SECOND', in_channels=2, out_channels=[4], layer_nums=[1], layer_strides=[1])
    pillars = dict(type='FlatPillarFeatureNet', in_channels=5, feat_channels=[8])
    for config in (second, pillars):
        file = tmp_path / f'{config["type"]}.pth'
        weights = weights_of(config)
        torch.save({f'pts.{name}': value for name, value in weights.items()}, file)
        init = dict(type='Pretrained', checkpoint=str(file), prefix='pts.')
        detector = Detector(resnet())
        detector.img_backbone = build_part(dict(config, init_cfg=init))
        detector.init_weights()
        check_equal(detector, weights)


def test_configs_with_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\['prefixx'\] in img_backbone\.init_cfg of type Pretrained; .*'prefix'"):
        initialised(resnet(), tmp_path / 'x.pth', prefixx='backbone.')
    with pytest.raises(ValueError, match=r"img_backbone\.init_cfg of type Pretrained must name a checkpoint, got "):
        initialised(resnet(), '')
    with pytest.raises(FileNotFoundError, match=r'img_backbone starts from .*x\.pth, .*img_backbone\.init_cfg=None'):
        initialised(resnet(), tmp_path / 'x.pth')


def test_a_whole_detector_is_refused_while_its_boxes_are_old(tmp_path: Path) -> None:
    class Whole(Detector):
        def __init__(self, **options: Any) -> None:
            super().__init__(resnet(), **options)
            self.pts_bbox_head = nn.Linear(2, 2)

    file = tmp_path / 'whole.pth'
    torch.save(dict(state_dict=Whole().state_dict(), meta=dict(mmdet3d_version='0.17.1')), file)
    with pytest.raises(ValueError, match=r'(?s)checkpoint \S*whole\.pth of Whole: .*convert_official\.py'):
        Whole(init_cfg=dict(type='Pretrained', checkpoint=str(file))).init_weights()
    torch.save(dict(state_dict=Whole().state_dict(), meta=dict(bevdistill={})), file)
    Whole(init_cfg=dict(type='Pretrained', checkpoint=str(file))).init_weights()


def test_other_entries_of_init_cfg_come_first(tmp_path: Path) -> None:
    made = torchvision_file(tmp_path / 'resnet.pth')
    others = [dict(type='Constant', layer='Conv2d', val=7.0)]
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'resnet.pth'))
    detector = Detector(resnet(init_cfg=[pretrained, *others]))
    detector.init_weights()
    check_equal(detector, made['weights'])
    assert detector.img_backbone.init_cfg == others
