# restem with everything that Prefect's server, its services and a worker need. docker-compose.yml
# starts all of them from this one image. The image that untrusted programs run in is another one:
# sandbox/Dockerfile.
# Bases are named by digest (docs/supply.md); scripts/pin_images.py says newer ones.
FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

# Address of the index that torch is taken from, such as PyTorch's own for processors or for your
# CUDA (docs/supply.md). Empty: the default index, whose CUDA build is checked by its hash.
ARG TORCH_INDEX=

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

# The nested engine gives its socket to user 1000 alone (docs/operations-compose.md).
RUN useradd --uid 1000 --create-home restem \
    && install -d -o restem -g restem /data

WORKDIR /app
# Before the sources: a change of them must not install anything again.
COPY constraints.txt ./
COPY locks ./locks
RUN pip install --require-hashes --no-deps -r locks/base.txt
# One index at a time: with a second one, whoever puts a package there under a known name wins.
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install -c constraints.txt --index-url "$TORCH_INDEX" \
            "torch==$(sed -n 's/^torch==//p' constraints.txt)"; \
    else \
        pip install --require-hashes --no-deps -r locks/torch.txt; \
    fi
COPY pyproject.toml setup.py README.md LICENSE prefect.yaml ./
COPY restem ./restem
COPY flows ./flows
COPY tasks ./tasks
COPY sandbox ./sandbox
COPY models ./models
COPY configs ./configs
COPY scripts ./scripts
# Editable, because scripts and the deployments of prefect.yaml name the packages in /app.
RUN pip install --no-deps --no-build-isolation -e .

USER restem
ENV HOME=/home/restem RESTEM_HOME=/data
