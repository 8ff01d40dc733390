"""Output folders: written beside their place and moved into it when whole."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from interlingua.errors import OutputError


@contextlib.contextmanager
def staged(target: Path, *, force: bool = False) -> Iterator[Path]:
    """An empty folder that becomes `target` when the block ends well, and vanishes when it does not.

    A process killed in between leaves a hidden folder beside `target`, never a half-written `target`.

    Raises:
        OutputError: `target` exists and `force` was not said, its folder is not writable, or the disk is full.
    """
    check(target, force=force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise OutputError(f"Expected a folder to write into. Received {str(target)!r}: {error.strerror}.") from error
    try:
        with _full_disk(target):
            yield folder
            _publish(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check(target: Path, *, force: bool = False) -> None:
    """Refuses a target that exists unless `force` was said, and one that is no folder or file of its own always.

    A device, a pipe, a socket and a link, dangling or not, would be replaced for everybody who uses them.

    Raises:
        OutputError: it exists, or something stands there that is not replaced.
    """
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not (target.is_dir() or target.is_file()):
        raise OutputError(f"Expected a folder to write. Received {str(target)!r}, which is {_kind(target)}.")
    if not force:
        raise OutputError(
            f"Expected a new output. Received {str(target)!r}, which exists.", hint="--force replaces it."
        )
    if target.is_mount() or target.resolve() in (Path.cwd().resolve(), Path.home().resolve()):
        raise OutputError(f"Expected a folder of its own. Received {str(target)!r}, which is not replaced.")


def _kind(target: Path) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(target.lstat().st_mode), "no folder and no file")


def _publish(folder: Path, target: Path) -> None:
    folder.chmod(0o777 & ~_umask())
    check(target, force=True)
    if not target.exists():
        folder.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / target.name)
    folder.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _full_disk(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(f"Expected room on the disk of {str(target)!r}. Received: {error.strerror}.") from error
        raise
