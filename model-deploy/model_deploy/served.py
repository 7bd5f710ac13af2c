"""What an endpoint serves, as SageMaker knows it: the model package behind the configuration it is on.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html"""

from typing import Any

from botocore.exceptions import ClientError

from model_deploy.errors import DeploymentError


def served_package(sagemaker: Any, endpoint_name: str) -> str:
    """The S3 address of the model package that an endpoint serves.

    Raises:
        DeploymentError: there is no such endpoint, or it is not in service.
    """
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ValidationError"):
            raise
        raise DeploymentError(
            f"There is no endpoint {endpoint_name}: {error.response['Error']['Message']} Deploy its stack "
            "first, and see the stack's events if that failed."
        ) from error
    if endpoint["EndpointStatus"] != "InService":
        raise DeploymentError(
            f"The endpoint {endpoint_name} is {endpoint['EndpointStatus']}, not InService: "
            f"{endpoint.get('FailureReason', 'no reason is given')}. See the events of the stack {endpoint_name} and "
            f"the log group /aws/sagemaker/Endpoints/{endpoint_name}."
        )
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    return str(model["PrimaryContainer"]["ModelDataUrl"])
