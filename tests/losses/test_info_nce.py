from __future__ import annotations

import importlib
import math

import pytest
import torch
import torch.nn.functional as F

from bevdistill.losses import info_nce

module = importlib.import_module(info_nce.__module__)


def loops(student, teacher, valid, temperature: float, anchor: str) -> list[list[float]]:
    """One softmax per row, written out."""
    result = []
    for s, t, ok in zip(student, teacher, valid, strict=True):
        s, t = s / s.norm(dim=1, keepdim=True), t / t.norm(dim=1, keepdim=True)
        row = []
        for i in range(len(s)):
            if not ok[i]:
                row.append(0.0)
                continue
            asking, asked = (s, t) if anchor == 'student' else (t, s)
            scores = {j: math.exp(float(asking[i] @ asked[j]) / temperature) for j in range(len(s)) if ok[j]}
            row.append(-math.log(scores[i] / sum(scores.values())))
        result.append(row)
    return result


@pytest.mark.parametrize('anchor', ['student', 'teacher', 'both'])
def test_matches_loops(anchor: str) -> None:
    student, teacher = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    valid = torch.tensor([[True] * 5, [True, False, True, True, False]])
    if anchor == 'both':
        want = (
            torch.tensor(loops(student, teacher, valid, 0.3, 'student'))
            + torch.tensor(loops(student, teacher, valid, 0.3, 'teacher'))
        ) / 2
    else:
        want = torch.tensor(loops(student, teacher, valid, 0.3, anchor))
    torch.testing.assert_close(info_nce(student, teacher, valid, 0.3, anchor), want, rtol=1e-4, atol=1e-5)


def test_all_rows_when_nothing_is_said() -> None:
    student, teacher = torch.randn(1, 4, 3), torch.randn(1, 4, 3)
    everyone = torch.ones(1, 4, dtype=torch.bool)
    torch.testing.assert_close(info_nce(student, teacher), info_nce(student, teacher, everyone))


def test_nobody_there_is_zero_with_a_graph() -> None:
    student = torch.randn(1, 4, 3, requires_grad=True)
    loss = info_nce(student, torch.randn(1, 4, 3), torch.zeros(1, 4, dtype=torch.bool))
    assert loss.tolist() == [[0.0] * 4]
    loss.sum().backward()
    assert student.grad.tolist() == torch.zeros(1, 4, 3).tolist()


def test_equal_vectors_far_apart_cost_little_and_swapped_ones_much() -> None:
    vectors = torch.eye(4)[None]
    assert float(info_nce(vectors, vectors, temperature=0.05).max()) < 1e-6
    assert float(info_nce(vectors, vectors.flip(1), temperature=0.05).min()) > 10


@pytest.mark.parametrize('rows', [1, 3, 7])
@pytest.mark.parametrize('masked', [False, True])
def test_blocks_have_the_gradients_of_the_formula(monkeypatch: pytest.MonkeyPatch, rows: int, masked: bool) -> None:
    sides = [torch.randn(2, 7, 4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    valid, weights = torch.rand(2, 7) > 0.3, torch.rand(2, 7, dtype=torch.float64)
    valid[0] = False
    monkeypatch.setattr(module, 'BLOCK', rows * 7)
    loss = info_nce(*sides, valid if masked else None, 0.2, 'both')
    student, teacher = (F.normalize(side, dim=-1) for side in sides)
    similarity = student @ teacher.transpose(1, 2) / 0.2
    hidden = ~(valid[:, None] | torch.eye(7, dtype=torch.bool)) & masked
    want = sum(
        scores.masked_fill(hidden, -torch.inf).logsumexp(dim=-1) - scores.diagonal(dim1=1, dim2=2)
        for scores in (similarity, similarity.transpose(1, 2))
    ) / 2  # fmt: skip
    want = torch.where(valid, want, 0) if masked else want
    torch.testing.assert_close(loss, want)
    found, expected = (torch.autograd.grad((value * weights).sum(), sides) for value in (loss, want))
    torch.testing.assert_close(found, expected)


def test_similarities_of_all_rows_are_never_kept() -> None:
    sides = [torch.randn(1, 1600, 4, requires_grad=True) for _ in range(2)]
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        info_nce(*sides)
    assert max(kept) <= 1600 * 4



@pytest.mark.parametrize('masked', [False, True])
def test_negatives_of_all_samples_are_one_long_sample(masked: bool) -> None:
    student, teacher, valid = torch.randn(3, 4, 5), torch.randn(3, 4, 5), torch.rand(3, 4) > 0.4
    got = info_nce(student, teacher, valid if masked else None, 0.3, 'both', over_ranks=True)
    flat = [side.reshape(1, 12, -1) for side in (student, teacher)]
    want = info_nce(*flat, valid.reshape(1, 12) if masked else None, 0.3, 'both')
    torch.testing.assert_close(got, want.view(3, 4))


def test_messages() -> None:
    with pytest.raises(ValueError, match="'student', 'teacher' or 'both', got 'image'"):
        info_nce(torch.randn(1, 2, 3), torch.randn(1, 2, 3), anchor='image')
    with pytest.raises(ValueError, match=r'\(1, 2, 3\) and teacher vectors \(1, 2, 4\)'):
        info_nce(torch.randn(1, 2, 3), torch.randn(1, 2, 4))


@pytest.mark.parametrize(('limit', 'blocks'), [(13, [1] * 7), (14, [2, 2, 2, 1]), (1, [1] * 7), (70, [7])])
def test_no_block_holds_more_similarities_than_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: int, blocks: list[int]
) -> None:
    rows: list[int] = []
    multiply = module._products
    monkeypatch.setattr(module, 'BLOCK', limit)
    monkeypatch.setattr(module, '_products', lambda own, *rest: rows.append(own.shape[1]) or multiply(own, *rest))
    info_nce(torch.randn(2, 7, 3, requires_grad=True), torch.randn(2, 7, 3)).sum().backward()
    assert rows == blocks * 2, 'forth and back'
