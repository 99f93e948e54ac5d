"""A training step by Keras over TensorFlow, built as the experiment's own script built it: one model
of two inputs that share m1. Words: `batch` (train_on_batch), `jit` (the same model compiled by XLA),
`fit` (the whole training: epochs over shuffled batches, as Keras runs them)."""

import os

from serve import done, serve


def make(problem, device, words):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # others are on the same card
    import keras
    import tensorflow as tf

    threads = len(os.sched_getaffinity(0))
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif not tf.config.list_physical_devices("GPU"):
        raise ValueError("this TensorFlow sees no GPU")
    if problem.form == "all":
        raise ValueError("all pairs of many points are no list of pairs, which Keras's fit takes")

    width = problem.x.shape[1]
    input_ = h = keras.Input((width,))
    for layer in problem.layers:
        h = keras.layers.Dense(layer["outputs"], activation=layer["activation"])(h)
    m1 = keras.Model(input_, h)
    m1.set_weights([part for layer in problem.parameters for part in layer])
    a, b = keras.Input((width,)), keras.Input((width,))
    model = keras.Model([a, b], keras.layers.Concatenate()([m1(a), m1(b)]))

    def loss(targets, pair):
        left, right = tf.split(pair, 2, axis=1)
        square = tf.reduce_sum(tf.square(left - right), axis=1)
        apart = square > 0.0  # the root's derivative at 0 is infinite: 0, as everywhere here
        distance = tf.where(apart, tf.sqrt(tf.where(apart, square, 1.0)), 0.0)
        return tf.abs(distance - tf.reshape(targets, [-1]))

    left, right = problem.x[problem.first], problem.x[problem.second]
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(loss(problem.targets, model([left, right])))
    gradients = [part.numpy() for part in tape.gradient(value, m1.trainable_variables)]
    problem.check(value, list(zip(gradients[0::2], gradients[1::2])))

    adam = keras.optimizers.Adam(problem.learning_rate, problem.beta1, problem.beta2,
                                 epsilon=problem.epsilon)
    model.compile(loss=loss, optimizer=adam, jit_compile="jit" in words)
    if "fit" in words:
        return lambda: model.fit([left, right], problem.targets, batch_size=problem.batch,
                                 epochs=problem.epochs, verbose=0), done
    inputs = [tf.constant(left), tf.constant(right)]
    targets = tf.constant(problem.targets)
    return lambda: model.train_on_batch(inputs, targets), done


serve(make)
