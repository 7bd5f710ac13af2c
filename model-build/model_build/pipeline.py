"""The SageMaker Pipeline: Prepare (processing) and Tune (hyperparameter tuning), compiled to its JSON definition.
The SDK writes it without calling AWS and without credentials; the same settings give the same bytes.

Lineage (commit, trigger, execution) reaches the trials as environment variables. Hyperparameters, channels and image of
a tuning step are part of its cache key, the environment of its trials is not, so a new commit with the same code, data
and parameters reuses the step: https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html
"""

import json
from typing import Any

from model_build.offline import offline_sdk
from model_build.settings import Settings
from model_build.shipping import Code

# What train.py prints, for the tuning job to read.
METRICS = ("accuracy", "f1", "cv_accuracy", "test_accuracy", "test_f1")
OBJECTIVE = "accuracy"
SPLITS = ("train", "validation", "test")
CACHE_EXPIRES_AFTER = "P30D"


def compile_definition(settings: Settings, code: Code) -> str:
    """Return the pipeline definition (schema 2020-12-01) as JSON text with sorted keys."""
    with offline_sdk(settings.platform.region):
        # The SDK takes seconds to import, and reads its configuration while it does.
        from model_build.steps import build_pipeline

        definition: dict[str, Any] = json.loads(build_pipeline(settings, code).definition())
    # The SDK writes null for what it was not given; SageMaker's schema has no null there.
    if definition.get("MlflowConfig") is None:
        definition.pop("MlflowConfig", None)
    return json.dumps(definition, indent=2, sort_keys=True)


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
