"""What is wrong with a session's directory, and putting it right without losing anything.

From the outside inwards: what stands there and whose it is (`places`), then what the files
hold (`contents`). Damaged files are set aside as `<file>.bad-<time>`, never deleted; a
living writer's journal is never touched; what is not ours is told and left where it is.
"""

from __future__ import annotations

import os
import re
import stat

from m31a_metrics import journal, store
from m31a_metrics.checkup.contents import look_at_contents
from m31a_metrics.checkup.findings import Examination, Finding, Repair
from m31a_metrics.errors import ForeignFile, InvalidSessionId, MetricsError, StorageError
from m31a_metrics.session import BASE, COVERED, IDS, LOCK, Session

# What stands in a session's directory: modes, owners, links, leftovers, foreign files.

_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")
_ASIDE = re.compile(r".+\.bad-\d+")


def look_at_places(examination: Examination) -> bool:
    """Look at modes and owners; tell whether the contents can be looked at."""
    if not _directory(examination, ""):
        return False
    # Of other files beside METRICS.json we know nothing: M31A keeps its own there.
    _file(examination, store.METRICS)
    _leftovers(examination, "")
    if _directory(examination, store.EVENTS):
        names = [BASE, COVERED, IDS, LOCK, *journal.names(examination.session.events)]
        for name in names:
            _file(examination, f"{store.EVENTS}/{name}")
        _leftovers(examination, f"{store.EVENTS}/")
        _foreign_files(examination, names)
    return True


def _directory(examination: Examination, file: str) -> bool:
    path = examination.path(file)
    try:
        if not store.check_directory(path):
            return False
    except ForeignFile as error:
        problem = str(error).removeprefix(f"{path} ").partition(";")[0]
        # What stands in place of a whole session is for a person to judge.
        if file and os.lstat(path).st_uid == os.geteuid():
            examination.find(file, problem, "set it aside", _setting_aside(path))
        else:
            examination.find(file, problem, "move it away, or choose another sessions_dir")
        return False
    _mode(examination, file, 0o700)
    return os.access(path, os.R_OK | os.X_OK)


def _file(examination: Examination, file: str) -> None:
    path = examination.path(file)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if status.st_uid != os.geteuid():
        examination.find(file, f"belongs to user {status.st_uid}, not to you", "make it yours")
    elif stat.S_ISLNK(status.st_mode):
        problem = "is a symbolic link, which is not followed"
        examination.find(file, problem, "set it aside", _setting_aside(path))
    elif not stat.S_ISREG(status.st_mode):
        examination.find(file, "is not a regular file", "set it aside", _setting_aside(path))
    else:
        _mode(examination, file, 0o600)


def _mode(examination: Examination, file: str, right: int) -> None:
    path = examination.path(file)
    mode = stat.S_IMODE(os.lstat(path).st_mode)

    def repair() -> str:
        os.chmod(path, right)
        return f"its mode is {right:04o} now"

    if mode != right:
        examination.find(file, f"has mode {mode:04o}", f"set it to {right:04o}", repair)


def _leftovers(examination: Examination, folder: str) -> None:
    for name in sorted(os.listdir(examination.path(folder))):
        if store.is_half_written(name):
            file = folder + name
            problem = "was left half written by a process that is gone"
            examination.find(file, problem, "delete it", _deleting(examination.path(file)))


def _foreign_files(examination: Examination, ours: list[str]) -> None:
    for name in sorted(os.listdir(examination.session.events)):
        if name not in ours and not _TEMPORARY.fullmatch(name) and not _ASIDE.fullmatch(name):
            file = f"{store.EVENTS}/{name}"
            examination.find(file, "is no file of a session", "move it elsewhere")


def _setting_aside(path: str) -> Repair:
    return lambda: f"set aside as {os.path.basename(store.set_aside(path))}"


def _deleting(path: str) -> Repair:
    def delete() -> str:
        os.unlink(path)
        return "deleted"

    return delete


__all__ = ["Finding", "examine", "session_names"]


def examine(session: Session, *, fix: bool = False) -> list[Finding]:
    """Look at a session's directory; with `fix`, also repair what can be.

    Raises nothing for what it finds: what cannot be read or repaired is a finding too.
    """
    examination = Examination(session, fix)
    try:
        if look_at_places(examination):
            look_at_contents(examination)
    except (MetricsError, OSError) as error:
        examination.find("", str(error), "see to it, then run doctor again")
    return examination.findings


def session_names(sessions_dir: str) -> list[str]:
    """Names below `sessions_dir` that are sessions, or links where a session could be.

    None if it is absent. Raises StorageError.
    """
    names = set(store.session_ids(sessions_dir))
    try:
        with os.scandir(sessions_dir) as entries:
            names.update(entry.name for entry in entries if entry.is_symlink())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot list {sessions_dir}: {error.strerror}") from error
    return sorted(name for name in names if _is_session_id(name))


def _is_session_id(name: str) -> bool:
    try:
        store.check_session_id(name)
    except InvalidSessionId:
        return False
    return True
