"""Find the shipped configs and what their lab notes say."""

from __future__ import annotations

from pathlib import Path

PATTERNS = ('configs/**/*.py', 'projects/*/configs/**/*.py')


def checkout() -> Path:
    """Find the checkout that this package belongs to, or else the one that the command is run in.

    Raises:
        FileNotFoundError: If there are no configs: an installed package has none.
    """
    for root in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (root / 'configs' / '_base_').is_dir():
            return root
    raise FileNotFoundError('no configs beside the package nor in this folder; run this in a checkout')


def shipped_configs(root: Path) -> list[Path]:
    """List the configs of a checkout without the parts in ``_base_`` folders."""
    found = [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]
    return [path for path in found if '_base_' not in path.parts]


def first_note(path: Path) -> str:
    """Read the first paragraph of a config's lab note, the comment that the file begins with."""
    words = []
    for line in path.read_text(encoding='utf-8').splitlines():
        text = line.removeprefix('#').strip()
        if not line.startswith('#') or not text:
            break
        words.append(text)
    return ' '.join(words)
