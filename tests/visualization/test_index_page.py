from html.parser import HTMLParser
from pathlib import Path

from bevdistill.visualization import Entry, write_index


class Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[dict[str, str]] = []
        self.text = ''

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or '' for name, value in attrs}
        if tag == 'a':
            self.links.append(found['href'])
        if tag == 'img':
            self.pictures.append(found)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_index_of_others_stays(tmp_path: Path) -> None:
    (tmp_path / 'index.html').write_text('<html>My pages</html>')
    assert write_index(tmp_path, 'ours', []) == tmp_path / 'pictures.html' == write_index(tmp_path, 'again', [])
    assert (tmp_path / 'index.html').read_text() == '<html>My pages</html>'
    (tmp_path / 'index.html').unlink()
    assert write_index(tmp_path, 'ours', []) == tmp_path / 'index.html' == write_index(tmp_path, 'again', [])


def test_index_shows_every_picture_and_runs_nothing(tmp_path: Path) -> None:
    names = ['0 a.png', '1#b.png']
    entries = [Entry(tmp_path / name, f'<script>{name}</script> & "more"') for name in names]
    page = Addresses()
    content = write_index(tmp_path, 'A <b>', entries, 'iter_1.pth').read_text()
    page.feed(content)
    assert page.links == ['0%20a.png', '1%23b.png'] == [picture['src'] for picture in page.pictures]
    assert page.pictures[0]['alt'] == '<script>0 a.png</script> & "more"'
    assert '<script' not in content and 'A <b>' in page.text and 'iter_1.pth' in page.text
    assert 'http' not in content
    assert 'img' not in Path(write_index(tmp_path, 'none', [])).read_text().partition('</style>')[2]
