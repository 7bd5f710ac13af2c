"""The program in the endpoint's container: checks the model SageMaker has unpacked, opens it, and serves it.

SageMaker starts it with the argument `serve`: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html"""

import gc
import logging
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from platform import python_version

from environment_skew import Environment, refuse_skew
from logged_model import LoggedModel
from refusals import StartRefused
from settings import Settings


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Serve until told to stop. Returns the exit code: 0, or 1 with the reason not to start on stderr."""
    if arguments not in ([], ["serve"]):
        print(f"This container serves a model; it cannot {' '.join(arguments)}.", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = Settings.from_environment(environ)
        model = LoggedModel.read(settings.model_directory)
        refuse_skew(model, Environment(python=python_version(), scikit_learn=version("scikit-learn")))
        # Importing scikit-learn is nearly all of the start. A model that is refused need not wait for it; and looking
        # meanwhile for garbage, of which there is none, would make it an eighth longer.
        gc.disable()
        from model_server import serve_model

        serve_model(model, settings)
    except StartRefused as refusal:
        print(f"Not serving: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
