"""Which weights of a file fit a model, and how the differences are reported."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bevdistill.checkpoints import WeightFit, check_weights, load_weights, without_wrapper_prefix
from bevdistill.checkpoints.fit import require_own
from bevdistill.for_people import shortened


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def state(**changes: Any) -> OrderedDict[str, Any]:
    """The state of another model: entries are replaced, or left out by None; ``_`` stands for the dot."""
    weights = model().state_dict()
    for name, value in changes.items():
        weights[name[0] + '.' + name[2:]] = value
    return OrderedDict((name, value) for name, value in weights.items() if value is not None)


def by_hand(weights: dict[str, Tensor], own: dict[str, Tensor]) -> WeightFit:
    missing, unexpected, shapes = [], [], {}
    for name in own:
        if name not in weights:
            missing.append(name)
        elif list(weights[name].shape) != list(own[name].shape):
            shapes[name] = (tuple(weights[name].shape), tuple(own[name].shape))
    for name in weights:
        if name not in own:
            unexpected.append(name)
    return WeightFit(tuple(missing), tuple(unexpected), shapes)


CASES = [
    {},
    {'0_bias': None},
    {'7_bias': torch.zeros(1)},
    {'0_bias': torch.zeros(5)},
    {'0_bias': torch.zeros(()), '1_weight': torch.zeros(3, 3)},
    {'0_weight': torch.zeros(3, 9), '0_bias': None, '1_bias': None, '7_bias': torch.zeros(1), '8_x': torch.zeros(2, 1)},
]


@pytest.mark.parametrize('changes', CASES, ids=lambda case: '+'.join(case) or 'equal')
def test_loading_and_comparing_find_what_a_loop_finds(changes: dict[str, Any]) -> None:
    weights, receiver = state(**changes), model()
    expected = by_hand(weights, receiver.state_dict())
    assert WeightFit.of_states(weights, receiver.state_dict()) == expected
    before = {name: value.clone() for name, value in receiver.state_dict().items()}
    assert load_weights(receiver, weights, 'x.pth') == expected
    assert bool(expected) == (not changes)
    for name, value in receiver.state_dict().items():
        fits = name in weights and weights[name].shape == value.shape
        assert torch.equal(value, weights[name] if fits else before[name]), name
    assert sorted(weights) == sorted(state(**changes)), 'the weights themselves are not changed'


def test_report_has_a_line_for_each_kind_and_names_both_sides() -> None:
    fit = by_hand(state(**CASES[-1]), model().state_dict())
    assert fit.lines('the student', 'the teacher') == [
        '2 weights missing in the teacher: 0.bias, 1.bias',
        '2 weights of the teacher unknown to the student: 7.bias, 8.x',
        '1 weight of other shapes: 0.weight (3, 9) in the teacher, (3, 2) in the student',
    ]
    assert fit.lines(count=1)[0] == '2 weights missing in the file: 0.bias, ...'
    assert WeightFit().lines() == []
    assert shortened(['a', 'b', 'c'], 3) == 'a, b, c'
    assert shortened([], 3) == ''


def test_what_is_allowed_is_left_out() -> None:
    fit = WeightFit(('a.x', 'b.x', 'b.num_batches_tracked'), ('c.x', 'd.y'), {'e': ((1,), (2,))})
    assert fit.without() == WeightFit(('a.x', 'b.x'), fit.unexpected, fit.shapes)
    assert fit.without(['a.*'], ['?.y']) == WeightFit(('b.x',), ('c.x',), fit.shapes)
    assert not fit.without(['?.*'], ['*'])
    assert fit.without(['?.*'], ['*']).lines() == ['1 weight of other shapes: e (1,) in the file, (2,) in the model']
    assert fit.without(['?.*', 'e'], ['*'])
    assert fit.kept == ('a.x', 'b.x', 'e')


class Renaming(nn.Linear):
    """A layer that loads its weight under an earlier name too, and turns it where it is transposed."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        if f'{prefix}kernel' in state_dict:
            state_dict[f'{prefix}weight'] = state_dict.pop(f'{prefix}kernel').t()
        super()._load_from_state_dict(state_dict, prefix, *args)


def test_modules_that_rename_while_they_load_are_asked() -> None:
    receiver = Renaming(2, 3, bias=False)
    kernel = torch.rand(2, 3)
    assert load_weights(receiver, dict(kernel=kernel), 'x.pth')
    assert torch.equal(receiver.weight, kernel.t())
    assert load_weights(receiver, dict(kernel=torch.rand(4, 3)), 'x.pth').shapes == {'weight': ((3, 4), (3, 2))}


def test_errors_of_torch_about_something_else_name_the_file() -> None:
    with pytest.raises(ValueError, match=r'(?s)checkpoint x\.pth cannot be loaded: .*weight'):
        load_weights(nn.Linear(2, 3), dict(weight='text', bias=torch.zeros(3)), 'x.pth')


def test_all_differences_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r'(?s)x\.pth does not fit one\.py:\n  2 .*ing.*\n  2 .*unknown.*\n  1 ') as e:
        check_weights(model(), state(**CASES[-1]), 'x.pth', owner='one.py')
    assert 'default_hooks.checkpoint_identity.allow_missing=[...] and allow_unexpected=[...]' in str(e.value)
    check_weights(model(), state(**CASES[1]), 'x.pth', allow_missing=['*.bias'])
    check_weights(model(), state(**CASES[2]), 'x.pth', allow_unexpected=['7.*'])


@pytest.mark.parametrize(
    ('pattern', 'advice'),
    [
        ('img_backbon.*', "did you mean 'img_backbone.*'?"),
        ('pts_bbox_head.cls_branch.*.weight', "did you mean 'pts_bbox_head.cls_branches.*.weight'?"),
        ('img_backbone.conv2.weight', "did you mean 'img_backbone.conv1.weight'?"),
        ('*.zzz', 'they begin with img_backbone, pts_bbox_head'),
    ],
)
def test_a_pattern_of_no_weight_is_told_with_the_nearest(pattern: str, advice: str) -> None:
    names = ['img_backbone.conv1.weight', 'pts_bbox_head.cls_branches.0.weight']
    message = f"init_cfg.allow_missing: '{pattern}' is the name of no weight of the part; {advice}"
    with pytest.raises(ValueError, match=f'^{re.escape(message)}$'):
        require_own(['*.weight', 'img_?ackbone.*', pattern], names, 'init_cfg.allow_missing', 'the part')


def test_patterns_may_fit_weights_that_are_there_gone_or_of_another_shape() -> None:
    for case in CASES:
        weights, receiver = state(**case), model()
        for name in receiver.state_dict():
            check_weights(receiver, weights, 'x.pth', [name, '*'], ['*'])
        with pytest.raises(ValueError, match=r"allow_missing: '0\.bia' is the name .* one\.py; did you mean '0\.bias'"):
            check_weights(receiver, weights, 'x.pth', ['0.bia', '*'], ['*'], 'one.py')


def test_prefix_of_a_wrapper_is_dropped_if_all_names_have_it() -> None:
    weights = state()
    wrapped = OrderedDict((f'module.{name}', value) for name, value in weights.items())
    wrapped._metadata = OrderedDict({'': dict(version=1), 'module': dict(version=1), 'module.1': dict(version=2)})
    bare = without_wrapper_prefix(wrapped)
    assert dict(bare) == dict(weights)
    assert bare._metadata['1'] == dict(version=2)
    assert without_wrapper_prefix({'module.a': 1, 'b': 2}) == {'module.a': 1, 'b': 2}
    assert without_wrapper_prefix({}) == {}
    receiver = model()
    check_weights(receiver, wrapped, 'x.pth')
    assert torch.equal(receiver[0].weight, weights['0.weight'])


def test_prefix_of_another_wrapper_is_named() -> None:
    wrapped = {f'_orig_mod.net.{name}': weight for name, weight in state().items()}
    with pytest.raises(ValueError, match=r"Its names begin with '_orig_mod\.net\.', .* Save it without: \{name"):
        check_weights(model(), wrapped, 'x.pth')
    with pytest.raises(ValueError, match='Use the config that it was trained with'):
        check_weights(model(), {**wrapped, 'other': torch.zeros(1)}, 'x.pth')


def test_checkpoint_of_a_distiller_names_the_exporter() -> None:
    student = nn.Linear(2, 2)
    distiller = nn.ModuleDict(dict(student=nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r'export_student\.py'):
        check_weights(student, distiller.state_dict(), 'x.pth')
    with pytest.raises(ValueError, match='the config describes a distiller'):
        check_weights(distiller, student.state_dict(), 'x.pth')


def test_old_batch_norms_lack_a_counter() -> None:
    norm = nn.BatchNorm1d(2)
    check_weights(norm, {k: v for k, v in norm.state_dict().items() if 'num_batches' not in k}, 'x.pth')
