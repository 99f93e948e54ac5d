"""Who is timed: this project's own variants, and other libraries in several forms."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    name: str  # as rows are named: device_name/precision
    script: str  # "" for this project's own variants
    words: tuple = ()
    environment: tuple = ()
    precision: str = "float32"  # of products


# glibc gives large blocks back to the system when they are freed, and gets them zeroed page by
# page; with this a process keeps them.
KEPT_HEAP = (("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", str(1 << 40)))

# A library's first entry is how one writes it first; the others are what makes it faster.
PYTORCH = [
    Peer("pytorch", "pytorch", ("twice",)),
    Peer("pytorch-once-fused", "pytorch", ("once", "fused")),
    Peer("pytorch-unique-fused", "pytorch", ("unique", "fused")),
    Peer("pytorch-unique-fused-compile", "pytorch", ("unique", "fused", "compile")),
]
JAX = [
    Peer("jax", "jax", ("twice",)), Peer("jax-once", "jax", ("once",)),
    Peer("jax-unique", "jax", ("unique",)),
]
KERAS = [Peer("keras", "keras", ("batch",)), Peer("keras-jit", "keras", ("batch", "jit"))]

# The step's operations alone, as multiply-adds on registers.
PEAK = Peer("peak", "")

CPU_STEP = [
    PEAK, Peer("tiled", ""), Peer("eigen", ""), Peer("openblas", ""),
    Peer("numpy", "numpy", ("unique",)), *PYTORCH,
    Peer("pytorch-once-fused-compile", "pytorch", ("once", "fused", "compile")),
    Peer("pytorch-unique-fused-heap", "pytorch", ("unique", "fused"), KEPT_HEAP),
    Peer("pytorch-unique-fused-compile-heap", "pytorch", ("unique", "fused", "compile"), KEPT_HEAP),
    *JAX, *KERAS,
]
CPU_FIT = [
    Peer("tiled", ""), Peer("keras", "keras", ("fit",)), Peer("keras-jit", "keras", ("fit", "jit")),
]


def fastest_cuda(precision):
    """What is likely to be each library's best form, in a precision."""
    return [
        Peer("cublas", "", precision=precision),
        Peer("pytorch-unique-fused-compile-graph", "pytorch",
             ("unique", "fused", "compile", "graph"), precision=precision),
        Peer("jax-unique", "jax", ("unique",), precision=precision),
    ]


CUDA_STEP = [
    Peer("graph", ""), Peer("chain", ""), *PYTORCH,
    Peer("pytorch-unique-fused-overhead", "pytorch", ("unique", "fused", "overhead")),
    Peer("pytorch-unique-fused-graph", "pytorch", ("unique", "fused", "graph")),
    *JAX[:2], *fastest_cuda("float32"), *KERAS,
    Peer("mma", "", precision="tf32"), *fastest_cuda("tf32"),
    Peer("passes", "", precision="bf16"), Peer("fused", "", precision="bf16"),
    Peer("wgmma", "", precision="bf16"), Peer("wgmma_twin", "", precision="bf16"),
    *fastest_cuda("bf16"), Peer("cublaslt_stored", "", precision="bf16"),
]

# (device, op) -> its peers.
PEERS = {
    ("cpu", "train_step"): CPU_STEP,
    ("cpu", "fit"): CPU_FIT,
    ("cuda", "train_step"): CUDA_STEP,
}
