#!/usr/bin/env bash
# What `make bench` uses besides Python: wrk, Node with npm, and a compiler for better-sqlite3, whose ready-made binaries
# are not fetched from everywhere. Whatever is missing is installed from Debian, or named.
set -euo pipefail

missing=()
command -v wrk >/dev/null || missing+=(wrk)
command -v npm >/dev/null || missing+=(nodejs npm)
command -v make >/dev/null || missing+=(make)
command -v g++ >/dev/null || missing+=(g++)
[ -e /usr/include/node/node.h ] || [ -n "${npm_config_nodedir:-}" ] || missing+=(libnode-dev)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The bench needs ${missing[*]}. Install them, or run this as root on Debian." >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" ca-certificates
fi

node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || {
  echo "The Node peer of the bench needs Node 20 or later; this is $(node --version)." >&2
  exit 1
}

cd "$(dirname "$0")/peers/fastify"
# Compiles against the headers of the Node that is installed; the registry has them not.
[ -e /usr/include/node/node.h ] && export npm_config_nodedir="${npm_config_nodedir:-/usr}"
npm ci --no-audit --no-fund --loglevel=error
node -e 'new (require("better-sqlite3"))(":memory:")' || {
  echo "better-sqlite3 was not built: npm rebuild better-sqlite3 --build-from-source tells why." >&2
  exit 1
}
touch node_modules/.installed
