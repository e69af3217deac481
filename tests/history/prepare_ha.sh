#!/usr/bin/env bash
# What `make soak-ha` uses besides Python: PostgreSQL, Patroni, etcd, and what makes and cuts networks. Whatever is
# missing is installed on Debian, without starting any service of it now or later.
set -euo pipefail

if [ "$(id -u)" != 0 ]; then
  echo "make soak-ha needs root: it makes network namespaces." >&2
  exit 1
fi

has_postgresql() { compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null; }

missing=()
command -v ip >/dev/null || missing+=(iproute2)
command -v nft >/dev/null || missing+=(nftables)
command -v setpriv >/dev/null || missing+=(util-linux)
command -v etcd >/dev/null || missing+=(etcd-server)
command -v patroni >/dev/null || missing+=(patroni)
/usr/bin/python3 -c 'import etcd, psycopg2' 2>/dev/null || missing+=(python3-etcd python3-psycopg2)
has_postgresql || missing+=(postgresql)
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "make soak-ha needs ${missing[*]}. Install them, or run this on Debian." >&2
  exit 1
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
fi

install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; }

apt-get update -qq
if ! has_postgresql; then
  install postgresql-common
  sed -i 's/^#\? *create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
fi
install "${missing[@]}"
for service in etcd patroni; do
  if command -v systemctl >/dev/null && [[ " ${missing[*]} " == *" $service"* ]]; then
    systemctl disable --quiet "$service" || echo "$service is started with this machine from now on" >&2
  fi
done
