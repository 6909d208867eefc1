"""Installs a release of Triarch from its wheels, without internet."""

import glob
import os
import shutil

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: triarch_release
short_description: Installs a release of Triarch from its wheels
description:
  - Makes C(ROOT/releases/VERSION), a virtual environment of the host's Python, from wheels in a folder of the host.
  - A release that is there completely is left alone; one whose installation was interrupted is made anew, and so is one
    that was made with another Python, as on a host whose system was upgraded. C(complete) says whether it was there.
options:
  version: {type: str, required: true, description: Version of the release}
  root: {type: path, required: true, description: Folder above the releases}
  wheels: {type: path, required: true, description: Folder with the wheels and requirements.txt}
  python: {type: path, default: /usr/bin/python3, description: Interpreter of the release}
author: [The Triarch project]
"""

MARKER = ".installed"
"""Written last: without it a release is not complete."""


def complete(target, python):
    """Whether the release in `target` is whole, and made with Python `python` (3.N): those of others do not start."""
    return os.path.exists(os.path.join(target, MARKER)) and os.path.isdir(
        os.path.join(target, "lib", "python" + python, "site-packages")
    )


def series(module):
    """3.N of the interpreter that releases are made with."""
    asks = "import sys; print('%d.%d' % sys.version_info[:2])"
    return module.run_command([module.params["python"], "-c", asks], check_rc=True)[1].strip()


def install(module):
    """The steps, each of which must succeed."""
    target = os.path.join(module.params["root"], "releases", module.params["version"])
    wheels = module.params["wheels"]
    python = os.path.join(target, "bin", "python")
    environment = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": os.devnull}
    # Debian's pip comes as a wheel, which can be run as it is: to install it takes three seconds of processor time.
    bundled = sorted(glob.glob("/usr/share/python-wheels/pip-*.whl"))
    if bundled:
        environment["PYTHONPATH"] = bundled[-1]
    shutil.rmtree(target, ignore_errors=True)
    steps = (
        [module.params["python"], "-m", "venv", *(["--without-pip"] if bundled else []), target],
        [
            *(python, "-m", "pip", "install", "--no-input", "--quiet", "--no-deps", "--require-hashes"),
            *("--find-links", wheels, "-r", os.path.join(wheels, "requirements.txt")),
        ],
        [os.path.join(target, "bin", "triarch"), "--version"],
    )
    said = ""
    for step in steps:
        code, said, error = module.run_command(step, environ_update=environment)
        if code:
            module.fail_json(
                msg="the release {} could not be installed: {} ended with {}: {}".format(
                    module.params["version"], " ".join(step), code, (error or said).strip()[-2000:]
                )
            )
    if module.params["version"] not in said:
        module.fail_json(msg="installed was {!r}, not version {}".format(said.strip(), module.params["version"]))
    with open(os.path.join(target, MARKER), "w") as file:
        file.write(module.params["version"] + "\n")
        file.flush()
        os.fsync(file.fileno())


def main():
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "wheels": {"type": "path", "required": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
        },
        supports_check_mode=True,
    )
    target = os.path.join(module.params["root"], "releases", module.params["version"])
    if complete(target, series(module)):
        module.exit_json(changed=False, path=target, complete=True)
    if not module.check_mode:
        install(module)
    module.exit_json(changed=True, path=target, complete=False)


if __name__ == "__main__":
    main()
