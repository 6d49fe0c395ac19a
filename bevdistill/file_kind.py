"""Tell what a file is that was downloaded in place of another one."""

from __future__ import annotations

KINDS = {
    b'\x1f\x8b': 'gzip, as information files are', b'\x89PNG': 'an image', b'\xff\xd8\xff': 'an image',
    b'\x89HDF': 'HDF5', b'%PDF': 'PDF', b'{': 'JSON', b'[': 'JSON',
}  # fmt: skip
"""What files of other kinds begin with."""
TEXT = bytes(range(32, 127)) + b'\t\r\n'
POINTERS = (b'version https://git-lfs', b'/annex/objects/', b'../.git/annex/')


def pointer_or_page(head: bytes) -> str | None:
    """Tell a pointer of large-file storage or a web page by the first bytes of a file; None where it is neither."""
    if head.startswith(POINTERS):
        return 'is a pointer of large-file storage, not the file itself: fetch it (git lfs pull, or git annex get)'
    if head.lstrip()[:1] == b'<':
        return 'is a web page, saved in place of the file: download it again, signed in'
    return None


def no_weights(head: bytes) -> str | None:
    """Tell what a file is that cannot hold weights as PyTorch writes them, by its first bytes; None where it can."""
    if head[8:10] == b'{"':
        return 'is a safetensors file: write its weights with torch.save(safetensors.torch.load_file(FILE), NAME)'
    kind = next((kind for start, kind in KINDS.items() if head.startswith(start)), None)
    if kind is None and head and not head.translate(None, TEXT):
        kind = 'text'
    return kind and f'is {kind}; name a file of weights, which PyTorch wrote'
