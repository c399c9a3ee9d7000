"""The reference network of bench/README.md in Keras on TensorFlow, one thread: a peer of bench/compare (see peer.py)."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import peer

a = peer.flags()

import keras
import numpy
import tensorflow as tf
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
PIXELS = peer.pixels(a.images)
assert a.loss == "mse" and a.norm == "none", "this peer has the reference network alone"


def network():
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((32, 32, 3))
    for width in (16, 32, 64):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(a.latent)(layers.Flatten()(x))
    x = layers.Reshape((4, 4, 64))(layers.Dense(1024, activation="relu")(x))
    for width in (32, 16):
        x = layers.Conv2DTranspose(width, 2, strides=2, activation="relu")(x)
    x = layers.Conv2DTranspose(3, 2, strides=2, activation="sigmoid")(x)
    return keras.Model(inputs, x)


def train_on_batch(jit):
    """Keras's own step, on a batch that numpy gathers."""

    def make():
        net = network()
        net.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=jit)
        random = numpy.random.default_rng(1)

        def step():
            x = PIXELS[random.permutation(len(PIXELS))[: a.batch]].astype("f4") / numpy.float32(255)
            net.train_on_batch(x, x)

        return step, lambda: None

    return make


def function(jit):
    """The whole step, gather included, as one tf.function."""

    def make():
        net, optimiser = network(), keras.optimizers.Adam(1e-3)
        optimiser.build(net.trainable_variables)
        images = tf.constant(PIXELS)
        random = numpy.random.default_rng(1)

        @tf.function(jit_compile=jit)
        def train(index):
            x = tf.cast(tf.gather(images, index), tf.float32) / 255
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(net(x, training=True) - x))
            optimiser.apply_gradients(zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables))
            return loss

        last = []

        def step():
            last[:] = [train(tf.constant(random.permutation(len(PIXELS))[: a.batch]))]

        return step, lambda: last[0].numpy()

    return make


peer.run(
    f"tensorflow {tf.__version__} with keras {keras.__version__}",
    {
        "train_on_batch": train_on_batch(False),
        "train_on_batch, jit_compile": train_on_batch(True),
        "tf.function": function(False),
        "tf.function, jit_compile": function(True),
    },
    a,
)
