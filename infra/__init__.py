"""What surrounds the pipeline: servers for development and CI, deployments."""
