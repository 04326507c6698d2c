"""C sources of kernels and platforms, read by the back end as data."""
