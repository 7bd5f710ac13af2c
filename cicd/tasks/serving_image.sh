# The image of the endpoints: built and pushed only when none of these contents is in the repository.
set -eu

python -m model_deploy push-image --summary release/serving-image.json
