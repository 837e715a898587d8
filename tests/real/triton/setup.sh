#!/usr/bin/env bash
# setup.sh DIR: a real tritonserver with its Python backend, for the CPU, and the models of models/ in DIR. Safe to run again.
# Needs x86-64 Linux with glibc 2.35, Python 3.11 with venv and its shared library, 600 MB of disk.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: setup.sh DIR}
wheel=nvidia-pytriton==0.7.0
packages=(numpy==1.26.4)     # the backend reads arrays in the layout of numpy 1
python=${PYTHON:-python3.11}

"$python" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "needs Python 3.11 with venv" >&2; exit 1; }
library_dir=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')
"$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$library_dir/libpython3.11.so.1.0" 2>/dev/null ||
  "$python" -c 'import ctypes; ctypes.CDLL("libpython3.11.so.1.0")' ||
  { echo "needs libpython3.11.so.1.0 (Debian: libpython3.11)" >&2; exit 1; }

if [ "$(cat "$dir/.packages" 2>/dev/null)" != "$wheel ${packages[*]}" ]; then
  rm -rf "$dir/venv" "$dir/wheel" "$dir/server"
  "$python" -m venv "$dir/venv"
  "$dir/venv/bin/pip" install -q --disable-pip-version-check "${packages[@]}"
  # Only the server in the package is wanted, not its Python layer.
  "$dir/venv/bin/pip" download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$dir/wheel" "$wheel"
  "$dir/venv/bin/python" -m zipfile -e "$dir"/wheel/*.whl "$dir/server"
  rm -rf "$dir/wheel"
  triton=$dir/server/pytriton/tritonserver
  cp "$triton/python_backend_stubs/3.11/triton_python_backend_stub" "$triton/backends/python/"
  chmod +x "$triton/bin/tritonserver" "$triton/backends/python/triton_python_backend_stub"
  echo "$library_dir" >"$dir/.library-dir"
  echo "$wheel ${packages[*]}" >"$dir/.packages"
fi

rm -rf "$dir/models"
cp -r "$here/models" "$dir/models"
for model in "$dir"/models/*/; do
  mkdir "$model/1"
  grep -q 'backend: "python"' "$model/config.pbtxt" && cp "$here/model.py" "$model/1/"
done
echo "ready: $dir"
