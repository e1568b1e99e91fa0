"""Build the zip for the plugin store: package.py [OUT.zip]; default dist/concord-VERSION.zip.

The zip holds one folder, concord/, with the tracked files that belong into a user's QGIS.
Times and order are fixed, so that the same files give the same bytes.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOP = {"metadata.txt", "__init__.py", "README.md", "LICENSE", "CHANGELOG.md", "requirements.txt"}
MODEL_FILES = (".onnx", ".json", ".md")


def belongs(path: str) -> bool:
    """True for a file, given relative to the root, that a user's QGIS needs."""
    parts = Path(path).parts
    if any(part.startswith(".") or part == "__pycache__" for part in parts):
        return False
    if path.endswith((".pyc", ".aux.xml")):
        return False
    if len(parts) == 1:
        return path in TOP
    if parts[0] == "models":
        return parts[1] != "training" and path.endswith(MODEL_FILES)
    return parts[0] in ("plugin", "resources")


def tracked() -> list[str]:
    """Files that git tracks; in a folder without git, or before the first commit, all files."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    names = [name for name in done.stdout.split("\0") if name]
    if done.returncode == 0 and names:
        return names
    tops = [ROOT / name for name in ("plugin", "resources", "models")]
    paths = [*(ROOT / name for name in TOP), *(path for top in tops for path in top.rglob("*"))]
    return [path.relative_to(ROOT).as_posix() for path in paths if path.is_file()]


def version() -> str:
    """The version in metadata.txt."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    return metadata["general"]["version"]


def build(target: Path) -> list[str]:
    """Write the zip; the names in it, without the top folder."""
    names = sorted(name for name in tracked() if belongs(name) and (ROOT / name).is_file())
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names:
            entry = zipfile.ZipInfo(f"concord/{name}", date_time=(2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (ROOT / name).read_bytes())
    partial.replace(target)
    return names


def main(arguments: list[str]) -> int:
    """Build and say what was built."""
    target = Path(arguments[0]) if arguments else ROOT / "dist" / f"concord-{version()}.zip"
    names = build(target)
    print(f"{target}: {len(names)} files, {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
