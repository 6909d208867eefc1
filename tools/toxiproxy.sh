#!/bin/sh
# Builds the Toxiproxy server that tests/chaos looks for, by `go install`, and prints its path. Done already: only prints it.
# Needs Go 1.23 or newer, or 1.17 or newer for the older version that Debian 12's Go can build; the tests are the same.
set -eu
newest=v2.12.0
before_go_1_23=v2.5.0
place=${XDG_CACHE_HOME:-$HOME/.cache}/triarch/toxiproxy

die() { echo "toxiproxy: $*" >&2; exit 1; }
command -v go >/dev/null 2>&1 || die "Go is missing. Debian and Ubuntu: apt install golang-go    macOS: brew install go"

# "go version go1.26.8 linux/amd64"; a release candidate is "go1.26rc1"
minor=$(go version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
[ -n "$minor" ] || die "cannot read the version in: $(go version)"
if [ "$minor" -ge 23 ]; then version=$newest
elif [ "$minor" -ge 17 ]; then version=$before_go_1_23
else die "Go 1.17 or newer is needed; here: $(go version)"; fi

if [ ! -x "$place/$version/server" ]; then
  CGO_ENABLED=0 GOBIN=$place/$version go install "github.com/Shopify/toxiproxy/v2/cmd/server@$version" ||
    die "version $version could not be built; is the network there? Run it again to go on."
fi
ln -sfn "$version/server" "$place/toxiproxy-server"
echo "$place/toxiproxy-server"
