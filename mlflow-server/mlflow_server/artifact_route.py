"""Which way artifacts go: through the server, for every client.

Over a bucket, MLflow 3.17 tells its clients to fetch files from the bucket itself, by addresses that anyone may use for
five minutes. So they need a way to the bucket, which those of an internal server or of a container have not, and hold
several parts of 100 MB in memory. A client that has the way asks for it with MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD
and MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store
"""

from __future__ import annotations

from typing import Any


def through_the_server() -> None:
    """Have MLflow's server offer its clients no other way; before its application is made."""
    from mlflow.server import server_info_api
    from mlflow.utils.server_info import SERVER_INFO_MULTIPART_DOWNLOADS_ENABLED, SERVER_INFO_MULTIPART_UPLOADS_ENABLED

    told = server_info_api.build_server_info_payload

    def payload() -> dict[str, Any]:
        return {
            **told(),
            SERVER_INFO_MULTIPART_UPLOADS_ENABLED: False,
            SERVER_INFO_MULTIPART_DOWNLOADS_ENABLED: False,
        }

    server_info_api.build_server_info_payload = payload
