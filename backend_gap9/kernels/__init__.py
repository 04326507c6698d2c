"""The kernels of runtime_c as the compiler knows them."""
