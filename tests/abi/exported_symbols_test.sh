#!/usr/bin/env bash
# exported_symbols_test.sh CC SCRATCH: exported_symbols.sh takes a good library and refuses bad ones.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
cd "$2"

build() { # NAME < C SOURCE
  cat >"$1.c"
  "$cc" -shared -fPIC -fvisibility=hidden "-I$here/../../sdk/include" "$1.c" -o "$1.so"
}
cc=$1
entry='#include <tokometer/abi.h>
const tkm_module* tkm_module_v1(void) { return 0; }'
build good <<<"$entry
TKM_NOTE(\"good\", \"1\");"
build leaks <<<"$entry
TKM_NOTE(\"leaks\", \"1\");
TKM_EXPORT int more(void) { return 1; }"
build no_note <<<"$entry"
build no_entry <<<'#include <tokometer/abi.h>
TKM_NOTE("no_entry", "1");
int unused;'

"$here/exported_symbols.sh" good.so
for bad in leaks no_note no_entry; do
  if "$here/exported_symbols.sh" $bad.so; then
    echo "FAILED: $bad.so was taken" >&2
    exit 1
  fi
done
