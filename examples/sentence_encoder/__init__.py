"""A published sentence encoder with post-norm blocks: text to tokens, tokens to ONNX."""
