"""The landmark experiment by Keras over TensorFlow: from NumPy's stream to the coordinates of the
unseen points, one process, as the experiment's own script was one.

    landmarks_keras.py as_written|euclidean INIT_SEED [jit]

Its 41 points, 11 landmarks among them, are those of `siamese_landmarks` without options. The last
line of its output is JSON: `points` [n, c], `test` (their numbers), `predicted` [test, c] and the
`seconds` of the training.
"""

import json
import sys
import time
from itertools import combinations

import keras_network
import numpy as np
from keras_network import keras, siamese, use_these_cores

POINTS, LANDMARKS, DIMENSIONS = 41, 11, 10
TEST = 11  # a quarter of the points, rounded up, as scikit-learn splits them


def main():
    loss, init_seed, *words = sys.argv[1:]
    use_these_cores()
    random = np.random.RandomState(0)
    random.random_sample(2)  # the script's doctest took them
    points = random.random_sample((POINTS, DIMENSIONS))
    features = np.linalg.norm(points[:, None] - points[None, :LANDMARKS], axis=2)
    order = random.permutation(POINTS)
    test, train = order[:TEST], order[TEST:]
    first, second = train[np.array(list(combinations(range(len(train)), 2))).T]
    targets = np.linalg.norm(points[first] - points[second], axis=1)

    keras.utils.set_random_seed(int(init_seed))
    m1, model = siamese(LANDMARKS, [(200, "relu"), (200, "relu"), (DIMENSIONS, "sigmoid")])
    losses = {"as_written": keras_network.as_written, "euclidean": keras_network.euclidean_absolute}
    model.compile(loss=losses[loss], optimizer="adam", jit_compile="jit" in words)
    begin = time.perf_counter()
    model.fit([features[first], features[second]], targets, batch_size=128, epochs=100, verbose=0)
    seconds = time.perf_counter() - begin
    predicted = m1.predict(features[test], verbose=0)
    print(json.dumps({"points": points.tolist(), "test": test.tolist(),
                      "predicted": predicted.tolist(), "seconds": seconds}))


main()
