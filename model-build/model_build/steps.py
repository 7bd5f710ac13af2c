"""The two steps of the pipeline as objects of the SageMaker SDK. The only module that imports the SDK at its top:
it is imported by `pipeline.compile_definition`, after the SDK's configuration is in place."""

import boto3
from sagemaker.core import image_uris
from sagemaker.core.network import NetworkConfig
from sagemaker.core.parameter import IntegerParameter
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import Parameter, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TuningStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, Networking, OutputDataConfig, StoppingCondition
from sagemaker.train.tuner import HyperparameterTuner

from model_build.data import data_uri
from model_build.pipeline import CACHE_EXPIRES_AFTER, METRICS, OBJECTIVE, SPLITS, parameters
from model_build.settings import UNKNOWN, Network, Settings
from model_build.shipping import PREPARE, TARBALL, Code

PROCESSING = "/opt/ml/processing"
# The prebuilt image with Python 3.12 and scikit-learn 1.9.0.
SKLEARN_IMAGE_VERSION = "1.9-0"
INTEGERS = frozenset({"Seed", "MaxDepthLow", "MaxDepthHigh", "MaxLeafNodesLow", "MaxLeafNodesHigh"})
PREPARE_SECONDS = 15 * 60
TRAIN_SECONDS = 30 * 60
VOLUME_GB = 10


def build_pipeline(settings: Settings, code: Code) -> Pipeline:
    """Assemble parameters and steps; nothing is called or uploaded."""
    session = PipelineSession(
        boto_session=boto3.Session(region_name=settings.platform.region), default_bucket=settings.platform.bucket
    )
    given = _parameters(settings, code)
    image = settings.platform.image or image_uris.retrieve(
        "sklearn", region=settings.platform.region, version=SKLEARN_IMAGE_VERSION, image_scope="training"
    )
    cache = CacheConfig(enable_caching=settings.cache, expire_after=CACHE_EXPIRES_AFTER)
    prepare = _prepare(settings, session, given, image, cache)
    return Pipeline(
        name=settings.pipeline_name,
        parameters=list(given.values()),
        pipeline_experiment_config=None,
        steps=[prepare, _tune(settings, session, given, image, cache, prepare)],
        sagemaker_session=session,
    )


def _parameters(settings: Settings, code: Code) -> dict[str, Parameter]:
    """Each parameter has the settings' value as its default, so the pipeline can also be started from the console."""
    defaults = parameters(settings, code, data_uri(settings), UNKNOWN)
    return {
        name: ParameterInteger(name, int(value)) if name in INTEGERS else ParameterString(name, value)
        for name, value in defaults.items()
    }


def _prepare(
    settings: Settings, session: PipelineSession, given: dict[str, Parameter], image: str, cache: CacheConfig
) -> ProcessingStep:
    processor = Processor(
        role=settings.platform.role_arn,
        image_uri=image,
        entrypoint=["python3", f"{PROCESSING}/input/code/{PREPARE}"],
        instance_count=1,
        instance_type=given["PrepareInstanceType"],
        volume_size_in_gb=VOLUME_GB,
        max_runtime_in_seconds=PREPARE_SECONDS,
        # The address of the data stays when their content changes: this puts the content into the cache key.
        env={"DATA_DIGEST": given["DataDigest"]},
        network_config=_network_config(settings.platform.network),
        sagemaker_session=session,
    )
    arguments = processor.run(
        inputs=[_input("code", given["PrepareCode"]), _input("data", given["DataUri"])],
        outputs=[_output(settings, split) for split in SPLITS],
        arguments=["--target", given["TargetColumn"], "--seed", given["Seed"].to_string()],
    )
    return ProcessingStep("Prepare", step_args=arguments, cache_config=cache, description="Check and split the data")


def _tune(
    settings: Settings,
    session: PipelineSession,
    given: dict[str, Parameter],
    image: str,
    cache: CacheConfig,
    prepare: ProcessingStep,
) -> TuningStep:
    trainer = ModelTrainer(
        training_image=image,
        role=settings.platform.role_arn,
        sagemaker_session=session,
        base_job_name=settings.model_name,
        compute=Compute(instance_type=given["TrainInstanceType"], instance_count=1, volume_size_in_gb=VOLUME_GB),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=TRAIN_SECONDS),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{settings.platform.bucket}/training"),
        hyperparameters=_static_hyperparameters(settings, given),
        networking=_networking(settings.platform.network),
        environment={
            **_mlflow_secret(settings),
            "SOURCE_COMMIT": given["SourceCommit"],
            "SOURCE_TRIGGER": given["SourceTrigger"],
            "PIPELINE_EXECUTION": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        },
    )
    tuner = HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name=OBJECTIVE,
        objective_type="Maximize",
        hyperparameter_ranges={
            "max-depth": IntegerParameter(given["MaxDepthLow"], given["MaxDepthHigh"], "Linear"),
            "max-leaf-nodes": IntegerParameter(given["MaxLeafNodesLow"], given["MaxLeafNodesHigh"], "Linear"),
        },
        metric_definitions=[{"Name": name, "Regex": f"metric {name}=([0-9.]+);"} for name in METRICS],
        strategy=settings.search.strategy,
        max_jobs=settings.search.trials,
        # SageMaker refuses more at the same time than there are.
        max_parallel_jobs=min(settings.search.parallel, settings.search.trials),
        random_seed=given["Seed"],
    )
    outputs = prepare.properties.ProcessingOutputConfig.Outputs
    channels = [
        InputData(channel_name=split, data_source=outputs[split].S3Output.S3Uri, content_type="text/csv")
        for split in SPLITS
    ]
    return TuningStep(
        "Tune", step_args=tuner.tune(channels), cache_config=cache, description="Train, gate and register"
    )


def _mlflow_secret(settings: Settings) -> dict[str, str]:
    """The secret's name, never its content: whoever may describe a job can read its environment."""
    arn = settings.platform.mlflow_secret_arn
    return {"MLFLOW_SECRET_ARN": arn} if arn else {}


def _network_config(network: Network) -> NetworkConfig | None:
    if not network.subnets:
        return None
    return NetworkConfig(subnets=list(network.subnets), security_group_ids=list(network.security_groups))


def _networking(network: Network) -> Networking | None:
    if not network.subnets:
        return None
    return Networking(subnets=list(network.subnets), security_group_ids=list(network.security_groups))


def _static_hyperparameters(settings: Settings, given: dict[str, Parameter]) -> dict[str, object]:
    depth = ["max-depth", given["MaxDepthLow"], given["MaxDepthHigh"]]
    leaves = ["max-leaf-nodes", given["MaxLeafNodesLow"], given["MaxLeafNodesHigh"]]
    return {
        # Script mode of the framework images: what to run, and where its tarball is.
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": Join(on="/", values=[given["TrainCode"], TARBALL]),
        "sagemaker_region": settings.platform.region,
        "tracking-uri": given["TrackingUri"],
        "experiment": given["Experiment"],
        "model-name": given["ModelName"],
        "gate": given["Gate"],
        "register": given["Register"],
        "seed": given["Seed"].to_string(),
        "data-source": given["DataUri"],
        "search": Join(on=" ", values=[*depth, *leaves, f"{settings.search.strategy} {settings.search.trials}"]),
    }


def _input(name: str, uri: Parameter) -> ProcessingInput:
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri, local_path=f"{PROCESSING}/input/{name}", s3_data_type="S3Prefix", s3_input_mode="File"
        ),
    )


def _output(settings: Settings, split: str) -> ProcessingOutput:
    # An output's address is not part of the cache key: each execution may have its own, and none overwrites another's.
    prepared = f"s3://{settings.platform.bucket}/data/prepared"
    uri = Join(on="/", values=[prepared, ExecutionVariables.PIPELINE_EXECUTION_ID, split])
    return ProcessingOutput(
        output_name=split,
        s3_output=ProcessingS3Output(s3_uri=uri, local_path=f"{PROCESSING}/{split}", s3_upload_mode="EndOfJob"),
    )
