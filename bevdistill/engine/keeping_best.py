"""Check what decides on the best checkpoint and on stopping early: keys, rules, and that there is a validation."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

RULES = ('greater', 'less')
AUTO = 'auto'


def settle_best(cfg: Config) -> None:
    """Give every hook that follows a metric its rule, before anything is built.

    Whether more of a metric is better follows from ``greater_keys`` and ``less_keys`` of the config's checkpoint hook,
    for early stopping too, whose own list in mmengine does not know NDS.

    Raises:
        ValueError: If nothing is validated, or a rule is unknown or cannot be told from the key.
    """
    keys = dict(cfg.get('default_hooks') or {}).get('checkpoint') or {}
    for place, hook, names in _followers(cfg):
        if cfg.get('val_cfg') is None:
            raise ValueError(f'{place} follows {names}, but this run has no validation, val_cfg is None')
        rules = hook.get('rule')
        rules = rules if isinstance(rules, list) else [rules] * len(names)
        if len(rules) != len(names):
            raise ValueError(f'{place} has {len(names)} metrics and {len(rules)} rules: {names}, {rules}')
        wrong = [rule for rule in rules if rule is not None and rule not in RULES]
        if wrong:
            raise ValueError(f"{place}: a rule must be 'greater' or 'less', got {wrong}")
        pairs = list(zip(names, rules, strict=True))
        found = [rule or (None if name == AUTO else _rule_of(name, hook, keys)) for name, rule in pairs]
        unknown = [name for name, rule in zip(names, found, strict=True) if rule is None and name != AUTO]
        if unknown:
            rule = f'{place.rpartition(".")[0]}.rule'
            raise ValueError(f'{place}: is more of {unknown} better, or less? Say it in {rule}=greater or less')
        hook.rule = found if 'save_best' in hook and len(found) > 1 else found[0]


def check_best_keys(runner: Runner) -> None:
    """Compare the keys that hooks follow with the metrics that the validation reports, before the first step.

    Raises:
        ValueError: If a key is not among them; names the nearest.
    """
    followed = [(place, name) for place, _, names in _followers(runner.cfg) for name in names if name != AUTO]
    if not followed:
        return
    known = reported(runner.val_loop.evaluator.metrics)
    for place, name in followed if known else ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            advice = f'did you mean {near[0]!r}? ' if near else ''
            raise ValueError(f'{place}: no metric {name!r}; {advice}There are {known}')


def reported(metrics: Sequence[Any]) -> list[str]:
    """Names that metrics report, with their prefixes; none if one of them does not say."""
    names = []
    for metric in metrics:
        own = getattr(metric, 'result_names', None)
        if own is None:
            return []
        names += [f'{metric.prefix}/{name}' if metric.prefix else name for name in own()]
    return names


def _followers(cfg: Config) -> Iterator[tuple[str, Any, list[str]]]:
    """Hooks that follow a metric: where they are, their configs, and the metrics' names."""
    hooks = [(f'default_hooks.{name}', hook) for name, hook in (cfg.get('default_hooks') or {}).items()]
    hooks += [(f'custom_hooks.{place}', hook) for place, hook in enumerate(cfg.get('custom_hooks') or [])]
    for place, hook in hooks:
        for key in ('save_best', 'monitor') if isinstance(hook, dict) else ():
            if hook.get(key):
                yield f'{place}.{key}', hook, list(hook[key]) if isinstance(hook[key], list) else [hook[key]]


def _rule_of(name: str, *hooks: Any) -> str | None:
    """Find the rule of a metric as mmengine does: by whole names first, then by parts of it, in any case."""
    for hook in hooks:
        words = {rule: [str(key).lower() for key in hook.get(f'{rule}_keys') or ()] for rule in RULES}
        for fits in (lambda key: key == name.lower(), lambda key: key in name.lower()):
            for rule in RULES:
                if any(map(fits, words[rule])):
                    return rule
    return None
