"""Files that are either whole or not there, and tensors in files that notice damage."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any


class Damaged(Exception):
    """A file is not what was written to it; the message is one line with the reason."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8; a reader sees the old content or the new, never a part.

    Raises:
        OSError: if the file cannot be written; the old content stays.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # two processes may write the file at the same time
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def torch_bytes(content: Any) -> bytes:
    """The file that `torch.save` would write: a zip archive, in which every member has a CRC-32.

    Args:
        content: tensors and plain values in dicts and lists, all that `load_torch` can read again.
    """
    import torch  # takes seconds; most readers and writers of files do without

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def load_torch(content: bytes, what: str) -> Any:
    """Read what `torch_bytes` made, onto the CPU; no code in it is run.

    torch checks no checksums, and it trusts a damaged directory of the archive. So zipfile reads the members, which
    checks their CRCs, and torch gets a new archive of them.

    Args:
        content: the bytes of the file.
        what: names the file in the message, such as a path.

    Raises:
        Damaged: if the bytes are cut short, changed, or of another kind.
    """
    import torch

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {member.filename: archive.read(member) for member in archive.infolist()}
        checked = io.BytesIO()
        with zipfile.ZipFile(checked, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        checked.seek(0)
        return torch.load(checked, weights_only=True, map_location="cpu")
    except Exception as error:  # torch, zipfile and pickle raise a dozen kinds; to the reader they all mean damage
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Damaged(f"{what}: {reason}") from None
