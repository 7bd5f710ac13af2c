"""The database and the object store that `mlflow-server up --postgres` starts, from packages and without root."""
