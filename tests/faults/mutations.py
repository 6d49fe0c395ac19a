"""Change plain data and bytes at random, and say in which leaves two trees differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Path = tuple[str | int, ...]
DEEPER = 0.85
"""Chance to go on into a container, where it is not the whole."""
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 0.5, 1e308, -1e308, 5e-324, 2**31, 2**63, 2**70, math.nan, math.inf, -math.inf, True, 1e6, -200.0, 3,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None, '', 'x', 'nan', '1.5', '../x', '/dev/zero', 'a\nb', 'a\0b', 'ü' * 300, b'\xff', [], {}, [1], {'a': 1}, [[]],
    [None], 'token-0', '~', '.',
)  # fmt: skip


def mutate(tree: Any, draw: Random) -> Any:
    """Change one place of a tree of dicts and lists, in place where it can be; returns the tree."""
    holder, key = _place(tree, draw)
    if holder is None:
        return draw.choice(OTHERS)
    draw.choice(CHANGES)(holder, key, draw)
    return tree


def _place(tree: Any, draw: Random) -> tuple[Any, Any]:
    """Choose a container and a key of it."""
    holder, key, node = None, None, tree
    while isinstance(node, dict | list) and node and (holder is None or draw.random() < DEEPER):
        holder, key = node, draw.choice(list(node)) if isinstance(node, dict) else draw.randrange(len(node))
        node = node[key]
    return holder, key


def _replaced(holder: Any, key: Any, draw: Random) -> None:
    holder[key] = draw.choice(NUMBERS if draw.random() < 0.5 else OTHERS)


def _removed(holder: Any, key: Any, draw: Random) -> None:
    del holder[key]


def _repeated(holder: Any, key: Any, draw: Random) -> None:
    if isinstance(holder, list):
        holder.insert(draw.randrange(len(holder) + 1), holder[key])
    else:
        holder[f'{key}{draw.choice(("_", "s", " ", "2"))}'] = holder[key]


def _swapped(holder: Any, key: Any, draw: Random) -> None:
    other = draw.choice(list(holder)) if isinstance(holder, dict) else draw.randrange(len(holder))
    holder[key], holder[other] = holder[other], holder[key]


def _moved(holder: Any, key: Any, draw: Random) -> None:
    """Another value of the same type."""
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int | float):
        whole = int(value) if math.isfinite(value) else 0
        holder[key] = draw.choice((-value, value + 1, value * 1000, value * 1.01, value + 1e-4, value * 1e-3, whole))
    elif isinstance(value, str):
        letters = list(value) or ['a']
        letters[draw.randrange(len(letters))] = draw.choice('abz09/.\\ \n_-é')
        holder[key] = ''.join(letters)
    elif isinstance(value, list):
        holder[key] = draw.choice((value[::-1], value[:-1], value * 2, [value], tuple(value)))
    else:
        holder[key] = draw.choice((str(value), [value], None))


def _wrapped(holder: Any, key: Any, draw: Random) -> None:
    value = holder[key]
    holder[key] = draw.choice((str(value), [value], {'value': value}, repr(value).encode()))


Change = Callable[[Any, Any, Random], None]
CHANGES: tuple[Change, ...] = (_replaced, _replaced, _removed, _repeated, _swapped, _moved, _moved, _wrapped)


def mutate_bytes(content: bytes, draw: Random) -> bytes:
    """Change one place of bytes: flip, cut, zero, insert, repeat, move a block."""
    start, size = draw.randrange(len(content) + 1), 2 ** draw.randrange(12)
    block = content[start : start + size]
    match draw.randrange(7):
        case 0 | 1:
            place = min(start, len(content) - 1)
            return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]
        case 2:
            return content[:start]
        case 3:
            return content[:start] + bytes(len(block)) + content[start + size :]
        case 4:
            return content[:start] + draw.randbytes(size) + content[start:]
        case 5:
            return content[:start] + block + content[start:]
        case _:
            other = draw.randrange(len(content) + 1)
            rest = content[:start] + content[start + size :]
            return rest[:other] + block + rest[other:]


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the paths at which two trees differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key, value in old.items():
            yield from differences(value, new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, two) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, two, (*path, place))
    elif not (old is new or (type(old) is type(new) and (old == new or repr(old) == repr(new)))):
        yield path, old, new
