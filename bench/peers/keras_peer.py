"""A training step by Keras over TensorFlow. Words: `batch` (train_on_batch), `jit` (the same model
compiled by XLA), `fit` (the whole training: epochs over shuffled batches, as Keras runs them)."""

import os

from serve import done, serve


def make(problem, device, words):
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # others are on the same card
    from keras_network import euclidean_absolute, keras, siamese, tf, use_these_cores

    use_these_cores()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif not tf.config.list_physical_devices("GPU"):
        raise ValueError("this TensorFlow sees no GPU")
    if problem.form == "all":
        raise ValueError("all pairs of many points are no list of pairs, which Keras's fit takes")

    m1, model = siamese(problem.x.shape[1],
                        [(layer["outputs"], layer["activation"]) for layer in problem.layers])
    m1.set_weights([part for layer in problem.parameters for part in layer])

    left, right = problem.x[problem.first], problem.x[problem.second]
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(euclidean_absolute(problem.targets, model([left, right])))
    gradients = [part.numpy() for part in tape.gradient(value, m1.trainable_variables)]
    problem.check(value, list(zip(gradients[0::2], gradients[1::2])))

    adam = keras.optimizers.Adam(problem.learning_rate, problem.beta1, problem.beta2,
                                 epsilon=problem.epsilon)
    model.compile(loss=euclidean_absolute, optimizer=adam, jit_compile="jit" in words)
    if "fit" in words:
        return lambda: model.fit([left, right], problem.targets, batch_size=problem.batch,
                                 epochs=problem.epochs, verbose=0), done
    inputs = [tf.constant(left), tf.constant(right)]
    targets = tf.constant(problem.targets)
    return lambda: model.train_on_batch(inputs, targets), done


serve(make)
