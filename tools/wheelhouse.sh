#!/bin/sh
# tools/wheelhouse.sh OUT [GIT_REF] [--python 3.N] [--arch ARCH]: all that a host without internet needs to install a release, in the folder OUT.
# See tools/wheelhouse.py, which does it; this only provides its environment.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
"$here/tools/setup-deploy.sh"
exec "$here/.venv-deploy/bin/python" "$here/tools/wheelhouse.py" "$@"
