"""Builds the dashboard, and holds the built files, which are committed, against the sources that they were built from.

python tools/dashboard.py --build    npm ci where needed, types, build, and a manifest of it; needs Node.js 20 with npm
python tools/dashboard.py --check    exits 1 when the build is stale, was changed, is too large, or loads anything from
                                     elsewhere; needs no Node.js
"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "dashboard"
BUILT = ROOT / "orchestrator" / "dashboard" / "static"
MANIFEST = BUILT / "manifest.json"
INSTALLED = SOURCES / "node_modules" / ".package-lock.json"
SCRIPT_BYTES_MAX = 150_000
"""Of all scripts together, compressed: what a browser loads that has seen every page."""


def digest(path: Path) -> str:
    """SHA-256, in hexadecimal, of one file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sources_digest() -> str:
    """One digest of all sources, their names and contents."""
    whole = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*")):
        name = path.relative_to(SOURCES)
        if path.is_file() and "node_modules" not in name.parts:
            whole.update(f"{name.as_posix()} {digest(path)}\n".encode())
    return whole.hexdigest()


def built_digests() -> dict[str, str]:
    """By name, the digest of each built file."""
    found = (path for path in sorted(BUILT.rglob("*")) if path.is_file() and path != MANIFEST)
    return {path.relative_to(BUILT).as_posix(): digest(path) for path in found}


def script_bytes() -> int:
    """All scripts, each compressed as a node sends it."""
    return sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in BUILT.rglob("*.js"))


def faults() -> list[str]:
    """What is wrong with the build; empty when nothing is."""
    if not MANIFEST.is_file():
        return ["the dashboard is not built: make dashboard"]
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    found = []
    if manifest["sources"] != sources_digest():
        found.append("the sources in dashboard/ have changed since the build: make dashboard")
    if manifest["files"] != built_digests():
        found.append(f"{BUILT.relative_to(ROOT)} is not what was built: make dashboard")
    size = script_bytes()
    if size > SCRIPT_BYTES_MAX:
        found.append(f"the scripts have {size} bytes compressed, {SCRIPT_BYTES_MAX} at most")
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    if re.search(r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=|(?:src|href)=\"(?!/)", page):
        found.append("index.html has a script or style of its own, or loads something from elsewhere")
    if '"resolved"' in (SOURCES / "package-lock.json").read_text(encoding="utf-8"):
        found.append("dashboard/package-lock.json names where packages were fetched: run npm install in dashboard/")
    return found


def build() -> None:
    """Build anew, and write the manifest. SystemExit says what failed."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm was not found: install Node.js 20 or newer, which brings it")
    lock = SOURCES / "package-lock.json"
    if not INSTALLED.is_file() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        _run(npm, "ci")
        INSTALLED.touch()
    _run(npm, "run", "--silent", "types")
    _run(npm, "run", "--silent", "build", "--", "--logLevel", "warn")
    manifest = {"sources": sources_digest(), "files": built_digests()}
    MANIFEST.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=SOURCES, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[1:])} failed in {SOURCES}")


def main(arguments: list[str]) -> int:
    if arguments == ["--build"]:
        build()
    elif arguments != ["--check"]:
        print(__doc__, file=sys.stderr)
        return 2
    found = faults()
    for fault in found:
        print(fault, file=sys.stderr)
    if not found:
        print(f"dashboard: scripts of {script_bytes() / 1000:.1f} kB compressed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
