# From the pin to a release: the verified model package in S3, and in release/ what the later stages deploy and test by.
set -eu

python -m model_deploy package --output release
