# docker build -t hydrabench .       then `docker run hydrabench` is `make demo`; `docker run hydrabench make test` tests it
# Records stay with -v "$PWD/records:/hydrabench/results/records"; a GPU is seen with --gpus all.
FROM python:3.11-slim
# without a GPU, --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu spares 3 GB of CUDA libraries
ARG PIP_EXTRA_INDEX_URL
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /hydrabench
COPY . .
RUN make setup
CMD ["make", "demo"]
