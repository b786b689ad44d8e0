#!/bin/sh
# Evaluates the committed model with llama.cpp itself, built from source.
set -eu
cd "$(dirname "$0")"

test -x .venv/bin/python || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --requirement requirements.txt
CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_OPENMP=OFF" nice -n 10 .venv/bin/python -m pip install \
    --quiet --no-binary llama-cpp-python --requirement requirements-llamacpp.txt
.venv/bin/python agree.py
.venv/bin/python evaluate.py --engine llamacpp
