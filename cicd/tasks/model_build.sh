# Train: the unit tests first, and only if they pass the SageMaker Pipeline that prepares, tunes and registers.
set -eu

python -m pytest --quiet --junitxml=reports/unit-tests.xml -p no:cacheprovider tests/model_build/unit
python -m model_build --summary release/build.json
