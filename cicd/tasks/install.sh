# Install what the task named by TASK needs: the dependencies of one package, at the versions of requirements.lock.
# The packages themselves are run from their folders (run.sh), so that nothing is built.
set -eu

case "${TASK:-}" in
model_build)
    package=model-build extra=test ;;
serving_image | package | smoke_test)
    package=model-deploy extra= ;;
*)
    echo "TASK is '${TASK:-}', which is no task of this repository: set it to model_build, serving_image, package or" \
        "smoke_test, in the environment of the build's project." >&2
    exit 1 ;;
esac

# CodeBuild wants something to be there, whatever a task leaves.
mkdir -p release reports
: >release/variables.sh

export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.cache/uv}" UV_LINK_MODE=copy
pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements-uv.lock)
case "$(uv --version 2>/dev/null || true)" in
"uv $pinned" | "uv $pinned "*)
    uv=uv ;;
*)
    python -m pip install --quiet --require-hashes -r requirements-uv.lock
    uv="python -m uv" ;;
esac
$uv pip install --quiet --python "$(command -v python)" --constraint requirements.lock \
    --requirements "$package/pyproject.toml" ${extra:+--extra "$extra"}
