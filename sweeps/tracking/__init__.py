"""Who is told: terminal, TensorBoard, MLflow, Weights & Biases, Prometheus."""
