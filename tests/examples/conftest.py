"""One thread for PyTorch: the networks of the tests are tiny, and waiting threads cost more than they do."""

import torch

torch.set_num_threads(1)
