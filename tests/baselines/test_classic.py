"""Gradients encrypted and added up: the steps of FedSGD, and a key holder who can read every gradient.

TenSEAL and phe are optional; without them these tests are skipped but for those of what is said then.
"""

import sys

import numpy as np
import pytest

from mpcfl.baselines.aggregation import KEY_HOLDER, SUM, View
from mpcfl.baselines.classic import measure_sum
from mpcfl.baselines.encryption import Encryption
from mpcfl.baselines.federated import FederatedLearning
from mpcfl.baselines.homomorphic import HomomorphicEncryption
from mpcfl.baselines.paillier import Paillier
from mpcfl.baselines.secure_aggregation import SecureAggregation
from mpcfl.errors import HeadroomError, JobError, SetupError
from mpcfl.solvers.gradient import Gradient
from tests.baselines.problems import STEPS, problem_of
from tests.joint import distance

FEW = Gradient(learning_rate=0.3, iterations=2)


def encryption(scheme: str) -> Encryption:
    """Small keys for Paillier: these tests are of the way of the data."""
    pytest.importorskip("tenseal" if scheme == "ckks" else "phe")
    return HomomorphicEncryption() if scheme == "ckks" else Paillier(bits=512)


@pytest.mark.parametrize("scheme, error", [("ckks", 1e-8), ("paillier", 1e-11)])
def test_encrypted_sums_take_the_steps_of_the_joint_table(scheme: str, error: float) -> None:
    problem = problem_of(l2=1.0)
    learning = FederatedLearning(problem.participants(), FEW, aggregation=SecureAggregation(encryption(scheme)))
    assert distance(learning.train(), problem.twin(FEW)) < error


@pytest.mark.parametrize("scheme, error", [("ckks", 1e-6), ("paillier", 1e-11)])
def test_the_key_holder_reads_the_gradient_of_every_participant(scheme: str, error: float) -> None:
    problem, views = problem_of(), list[View]()
    parts = problem.participants()
    hidden = SecureAggregation(encryption(scheme))
    FederatedLearning(parts, FEW, aggregation=hidden, observer=views.append).train()
    weights = [view.value for view in views if view.what == "weights"]
    for one in parts:
        seen = [view.value for view in views if (view.role, view.of) == (KEY_HOLDER, one.name)]
        assert len(seen) == 2
        assert all(distance(value, one.gradient(w)) < error for value, w in zip(seen, weights, strict=False))
    assert sum(view.of == SUM and view.role == KEY_HOLDER for view in views) == 2


@pytest.mark.parametrize("scheme", ["ckks", "paillier"])
def test_a_participant_gets_no_secret_key_and_sends_no_plaintext(scheme: str) -> None:
    keys = encryption(scheme)
    encrypt = keys.encryptor(keys.make_keys(), "a vector", 1)
    vector = np.array([1.5, -2.25, 0.0])
    first, second = encrypt(vector), encrypt(vector)
    assert first != second, "encryption is random"
    assert distance(keys.decrypt(first), vector) < 1e-6
    assert distance(keys.decrypt(keys.add([first, second])), 2 * vector) < 1e-6
    if scheme == "ckks":
        import tenseal

        public = tenseal.context_from(keys.public(products=True))
        assert public.is_public() and not public.has_secret_key()
    with pytest.raises(HeadroomError, match=r"a vector: element 1 does not fit") as caught:
        encrypt(np.array([1.0, -1.2345e17]))
    assert "1.2345" not in str(caught.value)


def test_a_vector_longer_than_a_ciphertext_goes_in_several() -> None:
    keys = encryption("ckks")
    vector = np.linspace(-3, 3, 2048 + 100)
    message = keys.encryptor(keys.make_keys(), "a vector", 3)(vector)
    assert len(message) == 2
    assert distance(keys.decrypt(keys.add([message] * 3)), 3 * vector) < 1e-6


def test_each_paillier_number_is_a_ciphertext_of_twice_the_key() -> None:
    keys = encryption("paillier")
    public = keys.make_keys()
    assert len(public) == 512 // 8
    assert [len(one) for one in keys.encryptor(public, "a vector", 1)(np.zeros(3))] == [2 * 512 // 8] * 3


def test_a_row_of_ckks_counts_ciphertexts_and_the_public_key() -> None:
    encryption("ckks")
    row = measure_sum(problem_of(columns=4), STEPS, scheme="ckks")
    assert row["rounds"] == 12 and row["bytes_online"][KEY_HOLDER] == 3 * 6 * 5 * 8
    ciphertext = 2 * 4096 * 54 // 8  # two polynomials; TenSEAL sends hardly more
    for i in (1, 2, 3):
        assert 6 * ciphertext < row["bytes_online"][f"participant {i}"] < 1.2 * 6 * ciphertext
    assert list(row["bytes_offline"]) == [KEY_HOLDER]


@pytest.mark.parametrize("scheme, module", [("ckks", "tenseal"), ("paillier", "phe")])
def test_what_is_not_installed_says_how_to_install_it(
    scheme: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SetupError, match=rf"{module}\n.*pip install 'mpcfl\[baselines\]'"):
        measure_sum(problem_of(), FEW, scheme=scheme)


def test_a_scheme_that_does_not_exist_is_refused() -> None:
    with pytest.raises(JobError, match="rot13"):
        measure_sum(problem_of(), FEW, scheme="rot13")
