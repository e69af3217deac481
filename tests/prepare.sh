#!/usr/bin/env bash
# What the tests use besides Python: curl and openssl (the README's and tutorial's own commands), Node with npm (the
# official Node SDK), Chromium (the dashboard) and pgbouncer (the PostgreSQL store behind a pooler) and systemd's own
# checker (the unit); the tests of the last two are skipped without them. Whatever is missing is installed or named.
set -euo pipefail

missing=()
command -v curl >/dev/null || missing+=(curl)
command -v openssl >/dev/null || missing+=(openssl)
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then
  missing+=(nodejs npm)
fi
command -v chromium >/dev/null || missing+=(chromium)
# Not worth failing for. pgbouncer lies in sbin, which is not on everybody's path.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
  command -v systemd-analyze >/dev/null || missing+=(systemd)
fi

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests need ${missing[*]} (Node 18 or later). Install them, or run this as root on Debian." >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" ca-certificates
fi

cd "$(dirname "$0")/sdk/node"
npm ci --no-audit --no-fund --loglevel=error
touch node_modules/.installed
