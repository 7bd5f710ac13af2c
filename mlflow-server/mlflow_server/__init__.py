"""The MLflow tracking server of this project: embedded on one machine, with everything it knows in one folder."""
