#!/usr/bin/env bash
# oracle.sh ENCODE_TEXTS: the judge of tokenizer-hf is Hugging Face's own library, in one version, installed from a Python
# package index into a cache (TOKOMETER_REAL_DIR or ~/.cache/tokometer). Exit status 77: it cannot be installed here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
encode_texts=${1:?usage: oracle.sh ENCODE_TEXTS}
version=0.23.2
dir=${TOKOMETER_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tokometer}/tokenizers-$version

if [ ! -e "$dir/.ready" ]; then
  if ! { python3 -m venv "$dir" && "$dir/bin/pip" install -q "tokenizers==$version"; } >&2; then
    echo "SKIPPED: tokenizers $version cannot be installed" >&2
    exit 77
  fi
  touch "$dir/.ready"
fi
exec "$dir/bin/python" -B "$here/oracle.py" "$encode_texts"
