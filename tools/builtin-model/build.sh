#!/bin/sh
# Rebuilds the built-in model: trains, exports, evaluates. See README.md.
set -eu
cd "$(dirname "$0")"

# One thread, so that training leaves room for other work and repeats exactly.
export XLA_FLAGS="--xla_cpu_multi_thread_eigen=false"

test -x .venv/bin/python || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --requirement requirements.txt
nice -n 10 .venv/bin/python train.py
nice -n 10 .venv/bin/python export.py
nice -n 10 .venv/bin/python evaluate.py
