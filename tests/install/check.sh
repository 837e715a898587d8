#!/usr/bin/env bash
# check.sh BUILD SCRATCH: installs BUILD below SCRATCH, moves the copy, builds plugins outside the tree against it with
# find_package(tokometer) -- the SDK's template and example backends in C++ and a load pattern in plain C --, looks at what
# they export, and runs run files that name them, against the simulator or a small server of their kind. Nothing is rebuilt
# for that. Exit status 77: skipped in part.
set -euo pipefail
build=$1
scratch=$2
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/install/common.sh
. "$here/common.sh"

install_and_move

# out_of_tree NAME SOURCE: builds a plugin as a third party would and drops it into the plugin folder.
out_of_tree() {
  local name=$1 source=$2
  step "build $name outside the tree"
  cp -r "$source" "$scratch/$name-source"
  cmake -G Ninja -S "$scratch/$name-source" -B "$scratch/$name-build" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/$name.log" 2>&1 &&
    cmake --build "$scratch/$name-build" >>"$scratch/$name.log" 2>&1 || { cat "$scratch/$name.log" >&2; fail "$name does not build"; }
  mkdir -p "$scratch/plugins"
  cp "$scratch/$name-build/$name.so" "$scratch/plugins/"
  looks_like_a_plugin "$scratch/plugins/$name.so"
}

out_of_tree my-backend "$prefix/share/tokometer/template"
out_of_tree volley "$prefix/share/tokometer/examples/volley"
examples=(ollama anthropic signed)
for name in "${examples[@]}"; do
  out_of_tree "$name" "$prefix/share/tokometer/examples/$name"
done

if [ ! -x "$prefix/bin/tokometer" ]; then
  echo "SKIPPED: the runs; $build/bin/tokometer is not built" >&2
  exit 77
fi

step "list and describe"
tokometer=("$prefix/bin/tokometer")
plugins=(--plugin-dir "$scratch/plugins")
"${tokometer[@]}" plugin list "${plugins[@]}" | tee "$scratch/list.txt"
for name in my-backend volley vllm standard; do
  grep -q "\b$name\b" "$scratch/list.txt" || fail "plugin list does not show $name"
done
"${tokometer[@]}" plugin describe volley "${plugins[@]}" | grep -q every || fail "plugin describe volley shows no options"

step "run them by name"
# run_it ARGUMENTS: a run may end as INVALID (5) on a busy machine; the requests are counted below.
run_it() { "${tokometer[@]}" run "$@" "${plugins[@]}" || [ $? = 5 ] || fail "run $*"; }
run_it "$here/out_of_tree.yaml" --set "output.dir=$scratch/runs"
records=$(find "$scratch/runs" -name records.jsonl)
ok=$(grep -c '"status":"ok"' "$records" || true)
[ "$ok" = 30 ] || fail "$ok of 30 requests ended well"
grep -q '"my-backend"' "$(dirname "$records")/manifest.json" || fail "the manifest does not name my-backend"
# The C pattern decides when: six volleys of five at one instant each.
instants=$(grep -o '"scheduled_ns":[0-9]*' "$records" | sort | uniq -c | awk '{print $1}' | sort | uniq -c | awk '{print $1 "x" $2}')
[ "$instants" = 6x5 ] || fail "not six volleys of five, but: $instants"

step "the example backends: their fixtures, and a run each against a server of their kind"
coproc SERVER { exec python3 -B "$here/example_servers.py"; }
server=$SERVER_PID
trap 'kill "$server"' EXIT
read -r url <&"${SERVER[0]}"
for name in "${examples[@]}"; do
  "${tokometer[@]}" plugin check "$scratch/plugins/$name.so" --fixtures "$prefix/share/tokometer/examples/$name/fixtures" >"$scratch/$name-check.txt" ||
    { cat "$scratch/$name-check.txt" >&2; fail "plugin check $name"; }
  file=$here/example_backend.yaml
  [ ! -f "$here/$name.yaml" ] || file=$here/$name.yaml
  EXAMPLE_KEY=key-of-the-example run_it "$file" --url "$url" --set "processor.use=$name" \
    --set "output.dir=$scratch/$name-runs" --set output.console=quiet
  records=$(find "$scratch/$name-runs" -name records.jsonl)
  ok=$(grep -c '"output_tokens":3,.*"status":"ok"' "$records" || true)
  [ "$ok" = 20 ] || fail "$name: $ok of 20 requests ended well with 3 tokens"
done
if EXAMPLE_KEY=wrong-key-123 "${tokometer[@]}" run "$here/example_backend.yaml" "${plugins[@]}" --url "$url" \
  --set processor.use=anthropic --set "output.dir=$scratch/no-runs" 2>"$scratch/key.txt"; then
  fail "a wrong key was taken"
fi
if EXAMPLE_KEY=wrong-key-123 "${tokometer[@]}" run "$here/signed.yaml" "${plugins[@]}" --url "$url" \
  --set "output.dir=$scratch/no-runs" 2>"$scratch/signature.txt"; then
  fail "a wrong signature was taken"
fi
grep -q "the signature is not right" "$scratch/signature.txt" || { cat "$scratch/signature.txt" >&2; fail "the wrong signature is not named"; }
grep -q "answered 401 to /v1/models" "$scratch/key.txt" || { cat "$scratch/key.txt" >&2; fail "the wrong key is not named"; }
echo "passed"
