#!/usr/bin/env bash
# serve.sh DIR PORT METRICS_PORT [flags]: llm-d-inference-sim in the foreground. It has no flag for the address: all interfaces.
# The model is called "tiny", its adapters "lora-a" and "lora-b". Its metrics are on PORT.
set -euo pipefail
dir=$1 port=$2
shift 3
exec "$dir/bin/llm-d-inference-sim" --model tiny --port "$port" --mode random --seed 1 --force-dummy-tokenizer \
  --time-to-first-token 30ms --inter-token-latency 5ms --max-num-seqs 8 --max-model-len 2048 --max-loras 2 \
  --lora-modules '{"name":"lora-a"}' '{"name":"lora-b"}' "$@"
