#!/usr/bin/env bash
# setup.sh DIR: builds llm-d-inference-sim in DIR/bin. Safe to run again. Needs Go 1.26.6 or newer, 1.5 GB of build cache,
# minutes of CPU. Where the module proxy does not serve it, from two source trees:
#   LLM_D_SIM_SRC     llm-d/llm-d-inference-sim, its commit eec055a39e6bbc1adbcb54f88f24f36b7f94e781 (2026-08-20, after v0.10.2)
#   LLM_D_ROUTER_SRC  llm-d/llm-d-router, its tag v0.10.0, which it needs
set -euo pipefail
dir=${1:?usage: setup.sh DIR}
command=cmd/llm-d-inference-sim
export CGO_ENABLED=0

if [ ! -x "$dir/bin/llm-d-inference-sim" ]; then
  command -v go >/dev/null || { echo "needs Go" >&2; exit 1; }
  mkdir -p "$dir/bin"
  if [ -n "${LLM_D_SIM_SRC:-}" ] && [ -n "${LLM_D_ROUTER_SRC:-}" ]; then
    cp -r "$LLM_D_SIM_SRC" "$dir/src"
    (cd "$dir/src" && go mod edit -replace "github.com/llm-d/llm-d-router=$(cd "$LLM_D_ROUTER_SRC" && pwd)" &&
      go build -mod=mod -o "$dir/bin/" "./$command")
    rm -rf "$dir/src"
  else
    # Not `go install MODULE@VERSION`: that asks for the list of all versions, which not every proxy has.
    source=$(go mod download -json "github.com/llm-d/llm-d-inference-sim@v0.10.2" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    if [ -z "$source" ]; then
      echo "the Go module proxy does not serve it: set LLM_D_SIM_SRC and LLM_D_ROUTER_SRC to source trees" >&2
      exit 1
    fi
    cp -r "$source" "$dir/src"
    chmod -R u+w "$dir/src"
    (cd "$dir/src" && go build -o "$dir/bin/" "./$command")
    rm -rf "$dir/src"
  fi
fi
echo "ready: $dir"
