"""An AWS that runs on one machine: jobs, pipelines and endpoints are processes, moto carries the rest."""
