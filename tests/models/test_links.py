"""Scores become what a model predicts as scikit-learn does it."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from mpcfl.models.links import mean_of

X, Y = load_iris(return_X_y=True)


def test_probabilities_of_classes_are_those_of_one_against_the_rest() -> None:
    wanted = OneVsRestClassifier(LogisticRegression(C=0.1, max_iter=1000)).fit(X, Y)
    scores = np.stack([e.decision_function(X) for e in wanted.estimators_], axis=1)
    np.testing.assert_allclose(mean_of("logistic", scores), wanted.predict_proba(X), rtol=1e-12)


def test_a_row_that_is_far_from_every_class_has_probabilities_all_the_same() -> None:
    found = mean_of("logistic", np.array([[-2000.0, -2000.0, -2001.0], [2000.0, -2000.0, -2000.0]]))
    np.testing.assert_allclose(found[0], np.exp([0, 0, -1]) / np.exp([0, 0, -1]).sum())
    np.testing.assert_allclose(found[1], [1, 0, 0])


def test_other_links() -> None:
    z = np.array([-1000.0, 0.0, 1000.0])
    np.testing.assert_allclose(mean_of("logistic", z), [0, 0.5, 1])
    np.testing.assert_allclose(mean_of("poisson", z[:2]), [0, 1])
    np.testing.assert_allclose(mean_of("ridge", z), z)
