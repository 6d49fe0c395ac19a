# This package with its exact set of libraries. The base is any Debian or Ubuntu:
#
#   docker build -t bevdistill .
#   docker build -t bevdistill --build-arg BASE=nvidia/cuda:12.6.3-devel-ubuntu22.04 --build-arg TORCH_INDEX= .
#   docker run --rm -v "$PWD/runs:/runs" bevdistill predict CONFIG CHECKPOINT --images /runs/drive ...
#
# Not built in this project's tests, which have no container engine. mmcv is compiled once: 10 to 20 minutes.
ARG BASE=debian:bookworm
FROM ${BASE}
# An index of CPU builds of torch; empty: builds with CUDA from the plain index.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV DEBIAN_FRONTEND=noninteractive UV_PYTHON_INSTALL_DIR=/opt/python PATH=/opt/uv/bin:${PATH}
# The base's own Python where it is 3.11 to 3.13, else one that uv brings.
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates g++ git make python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv \
    && { uv python find '>=3.11,<3.14' || uv python install 3.11; }
WORKDIR /opt/bevdistill
COPY . .
RUN PIP_EXTRA_INDEX_URL=${TORCH_INDEX} make setup && rm -rf /root/.cache
ENV MPLBACKEND=Agg PYTHONPATH=/opt/bevdistill
ENTRYPOINT ["/opt/bevdistill/.venv/bin/python", "-m", "bevdistill"]
CMD ["--help"]
