#!/bin/sh
# Builds nats-server, by `go install`, and prints its path. Done already: only prints it.
set -eu
version=v2.15.2
place=${XDG_CACHE_HOME:-$HOME/.cache}/triarch/nats-server/$version

die() { echo "nats-server: $*" >&2; exit 1; }
if [ ! -x "$place/nats-server" ]; then
  command -v go >/dev/null 2>&1 || die "Go is missing. Debian and Ubuntu: apt install golang-go    macOS: brew install go"
  CGO_ENABLED=0 GOBIN=$place go install "github.com/nats-io/nats-server/v2@$version" ||
    die "version $version could not be built (it may need a newer Go than this: $(go version)); is the network there?"
fi
echo "$place/nats-server"
