"""The commands of `mlflow-server`: thin functions that parse, call and print."""
