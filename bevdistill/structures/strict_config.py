"""Read configs strictly: refuse unknown keys, keep registered names of earlier versions working."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mmengine.logging import print_log
from mmengine.registry import Registry

Built = TypeVar('Built')


def strict_from_dict(make: Callable[..., Built], config: Mapping[str, Any], where: str) -> Built:
    """Call a class or function with the entries of a config.

    Args:
        make: Takes the entries as keyword arguments.
        config: The entries.
        where: Name of the config, for the error.

    Raises:
        ValueError: If an entry is not an argument of `make`; names those that are.
    """
    known = list(inspect.signature(make).parameters)
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise ValueError(f'unknown key {unknown} in {where}; known are {known}')
    return make(**config)


def register_old_name(registry: Registry, old: str, new: type[Built]) -> None:
    """Keep configs working that name a class as earlier versions did, with a one-line notice.

    Args:
        registry: Where configs look the name up.
        old: The earlier name.
        new: The class, registered under its own name already.
    """

    def build(*args: Any, **kwargs: Any) -> Built:
        print_log(f"'{old}' is called '{new.__name__}' now; please rename it in the config", 'current', logging.WARNING)
        return new(*args, **kwargs)

    registry.register_module(name=old, module=build, force=True)


def refuse_settings(owner: str, **settings: Mapping[str, Any] | None) -> None:
    """Refuse ``train_cfg`` and ``test_cfg`` with entries: nothing here reads them, and mmdet3d's tools pass them empty.

    Args:
        owner: Name of the detector, for the error.
        **settings: The dicts by name; None and empty ones pass.

    Raises:
        ValueError: If one has entries; names them.
    """
    for name, entries in settings.items():
        if entries:
            raise ValueError(
                f'{owner} reads no {name}, found {sorted(entries)} in it; assigners, losses and decoders are '
                'arguments of its head, so leave it out'
            )
