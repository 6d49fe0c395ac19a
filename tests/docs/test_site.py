"""The site builds without a warning, has a page of all that is linked, and shows the source that it speaks of."""

from __future__ import annotations

import ast
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip('mkdocs', reason='needs the extra docs')
pytest.importorskip('material', reason='needs the extra docs')
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def hooks() -> Iterator[tuple[ModuleType, ModuleType]]:
    """The two hooks of mkdocs.yml as modules."""
    sys.path.insert(0, str(REPO / 'docs'))
    import site_api
    import site_links

    yield site_links, site_api
    sys.path.remove(str(REPO / 'docs'))


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors; without the search, which costs most of the time and checks nothing."""
    out = tmp_path_factory.mktemp('site')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('NO_MKDOCS_2_WARNING', '1')
        try:
            build(load_config(str(REPO / 'mkdocs.yml'), strict=True, site_dir=str(out), plugins=[]))
        except Abort as end:
            pytest.fail(f'{end}; `make docs` shows the warnings')
        finally:
            logging.getLogger('mkdocs').setLevel(logging.NOTSET)
    return out


def test_the_readme_is_the_front_page_and_links_lead_to_pages(site: Path) -> None:
    front = (site / 'index.html').read_text()
    for target in ('method.html', 'results/paper_condition.html#one-pair-of-pictures', 'files/CONTRIBUTING.html'):
        assert f'href="{target}"' in front
        assert (site / target.split('#')[0]).is_file()
    assert 'src="results/paper_condition_pair.jpg"' in front
    config = (site / 'files/configs/synthetic/ablations/mask-none.py.txt').read_text()
    assert config == (REPO / 'configs/synthetic/ablations/mask-none.py').read_text()


def test_every_page_of_the_folder_is_in_the_navigation(site: Path) -> None:
    front = (site / 'index.html').read_text()
    for page in (REPO / 'docs').rglob('*.md'):
        shown = page.with_name('index.html') if page.name == 'README.md' else page.with_suffix('.html')
        assert f'href="{shown.relative_to(REPO / "docs")}"' in front, page


def test_equations_have_their_code_and_rooms_their_reference(site: Path) -> None:
    method = (site / 'method.html').read_text()
    assert 'source:' not in method
    assert 'error_BCP' in method
    assert method.count('<details') >= 8
    losses = (site / 'api/losses.html').read_text()
    assert 'id="densebevloss"' in losses
    assert '<strong>Args</strong>' in losses
    assert '<strong>Methods</strong>' in losses
    assert ':class:' not in losses


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    front = (site / 'index.html').read_text()
    assert 'fonts.googleapis' not in front
    assert 'src="http' not in front


def test_a_link_to_nothing_stays_for_the_check_to_find(hooks: tuple[ModuleType, ModuleType]) -> None:
    links, _ = hooks
    text = '[a](../configs/README.md) [b](../LICENSE) [c](training.md#x) [d](https://a.b/) [e](#b) [f](../../etc)'
    assert links.turned('docs/weights.md', text, 'weights.md') == (
        '[a](../configs/README.md) [b](files/LICENSE.txt) [c](training.md#x) [d](https://a.b/) [e](#b) [f](../../etc)'
    )
    assert links.turned('projects/README.md', '[a](fitnet)', 'files/projects/README.md') == '[a](fitnet/README.md)'
    assert links.site_path('README.md') == 'index.md'
    assert links.shown('projects/fitnet/configs').splitlines()[0].startswith('projects/fitnet/configs/')


def test_docstrings_become_markdown(hooks: tuple[ModuleType, ModuleType]) -> None:
    _, api = hooks
    text = 'Compute :class:`~.dense.A` of ``b``::\n\n    x = y\n\nArgs:\n    a: First,\n        more.\n    b: Second.\n'
    assert api.as_markdown(text) == (
        'Compute `A` of `b`:\n\n    x = y\n\n**Args**\n\n* `a`: First,\n    more.\n* `b`: Second.\n\n'
    )
    node = ast.parse('class A:\n    def __init__(self, a: int = 1) -> None:\n        pass').body[0]
    assert api.signature(node) == 'A(a: int=1)'
    assert api.source_of('bevdistill/losses/dense.py', 'DenseBEVLoss.backward') is None
    assert api.source_of('absent.py', 'a') is None


def test_a_page_that_names_absent_code_is_a_warning(
    hooks: tuple[ModuleType, ModuleType], logged: Callable[[logging.Logger], list[logging.LogRecord]]
) -> None:
    page = '<!-- source: bevdistill/losses/dense.py Absent -->'
    records = logged(logging.getLogger('mkdocs.hooks.site_api'))
    assert hooks[1].on_page_markdown(page, None, None, None) == page
    assert "the source of 'Absent' in 'bevdistill/losses/dense.py', which is not there" in records[0].getMessage()
