"""What the programs by Keras over TensorFlow share, built as the experiment's own script built it: one
model of two inputs that share the network m1. Import it once the environment is set."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402


def use_these_cores():
    threads = len(os.sched_getaffinity(0))
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def siamese(width, layers):
    """(m1, the model of pairs); `layers`: [(outputs, activation)]. The model gives e_i and e_j side by
    side."""
    input_ = h = keras.Input((width,))
    for outputs, activation in layers:
        h = keras.layers.Dense(outputs, activation=activation)(h)
    m1 = keras.Model(input_, h)
    a, b = keras.Input((width,)), keras.Input((width,))
    return m1, keras.Model([a, b], keras.layers.Concatenate()([m1(a), m1(b)]))


def squared_distances(pair):
    left, right = tf.split(pair, 2, axis=1)
    return tf.reduce_sum(tf.square(left - right), axis=1)


def euclidean_absolute(targets, pair):
    """|D - t| of each pair."""
    square = squared_distances(pair)
    apart = square > 0.0  # the root's derivative at 0 is infinite: 0, as everywhere here
    distance = tf.where(apart, tf.sqrt(tf.where(apart, square, 1.0)), 0.0)
    return tf.abs(distance - tf.reshape(targets, [-1]))


def as_written(targets, pair):
    """The loss of the experiment's own script, whose targets Keras 2 made a column (m, 1): squared
    against plain distances, and each of the row against each of the column, (m, m)."""
    return tf.abs(squared_distances(pair) - tf.reshape(targets, [-1, 1]))
