#!/usr/bin/env bash
# newer_host.sh CC HEADER HERE SCRATCH: a plugin built with today's abi.h runs under a host built with a later minor, in
# which [sized] structs and sinks have grown at their ends; and what the plugin does not know reads as absent.
set -euo pipefail
cc=$1
header=$2
here=$3
scratch=$4
flags=(-std=c11 -O1 -g -Wall -Wextra -Werror)

rm -rf "$scratch"
mkdir -p "$scratch/newer/tokometer"
newer=$scratch/newer/tokometer/abi.h
# grow STRUCT MEMBER: adds a member at the end.
grow() {
  grep -q "^} $1;" "$newer" || { echo "no struct $1" >&2; exit 1; }
  sed -i "s/^} $1;/  $2;\n} $1;/" "$newer"
}
sed 's/^#define TKM_ABI_MINOR 0/#define TKM_ABI_MINOR 1/' "$header" >"$newer"
grow tkm_prompt 'int64_t later'
grow tkm_events 'void (*later)(void* ctx, int64_t number)'
grow tkm_delta 'int64_t later'
grow tkm_processor_ops 'tkm_status (*later)(tkm_processor* processor)'
grow tkm_component 'const void* later'
python3 "$here/../../sdk/abi/append_only.py" "$newer" "$header"

"$cc" "${flags[@]}" "-I$(dirname "$(dirname "$header")")" -c "$here/old_plugin.c" -o "$scratch/old_plugin.o"
"$cc" "${flags[@]}" "-I$scratch/newer" -c "$here/newer_host.c" -o "$scratch/newer_host.o"
"$cc" "$scratch/newer_host.o" "$scratch/old_plugin.o" -o "$scratch/newer_host"
"$scratch/newer_host"
