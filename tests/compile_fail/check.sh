#!/usr/bin/env bash
# check.sh COMPILER INCLUDE FILE: see CMakeLists.txt.
set -euo pipefail
compile=("$1" -std=c++20 -fsyntax-only -Wall -Wextra -Werror "-I$2" "$3")
expected=$(sed -n '1s|^// expect: ||p' "$3")
[ -n "$expected" ] || { echo "$3: the first line must be // expect: ..." >&2; exit 1; }

"${compile[@]}" || { echo "FAILED: $3 must compile as it is" >&2; exit 1; }
if messages=$("${compile[@]}" -DBROKEN 2>&1); then
  echo "FAILED: $3 compiles with -DBROKEN" >&2
  exit 1
fi
grep -qF -- "$expected" <<<"$messages" || { echo "FAILED: the message has no \"$expected\":" >&2; echo "$messages" >&2; exit 1; }
