"""The reference network of bench/README.md in JAX on one thread: a peer of bench/compare (see peer.py).

The whole step, gather included, is one jitted function that takes its state over; maps are NHWC.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import peer

a = peer.flags()

import jax
import jax.numpy as jnp
import numpy
import optax

PIXELS = peer.pixels(a.images)
WIDTHS = (3, 16, 32, 64)
assert a.loss == "mse" and a.norm == "none", "this peer has the reference network alone"


def initial():
    random = numpy.random.default_rng(1)

    def layer(fan_in, *shape):
        limit = (6 / fan_in) ** 0.5
        return random.uniform(-limit, limit, shape).astype("f4"), numpy.zeros(shape[-1], "f4")

    stages = list(zip(WIDTHS, WIDTHS[1:]))
    return {
        "conv": [layer(9 * i, 3, 3, i, o) for i, o in stages],
        "code": layer(1024, 1024, a.latent),
        "dense": layer(a.latent, a.latent, 1024),
        "convt": [layer(o, 2, 2, o, i) for i, o in reversed(stages)],
    }


def conv(x, w, b):
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b


def pool(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def pool_by_reshaping(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def convt(x, w, b):
    return jax.lax.conv_transpose(x, w, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b


def convt_by_reshaping(x, w, b):
    """With a stride as wide as the kernel, a transposed convolution is a product and a permutation."""
    n, h, wide, _ = x.shape
    y = jnp.einsum("nhwi,klio->nhkwlo", x, w)
    return y.reshape(n, 2 * h, 2 * wide, w.shape[-1]) + b


def way(pool, convt):
    def forward(p, x):
        for w, b in p["conv"]:
            x = pool(jax.nn.relu(conv(x, w, b)))
        w, b = p["code"]
        x = x.reshape(len(x), -1) @ w + b
        w, b = p["dense"]
        x = jax.nn.relu(x @ w + b).reshape(-1, 4, 4, 64)
        for w, b in p["convt"][:-1]:
            x = jax.nn.relu(convt(x, w, b))
        return jax.nn.sigmoid(convt(x, *p["convt"][-1]))

    optimiser = optax.adam(1e-3)

    def train(p, state, images, index):
        x = images[index].astype(jnp.float32) / 255
        loss, g = jax.value_and_grad(lambda p: jnp.mean((forward(p, x) - x) ** 2))(p)
        updates, state = optimiser.update(g, state)
        return optax.apply_updates(p, updates), state, loss

    def make():
        jitted = jax.jit(train, donate_argnums=(0, 1))
        p = jax.tree.map(jnp.asarray, initial())
        now = [p, optimiser.init(p), None]
        images = jnp.asarray(PIXELS)
        random = numpy.random.default_rng(1)

        def step():
            now[:] = jitted(now[0], now[1], images, random.permutation(len(PIXELS))[: a.batch])

        return step, lambda: now[2].block_until_ready()

    return make


peer.run(
    f"jax {jax.__version__}",
    {
        "reduce_window, conv_transpose": way(pool, convt),
        "pool by reshaping": way(pool_by_reshaping, convt),
        "convt by reshaping": way(pool, convt_by_reshaping),
        "both by reshaping": way(pool_by_reshaping, convt_by_reshaping),
    },
    a,
)
