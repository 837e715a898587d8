#!/usr/bin/env bash
# setup.sh DIR: a real SGLang that runs its own engine on the CPU, and a tiny random-weight model with adapters in DIR.
# Safe to run again. Needs Python 3.11 with venv, 7 GB of disk (torch cannot be imported without its CUDA libraries); no GPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: setup.sh DIR}
python=${PYTHON:-python3.11}

"$python" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' || {
  echo "needs Python 3.11 with venv: SGLang's wheel holds compiled modules for it" >&2
  exit 1
}

lock_id=$(cat "$here/requirements.lock" "$here/sgl_kernel/__init__.py" | sha256sum | cut -c1-16)
if [ "$(cat "$dir/venv/.lock-id" 2>/dev/null)" != "$lock_id" ]; then
  [ -x "$dir/venv/bin/python" ] || "$python" -m venv "$dir/venv"
  "$dir/venv/bin/pip" install -q --disable-pip-version-check uv==0.13.9
  # --no-deps: packages for CUDA alone stay out.
  "$dir/venv/bin/uv" pip install -q --python "$dir/venv/bin/python" --no-deps --compile-bytecode -r "$here/requirements.lock"
  site=$("$dir/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  rm -rf "$site/sgl_kernel"
  cp -r "$here/sgl_kernel" "$site/"
  echo "$lock_id" >"$dir/venv/.lock-id"
fi

model_id=$(sha256sum "$here/../make_tiny_model.py" | cut -c1-16)
if [ "$(cat "$dir/tiny/.model-id" 2>/dev/null)" != "$model_id" ]; then
  "$dir/venv/bin/python" "$here/../make_tiny_model.py" "$dir"
  echo "$model_id" >"$dir/tiny/.model-id"
fi
echo "ready: $dir"
