"""A wheelhouse: every wheel that a host without internet needs for a release of Triarch, with a manifest.

    tools/wheelhouse.sh OUT [GIT_REF] [--python 3.N] [--arch ARCH]

``OUT`` then holds the wheels, ``requirements.txt`` (exact versions with hashes, which the hosts' pip checks), both
once more in one piece in ``wheelhouse.tar`` (a file costs a round trip to each host), and ``wheelhouse.json``:
``{"version", "commit", "python", "platform", "files": {name: sha256}}``. Versions come from the lock of the release
itself (``requirements/telemetry.lock`` of ``GIT_REF``: the core and the exporter of traces). ``GIT_REF`` is a
version of deploy/releases.yml that was released, or what git knows: a commit, a branch; HEAD if not given.

The wheels are those of the hosts' Python, not of the Python that runs this: Debian 12 has 3.11.2, and a lock may ask
for other packages there than on 3.11.7. pip judges such conditions by the Python it runs on, so they are judged here.
Hosts with another Python are given theirs by ``--python``; one whose packages have no wheels for it yet is refused.
"""

import argparse
import hashlib
import json
import os
import platform as machine_of
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
HOST_PYTHON = "3.11"
"""Debian 12's."""
OLDEST_PATCH = {"3.11": "3.11.2"}
"""By Python, the oldest that hosts have, where it is not 3.N.0. What a newer one does not need does no harm."""
PYTHON_MIN = (3, 11)
GLIBC = (2, 36)
"""Debian 12's: newer wheels would not load there. Hosts with a newer Python have a newer one of this, too."""
MANIFEST = "wheelhouse.json"
REQUIREMENTS = "requirements.txt"
ARCHIVE = "wheelhouse.tar"


class WheelhouseFailed(Exception):
    """What went wrong, for the person who asked."""


def run(*command: str, cwd: Path = ROOT) -> bytes:
    """Output of a command. Errors: WheelhouseFailed with what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise WheelhouseFailed(f"{' '.join(command[:6])} …: exit {done.returncode}\n{said[-3000:]}")
    return done.stdout


def checkout(ref: str, into: Path) -> str:
    """Unpack what git has under ``ref`` into ``into``; its commit. What is not committed does not come along."""
    released = yaml.safe_load((ROOT / "deploy/releases.yml").read_text())["releases"].get(ref, {}).get("commit")
    try:
        wanted = f"{released or ref}^{{commit}}"
        commit = run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", wanted).decode().strip()
    except WheelhouseFailed:
        raise WheelhouseFailed(
            f"git does not know {released or ref} here; a clone without its history lacks earlier releases: "
            "git fetch --unshallow, or git fetch origin main"
        ) from None
    with tarfile.open(fileobj=BytesIO(run("git", "archive", commit))) as archive:
        archive.extractall(into, filter="data")
    return commit


def host_environment(arch: str, python: str = HOST_PYTHON) -> dict[str, str]:
    """What the conditions of a lock are judged by: a host with this Python; Debian 12, if not given."""
    full = OLDEST_PATCH.get(python, f"{python}.0")
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": arch,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }


def entries(lock: str) -> list[tuple[Requirement, list[str]]]:
    """Requirement and hashes of each entry of a lock."""
    found: list[tuple[Requirement, list[str]]] = []
    joined = re.sub(r"\\\n", " ", lock)
    for written in joined.splitlines():
        line = written.split(" # ")[0].strip()
        if not line or line.startswith("#"):
            continue
        text, *hashes = line.split("--hash=")
        found.append((Requirement(text.strip()), [one.strip() for one in hashes]))
    return found


def for_host(lock: Path, arch: str, python: str = HOST_PYTHON) -> tuple[list[str], list[str]]:
    """Lines of a requirements file without conditions: (those that have wheels, those that come as source only)."""
    environment = host_environment(arch, python)
    wheels: list[str] = []
    sources: list[str] = []
    for requirement, hashes in entries(lock.read_text()):
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        line = f"{requirement.name}{requirement.specifier} " + " ".join(f"--hash={one}" for one in hashes)
        (sources if canonicalize_name(requirement.name) in SOURCE_ONLY else wheels).append(line)
    return wheels, sources


SOURCE_ONLY = {"pysyncobj"}
"""No wheel of it is published: it is built here, without any other network access. It is pure Python."""


def platforms(arch: str) -> list[str]:
    """What pip may take, newest first."""
    names = [f"manylinux_{GLIBC[0]}_{minor}_{arch}" for minor in range(GLIBC[1], 4, -1)]
    return [*names, f"manylinux2014_{arch}", f"manylinux2010_{arch}", f"manylinux1_{arch}", f"linux_{arch}"]


def download(lines: list[str], out: Path, arch: str, python: str, work: Path) -> None:
    """Fetch wheels for the hosts' Python, each checked against the hash in the lock."""
    wanted = work / "wheels.txt"
    wanted.write_text("\n".join(lines) + "\n")
    chosen = [f"--platform={name}" for name in platforms(arch)]
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "download")
    theirs = [f"--python-version={python}", f"--abi=cp{python.replace('.', '')}", "--abi=abi3", "--abi=none"]
    run(
        *pip, "--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp", *theirs, *chosen,
        "--dest", str(out), "-r", str(wanted),
    )  # fmt: skip


def build(what: list[str], out: Path) -> None:
    """Make wheels of what ``pip wheel`` is told, by the tools of requirements/build.lock in this environment."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "wheel")
    run(*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), *what)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make(out: Path, ref: str, arch: str, python: str = HOST_PYTHON) -> dict[str, object]:
    """Fill ``out``, which is empty or was made by this before; its manifest. Errors: WheelhouseFailed."""
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise WheelhouseFailed(f"{out} is not empty and no wheelhouse: name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as beside:
        work, fresh = Path(beside), Path(beside) / "wheels"
        fresh.mkdir()
        commit = checkout(ref, work / "release")
        wheels, sources = for_host(work / "release/requirements/telemetry.lock", arch, python)
        download(wheels, fresh, arch, python, work)
        source = work / "sources.txt"
        source.write_text("\n".join(sources) + "\n")
        build(["--require-hashes", "--no-binary=:all:", "-r", str(source)], fresh)
        build([str(work / "release")], fresh)
        manifest = describe(fresh, commit, arch, python)
        shutil.rmtree(out, ignore_errors=True)
        os.replace(fresh, out)
    out.chmod(0o755)
    return manifest


def describe(out: Path, commit: str, arch: str, python: str = HOST_PYTHON) -> dict[str, object]:
    """Write the requirements with hashes and the manifest; the manifest."""
    files = {path.name: sha256(path) for path in sorted(out.glob("*.whl"))}
    parsed = {name: parse_wheel_filename(name) for name in files}
    foreign = [
        name for name, (_, _, _, tags) in parsed.items() if not any(fits(str(tag.platform), arch) for tag in tags)
    ]
    if foreign:
        raise WheelhouseFailed(f"not for {arch}: {', '.join(foreign)}")
    lines = [f"{name}=={version} --hash=sha256:{files[file]}" for file, (name, version, _, _) in parsed.items()]
    (out / REQUIREMENTS).write_text("\n".join(lines) + "\n")
    with tarfile.open(out / ARCHIVE, "w") as archive:
        for name in [*files, REQUIREMENTS]:
            archive.add(out / name, name, filter=_plain)
    version = next(str(version) for name, version, _, _ in parsed.values() if name == "triarch")
    manifest: dict[str, object] = {
        "version": version,
        "commit": commit,
        "python": python,
        "platform": arch,
        "files": files | {name: sha256(out / name) for name in (REQUIREMENTS, ARCHIVE)},
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o644
    return entry


def fits(tag: str, arch: str) -> bool:
    """Whether a wheel's platform tag loads on the hosts."""
    return tag == "any" or tag.endswith(f"_{arch}")


def minor(text: str) -> str:
    """A Python as it is asked for: 3.N. Errors: argparse.ArgumentTypeError."""
    found = re.fullmatch(r"3\.(\d{1,2})", text)
    if found is None or (3, int(found[1])) < PYTHON_MIN:
        raise argparse.ArgumentTypeError(f"{text!r} is no Python that a node runs on, as {HOST_PYTHON} or 3.13")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description="A wheelhouse for hosts without internet.")
    parser.add_argument("out", type=Path, help="folder; what an earlier call left there is replaced")
    parser.add_argument("ref", nargs="?", default="HEAD", help="what git knows: a tag, a branch; HEAD if not given")
    parser.add_argument("--arch", default=machine_of.machine(), help="of the hosts: x86_64 or aarch64")
    parser.add_argument("--python", type=minor, default=HOST_PYTHON, help="of the hosts, 3.N; 3.11 if not given")
    given = parser.parse_args()
    try:
        manifest = make(given.out.absolute(), given.ref, given.arch, given.python)
    except WheelhouseFailed as error:
        print(f"wheelhouse: {error}", file=sys.stderr)
        return 1
    commit = str(manifest["commit"])[:12]
    print(f"{given.out}: triarch {manifest['version']} of commit {commit}, for Python {given.python}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
