# restem with everything that Prefect's server, its services and a worker need. docker-compose.yml
# starts all of them from this one image. The image that untrusted programs run in is another one:
# sandbox/Dockerfile.
FROM python:3.11.14-slim-bookworm

# https://download.pytorch.org/whl/cpu for processors; for a GPU that of your CUDA, such as cu128.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

# The nested engine gives its socket to user 1000 alone (docs/operations-compose.md).
RUN useradd --uid 1000 --create-home restem \
    && install -d -o restem -g restem /data

WORKDIR /app
# Before the sources: a change of them must not install torch again.
COPY constraints.txt ./
RUN pip install -c constraints.txt --index-url "$TORCH_INDEX" \
        --extra-index-url https://pypi.org/simple \
        "torch==$(sed -n 's/^torch==//p' constraints.txt)"
COPY pyproject.toml README.md LICENSE prefect.yaml ./
COPY flows ./flows
COPY tasks ./tasks
COPY sandbox ./sandbox
COPY models ./models
COPY configs ./configs
COPY scripts ./scripts
# Editable, because configurations and deployments are found beside the packages.
RUN pip install -c constraints.txt -e '.[compose]'

USER restem
ENV HOME=/home/restem RESTEM_HOME=/data
