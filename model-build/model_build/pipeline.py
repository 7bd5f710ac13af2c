"""The SageMaker Pipeline: Prepare (processing) and Tune (hyperparameter tuning), compiled to its JSON definition.
The SDK writes it without calling AWS and without credentials; the same settings give the same bytes.

Lineage (commit, trigger, execution) reaches the trials as environment variables. Hyperparameters, channels and image of
a tuning step are part of its cache key, the environment of its trials is not, so a new commit with the same code, data
and parameters reuses the step: https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html
"""

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

from model_build.settings import Settings
from model_build.shipping import Code

SELECTION_METRICS = ("accuracy", "f1", "cv_accuracy")
METRICS = (*SELECTION_METRICS, "test_accuracy", "test_f1")
OBJECTIVE = "accuracy"
SPLITS = ("train", "validation", "test")
CACHE_EXPIRES_AFTER = "P30D"
# The framework version of the prebuilt scikit-learn image (Python 3.12, scikit-learn 1.9.0).
SKLEARN_IMAGE_VERSION = "1.9-0"


def compile_definition(settings: Settings, code: Code) -> str:
    """Return the pipeline definition (schema 2020-12-01) as JSON text with sorted keys."""
    _isolate_sdk(settings.platform.region)
    # The SDK takes seconds to import, and reads its configuration and region while it does.
    with warnings.catch_warnings():
        # It warns that a pipeline session starts nothing: that is what it is used for.
        warnings.simplefilter("ignore")
        from model_build.steps import build_pipeline

        definition: dict[str, Any] = json.loads(build_pipeline(settings, code).definition())
    # The SDK writes null for what it was not given; SageMaker's schema has no null there.
    if definition.get("MlflowConfig") is None:
        definition.pop("MlflowConfig", None)
    return json.dumps(definition, indent=2, sort_keys=True)


def default_image(region: str) -> str:
    """The URI of the prebuilt scikit-learn image in a region, from the table in the SDK."""
    _isolate_sdk(region)
    from sagemaker.core import image_uris

    return str(image_uris.retrieve("sklearn", region=region, version=SKLEARN_IMAGE_VERSION, image_scope="training"))


def parameters(settings: Settings, code: Code, data_uri: str, data_digest: str) -> dict[str, str]:
    """The values that a run of the pipeline is started with: the parameters of the definition by name."""
    search = settings.search
    return {
        "TrackingUri": settings.tracking_uri,
        "Experiment": settings.experiment,
        "ModelName": settings.model_name,
        "Gate": settings.gate,
        "Register": settings.register_policy,
        "Seed": str(settings.seed),
        "DataUri": data_uri,
        "DataDigest": data_digest,
        "TargetColumn": settings.data.target,
        "MaxDepthLow": str(search.max_depth.low),
        "MaxDepthHigh": str(search.max_depth.high),
        "MaxLeafNodesLow": str(search.max_leaf_nodes.low),
        "MaxLeafNodesHigh": str(search.max_leaf_nodes.high),
        "PrepareInstanceType": settings.platform.prepare_instance_type,
        "TrainInstanceType": settings.platform.train_instance_type,
        "PrepareCode": code.prepare_uri(settings.platform.bucket),
        "TrainCode": code.train_uri(settings.platform.bucket),
        "SourceCommit": settings.source.commit,
        "SourceTrigger": settings.source.trigger,
    }


def _isolate_sdk(region: str) -> None:
    """Give the SDK its configuration: ours, whatever the machine has in its home or in /etc."""
    config = str(Path(__file__).with_name("sdk-config.yaml"))
    os.environ["SAGEMAKER_USER_CONFIG_OVERRIDE"] = config
    os.environ["SAGEMAKER_ADMIN_CONFIG_OVERRIDE"] = config
    # It would ask IAM whether the role may do what its own defaults need.
    os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"
    os.environ.setdefault("AWS_DEFAULT_REGION", region)
    # It tells at INFO which configuration it found, and at WARNING that SageMaker will name the jobs.
    for name in ("sagemaker", "sagemaker.config", "sagemaker.core"):
        logging.getLogger(name).setLevel(logging.ERROR)
