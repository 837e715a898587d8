#!/usr/bin/env bash
# exported_symbols.sh PLUGIN.so...: each exports tkm_module_v1 and nothing else (so also no STB_GNU_UNIQUE symbol, with
# which two plugins would share state), and carries the note.
set -euo pipefail
for plugin in "$@"; do
  exported=$(nm -D --defined-only "$plugin" | awk '{print $NF}' | sort | paste -sd' ')
  [ "$exported" = tkm_module_v1 ] || { echo "$plugin exports \"$exported\", not tkm_module_v1 alone" >&2; exit 1; }
  unique=$(nm -D "$plugin" | awk '$(NF - 1) == "u" {print $NF}')
  [ -z "$unique" ] || { echo "$plugin has unique symbols: $unique" >&2; exit 1; }
  notes=$(readelf --notes --wide "$plugin")
  grep -q '^ *tokometer ' <<<"$notes" || { echo "$plugin has no tokometer note" >&2; exit 1; }
done
