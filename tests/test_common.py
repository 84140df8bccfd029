"""The check suites of imbalanced-learn and scikit-learn, on every estimator."""

import pytest
from imblearn.utils.estimator_checks import parametrize_with_checks as sampler_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from gansampler import ConformalCopyCheck, GANOverSampler, TabularGAN

# The suites fit dozens of times; how long the game lasts is not what they look at.
SHORT = {"max_iter": 20, "hidden_layer_sizes": (16,), "n_components": 8}


@pytest.mark.filterwarnings("ignore::gansampler.SmallClassWarning")
@parametrize_with_checks(
    [TabularGAN(**SHORT), GANOverSampler(**SHORT), ConformalCopyCheck()]
)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::gansampler.SmallClassWarning")
@sampler_checks([GANOverSampler(random_state=0, **SHORT)])
def test_imbalanced_learn(estimator, check):
    check(estimator)
