"""Overrides of all shipped configs: a suggestion is a key that the run reads; no config contradicts itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from mmengine.config import Config
from shipped_configs import ALL, REPO, load

from bevdistill.engine.agreement import check_agreement
from bevdistill.engine.overrides import READ, apply_overrides, read_paths

TYPED = ('lr', 'optimizer.lr', 'data_root', 'student.img_backbone.depth', 'num_queries', 'batch_size', 'max_epochs')
"""What people type, beside the variables of the file and entries of some."""


def suggestions(cfg: Config, keys: list[str]) -> set[str]:
    """What the one message about all these keys suggests."""
    with pytest.raises(ValueError, match='cannot override the config') as refused:
        apply_overrides(cfg, dict.fromkeys(keys, 'x'))
    text = str(refused.value)
    assert text.count('\n') == len(keys), 'each key is refused'
    went = re.findall(r'where it went: ([^;\n]*?)(?:\. All at once|$)', text, re.MULTILINE)
    return {key for names in went for key in names.split(', ')} - {'...'} | set(re.findall(r"mean '([^']+)'", text))


def typed(tree: dict[str, Any]) -> list[str]:
    variables = [name for name in tree if name not in READ]
    inner = [f'{name}.{next(iter(tree[name]))}' for name in variables if 'pipeline' in name or 'losses' in name]
    return list(dict.fromkeys([*variables, *inner, *TYPED]))


@pytest.mark.parametrize('file', ALL, ids=lambda file: str(file.relative_to(REPO)))
def test_what_is_suggested_is_read(file: Any) -> None:
    cfg = load(file)
    check_agreement(cfg)
    tree = cfg.to_dict()
    found = suggestions(cfg, typed(tree))
    assert found
    read = dict(read_paths(tree))
    assert found <= set(read), 'applied, each changes what the runner reads'
