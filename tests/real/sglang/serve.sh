#!/usr/bin/env bash
# serve.sh DIR PORT METRICS_PORT [SGLang flags]: SGLang on 127.0.0.1:PORT in the foreground.
# The model is called "tiny", its adapters "lora-a" and "lora-b". Its metrics are on PORT. SGLANG_RUST_SERVER=1 takes the
# other of its two HTTP frontends, which has no adapters.
set -euo pipefail
dir=$1 port=$2
shift 3
cd "$dir"
export CUDA_VISIBLE_DEVICES="" SGLANG_USE_CPU_ENGINE=1 OMP_NUM_THREADS=1
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
adapters=(--enable-lora --max-lora-rank 8 --lora-target-modules q_proj v_proj --lora-backend torch_native
          --lora-paths lora-a=lora-a lora-b=lora-b)
[ "${SGLANG_RUST_SERVER:-0}" = 0 ] || adapters=()
exec venv/bin/python -m sglang.launch_server --model-path tiny --served-model-name tiny --host 127.0.0.1 --port "$port" \
  --device cpu --dtype float32 --attention-backend torch_native --sampling-backend pytorch --grammar-backend none \
  --cuda-graph-backend-decode disabled --cuda-graph-backend-prefill disabled --context-length 2048 --max-total-tokens 16384 \
  --max-running-requests 16 --mem-fraction-static 0.1 --random-seed 1 --enable-metrics "${adapters[@]}" "$@"
