"""The surroundings in which the SageMaker SDK compiles: its own configuration, no credentials, no telemetry, no noise.
The SDK looks for all of these when it is imported, on the machine and in the network; here it finds them at once."""

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_build.importing import no_garbage

CONFIGURATION = str(Path(__file__).with_name("sdk-config.yaml"))


@contextmanager
def offline_sdk(region: str) -> Iterator[None]:
    """Let the SDK be imported and used without a call to AWS or anyone else; what was set before is set again after."""
    with (
        _variables(
            SAGEMAKER_USER_CONFIG_OVERRIDE=CONFIGURATION,
            SAGEMAKER_ADMIN_CONFIG_OVERRIDE=os.devnull,
            # It would ask IAM whether the role may do what its own defaults need.
            SAGEMAKER_VALIDATE_ROLE="false",
            # It makes clients that it never uses, and each would look for credentials.
            AWS_ACCESS_KEY_ID="none",
            AWS_SECRET_ACCESS_KEY="none",  # noqa: S106
            AWS_EC2_METADATA_DISABLED="true",
            AWS_DEFAULT_REGION=region,
        ),
        _quiet(),
        _validated_once(),
        no_garbage(),
    ):
        yield


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """It warns that a pipeline session starts nothing, which is what it is used for, and logs to the root logger."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        root.setLevel(level)
        root.handlers[:] = handlers


@contextmanager
def _validated_once() -> Iterator[None]:
    """It validates its configuration each time it looks a setting up, and the schema too: two seconds in all. Once will
    do for each configuration."""
    import jsonschema  # the SDK's own

    validate, valid = jsonschema.validate, set()

    def once(instance: object, schema: dict[str, Any], *args: Any, **options: Any) -> None:
        asked = (id(schema), json.dumps(instance, sort_keys=True, default=repr))
        if asked not in valid:
            validate(instance, schema, *args, **options)
            valid.add(asked)

    jsonschema.validate = once
    try:
        yield
    finally:
        jsonschema.validate = validate
