"""Write an index of pictures as one HTML file, to be opened in a browser."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..checkpoints.whole_file import write_whole

NAME, OTHER_NAME = 'index.html', 'pictures.html'
HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)
STYLE = """
body { font: 16px/1.4 sans-serif; margin: 1.5rem; color: #222; background: #fff; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; } img { width: 100%; height: auto; border: 1px solid #ccc; }
"""


@dataclass(frozen=True)
class Entry:
    """One picture of an index.

    Args:
        path: The picture, in the folder of the index.
        caption: What it shows, in a line.
    """

    path: Path
    caption: str


def write_index(folder: Path, title: str, entries: Sequence[Entry], note: str = '') -> Path:
    """Write ``index.html`` with all pictures, each a link to itself in full size; returns its path.

    Where the folder has an ``index.html`` of something else, it is called ``pictures.html``.

    Args:
        folder: Where the pictures are; an earlier index is replaced.
        title: Heading.
        entries: Pictures, in this order.
        note: A line below the heading.
    """
    figures = []
    for entry in entries:
        address, caption = quote(entry.path.name), html.escape(entry.caption)
        picture = f'<img src="{address}" alt="{caption}" loading="lazy">'
        figures.append(f'<figure><a href="{address}">{picture}</a><figcaption>{caption}</figcaption></figure>')
    content = (
        f'{HEAD}<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n'
        f'<body><h1>{html.escape(title)}</h1>\n<p>{html.escape(note)}</p>\n<main>\n'
    )
    path = folder / (NAME if _is_free(folder / NAME) else OTHER_NAME)
    write_whole((content + '\n'.join(figures) + '\n</main></body></html>\n').encode(), path)
    return path


def _is_free(file: Path) -> bool:
    """Whether a file is not there, or an earlier index."""
    with contextlib.suppress(FileNotFoundError), file.open('rb') as stream:
        return stream.read(len(HEAD)) == HEAD.encode()
    return True
