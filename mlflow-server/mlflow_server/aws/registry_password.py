"""Prints the password of this account's image registry, for `docker login --password-stdin`.
It goes with the sources of the image, and needs nothing but boto3 there."""

from __future__ import annotations

import base64
import sys

import boto3


def main() -> None:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html"""
    token = boto3.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    sys.stdout.write(base64.b64decode(token).decode().partition(":")[2])


if __name__ == "__main__":
    main()
