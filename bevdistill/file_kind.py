"""Tell what a file is that was downloaded in place of another one."""

from __future__ import annotations

POINTERS = (b'version https://git-lfs', b'/annex/objects/', b'../.git/annex/')


def pointer_or_page(head: bytes) -> str | None:
    """Tell a pointer of large-file storage or a web page by the first bytes of a file; None where it is neither."""
    if head.startswith(POINTERS):
        return 'is a pointer of large-file storage, not the file itself: fetch it (git lfs pull, or git annex get)'
    if head.lstrip()[:1] == b'<':
        return 'is a web page, saved in place of the file: download it again, signed in'
    return None
