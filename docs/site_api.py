"""MkDocs hook: a reference page of every room of the package, and source beside equations.

Docstrings are read from the files, nothing is imported. `<!-- source: FILE NAME -->` in a page becomes the source of
that class, function or method; a name that is not there is a warning.
"""

from __future__ import annotations

import ast
import logging
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPO = Path(__file__).resolve().parents[1]
LOG = logging.getLogger('mkdocs.hooks.site_api')
SOURCE = re.compile(r'^<!-- source: (\S+) (\S+) -->$', re.M)
SECTION = re.compile(r'^(Args|Returns|Raises|Note|Yields|Attributes):\n((?:    .*\n?|\n)*)', re.M)
Definition = ast.ClassDef | ast.FunctionDef


def as_markdown(text: str) -> str:
    """Turn a docstring of this package (reStructuredText roles, Google's sections) into Markdown."""
    text = re.sub(r':\w+:`~?([^`<]+)`', lambda match: f"`{match[1].lstrip('.').rsplit('.', 1)[-1]}`", text)
    text = text.replace('``', '`').replace('::\n', ':\n')

    def section(match: re.Match[str]) -> str:
        body = textwrap.dedent(match[2]).strip()
        if match[1] in ('Args', 'Raises', 'Attributes'):
            body = re.sub(r'^(?=\S)([\w*]+):', r'* `\1`:', body, flags=re.M)
        return f'**{match[1]}**\n\n{body}\n\n'

    return SECTION.sub(section, text)


def public_names(room: Path) -> list[str]:
    """Names in ``__all__`` of a room."""
    for node in ast.parse((room / '__init__.py').read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__':
            return list(ast.literal_eval(node.value))
    return []


def definitions(body: list[ast.stmt]) -> Iterator[Definition]:
    """Public classes and functions that have a docstring."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith('_') and ast.get_docstring(node):
            yield node


def signature(node: Definition) -> str:
    """One line with name and arguments."""
    made = node
    if isinstance(node, ast.ClassDef):
        made = next((part for part in node.body if getattr(part, 'name', '') == '__init__'), None)
    arguments = ast.unparse(made.args) if isinstance(made, ast.FunctionDef) else ''
    result = f' -> {ast.unparse(node.returns)}' if isinstance(node, ast.FunctionDef) and node.returns else ''
    return f"{node.name}({arguments.removeprefix('self, ').removeprefix('self')}){result}"


def reference(room: Path) -> str:
    """Reference page of a room: the classes and functions that it offers, with their docstrings."""
    offered = public_names(room)
    about = ast.get_docstring(ast.parse((room / '__init__.py').read_text())) or ''
    lines = [f'# bevdistill.{room.name}\n', as_markdown(about)]
    for file in sorted(room.rglob('*.py')):
        for node in definitions(ast.parse(file.read_text()).body):
            if node.name not in offered:
                continue
            lines += [f'\n## {node.name}\n', f'`{signature(node)}`, in {file.relative_to(REPO)}\n']
            lines.append(as_markdown(ast.get_docstring(node) or '') + '\n')
            methods = list(definitions(node.body)) if isinstance(node, ast.ClassDef) else []
            lines += ['**Methods**\n'] if methods else []
            for method in methods:
                first = (ast.get_docstring(method) or '').split('\n\n')[0].replace('\n', ' ')
                lines.append(f'* `{signature(method)}`: {as_markdown(first)}')
    return '\n'.join(lines)


def source_of(file: str, name: str) -> str | None:
    """Source of a class, function or method of a file of the checkout, without its docstring."""
    path = REPO / file
    node: ast.AST | None = ast.parse(path.read_text()) if path.is_file() else None
    for part in name.split('.'):
        node = next((one for one in getattr(node, 'body', []) if getattr(one, 'name', '') == part), None)
    if not isinstance(node, Definition):
        return None
    text = textwrap.dedent('\n'.join(path.read_text().splitlines()[node.lineno - 1 : node.end_lineno]))
    return re.sub(r'\n    """.*?"""', '', text, count=1, flags=re.S)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a reference page of each room."""
    rooms = sorted(file.parent for file in (REPO / 'bevdistill').glob('*/__init__.py'))
    for room in rooms:
        files.append(File.generated(config, f'api/{room.name}.md', content=reference(room)))
    config.nav.append({'Reference': [f'api/{room.name}.md' for room in rooms]})
    return files


def on_page_markdown(markdown: str, page: object, config: MkDocsConfig, files: Files) -> str:
    """Put source where a page asks for it."""

    def source(match: re.Match[str]) -> str:
        text = source_of(match[1], match[2])
        if text is None:
            LOG.warning("a page asks for the source of '%s' in '%s', which is not there", match[2], match[1])
            return match[0]
        return f'??? quote "{match[2]} in {match[1]}"\n' + textwrap.indent(f'```python\n{text}\n```', '    ')

    return SOURCE.sub(source, markdown)
