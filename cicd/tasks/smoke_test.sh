# Ask the endpoint of the stage named by STAGE for the answers the packaged model gives; then move the stage's alias.
set -eu

# CodeBuild unpacks the release, a second source, in a folder of its own.
python -m model_deploy smoke-test --release "${CODEBUILD_SRC_DIR_Release:-release}" --summary release/smoke-test.json
