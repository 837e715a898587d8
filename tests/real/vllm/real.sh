#!/usr/bin/env bash
# real.sh: a real vLLM on this machine's CPU under load from tokometer, and its own counters as the judge.
#
# Installs vLLM and a tiny model (once, 6 GB, into TOKOMETER_REAL_DIR or ~/.cache/tokometer/vllm), starts it, sends 200
# requests of a ShareGPT-form file at Poisson 5 per second, streamed, through vllm.so, and compares: every request
# accounted for, token totals equal to the server's counters. Prints the client's TTFT and ITL beside the server's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
tokometer=${TOKOMETER:-$root/build/bin/tokometer}
dir=${TOKOMETER_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tokometer/vllm}
work=$(mktemp -d)
server=

stop() {
  if [ -n "$server" ]; then kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits for the line that serve.sh prints; up to 10 minutes, for a machine with other work to do.
wait_ready() {
  local tries
  for tries in $(seq 600); do
    grep -q '^READY ' "$work/server.log" && return
    kill -0 "$server" 2>/dev/null || break
    sleep 1
  done
  echo "real.sh: vLLM did not start after $tries s; its last words:" >&2
  tail -n 20 "$work/server.log" >&2
  return 1
}

"$here/setup.sh" "$dir"
port=$(free_port)
VLLM_REAL_DIR=$dir "$here/serve.sh" "$port" --enable-prompt-tokens-details >"$work/server.log" 2>&1 &
server=$!
wait_ready
grep '^READY ' "$work/server.log"

python3 "$here/make_sharegpt.py" 200 >"$work/sharegpt.json"
# What the server compiles at its first requests must not meet the run.
python3 "$here/counters.py" warm-up "http://127.0.0.1:$port"
python3 "$here/counters.py" read "http://127.0.0.1:$port" >"$work/before.json"
status=0
URL="http://127.0.0.1:$port" FILE="$work/sharegpt.json" "$tokometer" run "$here/real.yaml" --set "output.dir=$work/runs" ||
  status=$?
python3 "$here/counters.py" read "http://127.0.0.1:$port" >"$work/after.json"
python3 "$here/compare.py" "$work"/runs/*/ "$work/before.json" "$work/after.json" 200
if [ "$status" != 0 ]; then echo "tokometer ended with exit code $status" >&2; fi
exit "$status"
