#!/usr/bin/env bash
# rust.sh BUILD SCRATCH: installs BUILD below SCRATCH, moves the copy, and builds the example load pattern in Rust against its
# C header as docs/plugins.md says: bindgen, rustc, plugin check. Then it runs by name against the simulator; the times that
# were planned are counted. Exit status 77: skipped, in whole or in part.
set -euo pipefail
build=$1
scratch=$2
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/install/common.sh
. "$here/common.sh"

rustc=/usr/bin/rustc # the distribution's, whatever else is in the path
for program in bindgen "$rustc"; do
  command -v "$program" >/dev/null || { echo "SKIPPED: $program is not installed (Debian: bindgen, clang, rustc)" >&2; exit 77; }
done

install_and_move

step "build wander outside the tree: bindgen, rustc"
mkdir "$scratch/plugins"
cp -r "$prefix/share/tokometer/examples/wander" "$scratch/source"
cd "$scratch/source"
bindgen --size_t-is-usize --allowlist-type 'tkm_.*' --allowlist-var 'TKM_.*' "$prefix/include/tokometer/abi.h" -o abi.rs
"$rustc" --edition 2021 -O -C panic=abort -C strip=debuginfo -D warnings --crate-type cdylib wander.rs -o "$scratch/plugins/wander.so"
looks_like_a_plugin "$scratch/plugins/wander.so"

step "the layouts that bindgen saw are the compiler's"
"$rustc" --edition 2021 -A warnings --test abi.rs -o "$scratch/layouts"
"$scratch/layouts" --quiet >"$scratch/layouts.txt" || { cat "$scratch/layouts.txt" >&2; fail "layouts"; }

if [ ! -x "$prefix/bin/tokometer" ]; then
  echo "SKIPPED: check and runs; $build/bin/tokometer is not built" >&2
  exit 77
fi
tokometer=$prefix/bin/tokometer

step "plugin check"
"$tokometer" plugin check "$scratch/plugins/wander.so" | tee "$scratch/check.txt" | tail -1
! grep -Eq '^(fail|crashed|warn) ' "$scratch/check.txt" || { cat "$scratch/check.txt" >&2; fail "plugin check"; }

step "an option outside the schema is refused"
if "$tokometer" validate "$here/rust.yaml" --plugin-dir "$scratch/plugins" --set load.options.within=0.5 2>"$scratch/within.txt"; then
  fail "within: 0.5 was taken"
fi
grep -q within "$scratch/within.txt" || { cat "$scratch/within.txt" >&2; fail "the bad option is not named"; }

# planned NAME SEED: runs by name and prints the planned time of each request, in ns from the first one. A run may end as
# INVALID (5) on a busy machine.
planned() {
  "$tokometer" run "$here/rust.yaml" --plugin-dir "$scratch/plugins" --set "seed=$2" --set "output.dir=$scratch/$1" >&2 || [ $? = 5 ] || fail "run $1"
  find "$scratch/$1" -name records.jsonl -exec grep -oh '"scheduled_ns":[0-9]*' {} + | cut -d: -f2 | sort -n |
    awk 'NR == 1 { zero = $1 } { printf "%d\n", $1 - zero }'
}

step "run it by name: the planned times are kept"
planned first 1 >"$scratch/first.txt"
planned again 1 >"$scratch/again.txt"
planned other 2 >"$scratch/other.txt"
cmp "$scratch/first.txt" "$scratch/again.txt" || fail "the same seed gave other times"
! cmp -s "$scratch/first.txt" "$scratch/other.txt" || fail "another seed gave the same times"
# Steps of 50 ms at 100, 200 or 400 requests a second: 5, 10 or 20 in a step, evenly; 200 first, from step to step at most
# twice or half as many.
awk '
  function bad(what) { print "at " $1 " ns: " what; failed = 1; exit 1 }
  function step_ended() {
    if (count != 5 && count != 10 && count != 20) bad("the step before has " count " requests")
    if (before && (count > 2 * before || before > 2 * count)) bad(count " requests after " before)
    for (n = 0; n < count; ++n) if (at[n] != n * 50000000 / count) bad("request " n " of the step before is at " at[n] " ns of it")
    if (!before && count != 10) bad("the first step has " count " requests")
    if (before && before != count) ++changes
    before = count; count = 0; ++steps
  }
  { now = int($1 / 50000000) }
  now != current { if (now != current + 1) bad("a step is empty"); step_ended(); current = now }
  { at[count++] = $1 % 50000000 }
  END {
    if (failed) exit 1
    step_ended()
    if (steps != 20 || changes < 5) bad(steps " steps, " changes + 0 " changes")
    print NR " requests in " steps " steps, " changes " changes of the rate"
  }' "$scratch/first.txt" || fail "not the times that were planned"
echo "passed"
