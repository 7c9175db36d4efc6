"""Style sheet and scripts: ours, and plotly.js out of the installed plotly package."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from m31a_metrics.errors import ExtraNotInstalled, StorageError

PLOTLY = "plotly.js"
STATIC = Path(__file__).parent / "static"

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_OURS = (
    "dashboard.css",
    "dashboard.js",
    "search.css",
    "theme.js",
    "transcript.css",
    "transcript.js",
)


class Asset(Struct, frozen=True):
    """A file that pages load.

    `address` is where the server has it. It changes with the contents, so the file may be kept
    for ever.
    """

    name: str
    data: bytes
    media_type: str
    address: str


@cache
def assets() -> dict[str, Asset]:
    """Read all assets, once. Raises ExtraNotInstalled without plotly, StorageError."""
    found = {name: _asset(name, STATIC / name) for name in _OURS}
    found[PLOTLY] = _asset(PLOTLY, _plotly())
    return found


def _asset(name: str, path: Path) -> Asset:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    address = f"/static/{sha256(data).hexdigest()[:12]}/{name}"
    return Asset(name, data, _TYPES[Path(name).suffix], address)


def _plotly() -> Path:
    # Importing plotly takes a second, and only its file is wanted.
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise ExtraNotInstalled("a page with plots", "web")
    return Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
