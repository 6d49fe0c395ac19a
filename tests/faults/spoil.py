"""Ways to make a file of the current folder bad."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.case import put
from PIL import Image

Change = Callable[[Any], Any]


def all_of(files: Callable[[], list[Path]], change: Change) -> None:
    """Replace the content of files by what `change` makes of it."""
    for file in files():
        put(file, change(file.read_bytes()))


def in_json(file: str, change: Change) -> None:
    """Change the content of a JSON file; a change that returns something replaces the whole."""
    path = Path(file)
    tree = json.loads(path.read_text())
    put(path, json.dumps(replaced(change(tree), tree)).encode())


def replaced(found: Any, tree: Any) -> Any:
    """Return what a change has made of a tree: what it returns if that is a tree, else the tree itself."""
    return found if isinstance(found, dict | list) else tree


def raw(file: str, content: bytes) -> None:
    for path in Path().glob(file):
        put(path, content)


def picture(change: Callable[[Image.Image], Image.Image], **options: Any) -> Change:
    """Make a change of the decoded picture."""

    def of(content: bytes) -> bytes:
        image, buffer = Image.open(io.BytesIO(content)), io.BytesIO()
        change(image).save(buffer, format=options.get('format', image.format))
        return buffer.getvalue()

    return of
