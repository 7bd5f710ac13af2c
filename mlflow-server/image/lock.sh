#!/bin/sh
# Resolve the image's packages anew, in the versions that requirements.lock of the repository has: those are tested.
# That lock's protobuf is as old as SageMaker's training image needs it, which the server is not bound to.
# `sh mlflow-server/image/lock.sh .venv/uv/bin/uv`
set -eu
uv=$(realpath "$1")
cd "$(dirname "$0")/.."
versions=$(mktemp)
trap 'rm -f "$versions"' EXIT
sed -n 's/^\([a-z0-9][^ ]*==[^\\]*[^ \\]\) *\\$/\1/p' ../requirements.lock |
  grep -v -E '^(protobuf|opentelemetry-proto)==' >"$versions"
"$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
  --no-annotate --constraints "$versions" --output-file image/requirements.lock pyproject.toml
