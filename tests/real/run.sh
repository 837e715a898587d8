#!/usr/bin/env bash
# run.sh [SERVER...]: tokometer against real servers on this machine, one folder a server; all of them if none is named.
# Called by `./dev test real`. Slow: each installs its server once, into a cache of its own.
set -euo pipefail
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- */
for server in "$@"; do
  server=${server%/}
  if [ ! -x "$server/real.sh" ]; then
    echo "run.sh: no real server \"$server\" here; there are: $(echo */ | tr -d /)" >&2
    exit 2
  fi
  echo "== $server"
  "$server/real.sh"
done
