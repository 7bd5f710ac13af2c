"""The connection to the repository: one that CloudFormation made waits for a person, who finishes it in the console.
https://docs.aws.amazon.com/dtconsole/latest/userguide/connections-update.html"""

from collections.abc import Callable
from typing import Any

from cicd.stack import Stack


def connection_status(client: Callable[[str], Any], stack: Stack) -> str | None:
    """PENDING, AVAILABLE or ERROR; None where the stack uses no connection. `client` makes a boto3 client."""
    arn = stack.outputs.get("ConnectionArn")
    if not arn:
        return None
    # A connection keeps the service name it was made under.
    service = arn.split(":")[2]
    return str(client(service).get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"])
