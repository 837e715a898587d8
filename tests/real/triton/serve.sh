#!/usr/bin/env bash
# serve.sh DIR PORT METRICS_PORT GRPC_PORT [tritonserver flags]: Triton on 127.0.0.1 in the foreground.
# CUDA errors at the start of its log are harmless. Two models that load at once can end a busy server.
set -euo pipefail
dir=$1 port=$2 metrics_port=$3 grpc_port=$4
shift 4
triton=$dir/server/pytriton/tritonserver
# The backend's helper process is a Python of its own: it finds numpy and libpython by these.
PYTHONPATH=$("$dir/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
LD_LIBRARY_PATH=$(cat "$dir/.library-dir")
export PYTHONPATH LD_LIBRARY_PATH PATH="$dir/venv/bin:$PATH"
exec "$triton/bin/tritonserver" --model-repository="$dir/models" --backend-directory="$triton/backends" \
  --cache-directory="$triton/caches" --http-address=127.0.0.1 --http-port="$port" --grpc-address=127.0.0.1 --grpc-port="$grpc_port" \
  --metrics-address=127.0.0.1 --metrics-port="$metrics_port" --allow-gpu-metrics=false --metrics-interval-ms=500 \
  --pinned-memory-pool-byte-size=0 --backend-config=python,shm-default-byte-size=1048576 --exit-timeout-secs=5 \
  --model-load-thread-count=1 "$@"
