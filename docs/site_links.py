"""MkDocs hook: the README is the front page, and links that leave docs/ lead to pages of what they name.

Pages are written for the checkout, where `../configs/bevdistill/README.md` is right. The site gets a page of every file
outside docs/ that one of its pages links to, and each link is turned to it. A link to nothing stays as it is, which
MkDocs reports; `--strict` makes that an error.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPO = Path(__file__).resolve().parents[1]
LINK = re.compile(r'(\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)')
PICTURES = ('.png', '.jpg', '.svg')


def readme_of(target: str) -> str:
    """The README of a folder of the checkout that has one, else the target itself."""
    readme = posixpath.join(target, 'README.md')
    return readme if (REPO / readme).is_file() else target


def site_path(target: str) -> str | None:
    """Path in the site of a file or folder of the checkout, None where there is none."""
    path = REPO / target
    if not path.exists() or target.startswith('..'):
        return None
    if target == 'README.md':
        return 'index.md'
    if target.startswith('docs/') and path.is_file() and path.suffix != '.py':
        return target.removeprefix('docs/')
    return f'files/{target}' if path.suffix in ('.md', *PICTURES) else f'files/{target}.txt'


def linked(page: str, text: str) -> list[str]:
    """Files and folders of the checkout that the text of a page of it links to."""
    folder = posixpath.dirname(page)
    return [readme_of(posixpath.normpath(posixpath.join(folder, match[2]))) for match in LINK.finditer(text)]


def shown(target: str) -> str:
    """Text of a file, names of what is in a folder."""
    path = REPO / target
    if path.is_dir():
        return '\n'.join(sorted(f'{target}/{entry.name}' for entry in path.iterdir() if entry.name[0] not in '._'))
    return path.read_text()


def turned(page: str, text: str, own: str) -> str:
    """Turn the links of a page of the checkout to paths of the site, `own` being the page's."""

    def turn(match: re.Match[str]) -> str:
        found = site_path(readme_of(posixpath.normpath(posixpath.join(posixpath.dirname(page), match[2]))))
        if found is None:
            return match[0]
        return f'{match[1]}{posixpath.relpath(found, posixpath.dirname(own) or ".")}{match[3] or ""})'

    return LINK.sub(turn, text)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the front page and the pages of what is linked, and of what is linked there."""
    todo = ['README.md', *(f'docs/{file.src_uri}' for file in files.documentation_pages())]
    done: set[str] = set()
    while todo:
        target = todo.pop()
        own = site_path(target)
        if target in done or own is None:
            continue
        done.add(target)
        if own.endswith(PICTURES):
            if files.get_file_from_path(own) is None:
                files.append(File.generated(config, own, abs_src_path=str(REPO / target)))
            continue
        text, is_page = shown(target), own.endswith('.md')
        if files.get_file_from_path(own) is None:
            files.append(File.generated(config, own, content=turned(target, text, own) if is_page else text))
        if is_page:
            todo += linked(target, text)
    named = re.findall(r"'([^']+\.md)'", str(config.nav))
    more = sorted(file.src_uri for file in files.documentation_pages() if file.generated_by is None)
    config.nav.append({'More': [page for page in more if page not in named]})
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of the pages of docs/; those of generated pages are turned already."""
    own = page.file.src_uri
    return markdown if page.file.generated_by else turned(f'docs/{own}', markdown, own)
