"""ONNX ops to IR ops, one by one."""
