"""The classic design with everything encrypted: rows, target and gradient, under CKKS, at a server without the key.

Participants encrypt each column of their rows, the ones of the intercept and the target, and send them to the server
once. In each iteration the server, who knows the weights, computes under encryption z = X w, a polynomial of it in the
place of the sigmoid (`mpcfl.baselines.cubic`), and X.T (polynomial - y), with products of ciphertexts. The key holder
decrypts this gradient, takes the step, and sends the weights back.

Packing by columns is that of Kim, Song, Wang, Xia and Jiang (2018). Nobody can notice where |z| leaves the range in
which the polynomial is right: the weights are wrong then, and no error says so. That too is the classic design.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.aggregation import ELEMENT, KEY_HOLDER, SUM, Observer, View
from mpcfl.baselines.ciphertext_rows import CiphertextRows, columns_of
from mpcfl.baselines.costs import OFFLINE, Costs
from mpcfl.baselines.cubic import RANGE, SIGMOID, polynomial_twin
from mpcfl.baselines.encryption import Encryptor, Message
from mpcfl.baselines.federated import require_plain_steps
from mpcfl.baselines.homomorphic import HomomorphicEncryption
from mpcfl.baselines.problem import Problem, Row
from mpcfl.errors import JobError
from mpcfl.models.descent_twin import distance
from mpcfl.solvers.gradient import Gradient

Array = npt.NDArray[np.float64]
SERVER = "server"
DEGREE, PRIMES, SCALE = 16384, (60, 40, 40, 40, 40, 60), 40  # a prime of 40 bits for each product after another
SEEN = (
    f"{KEY_HOLDER}: the gradient of every iteration, and with the {SERVER} every row; "
    f"{SERVER}: the weights of every iteration"
)


class EncryptedLearning:
    """Linear or logistic regression, full-batch steps from zero. observer: as that of `FederatedLearning`. messages:
    what each participant has sent, a message for each column. costs: of the training."""

    def __init__(self, problem: Problem, steps: Gradient, observer: Observer | None = None) -> None:
        require_plain_steps(steps)
        if problem.model not in ("linear", "logistic"):
            raise JobError(f"'{problem.model}' is not trained on ciphertexts", hint="take linear or logistic")
        self.problem, self.steps, self.costs = problem, steps, Costs()
        self.encryption = HomomorphicEncryption(DEGREE, PRIMES, SCALE, rotations=True)
        self.messages: dict[str, list[Message]] = {}
        self._observer = observer

    def train(self) -> Array:
        """Weights (d + 1,), the intercept last; in the end the participants have them. Cost: 1 round for the rows, and
        2 in each iteration."""
        server = self._server()
        self._send_rows(server)
        w = np.zeros(self.problem.x.shape[1] + 1)
        for iteration in range(self.steps.iterations):
            self._tell(iteration, SERVER, "weights", w)
            message = self.costs.alone("compute", SERVER, partial(server.gradient, w))
            self.costs.round({SERVER: sum(map(len, message))})
            gradient = self.costs.alone("decrypt", KEY_HOLDER, partial(self._opened, message))
            self._tell(iteration, KEY_HOLDER, "gradient", gradient)
            w = self.costs.alone("decrypt", KEY_HOLDER, partial(self._stepped, w, gradient))
            last = iteration == self.steps.iterations - 1
            self.costs.round({KEY_HOLDER: ELEMENT * w.size * (self.problem.owners if last else 1)})
        return w

    def _server(self) -> CiphertextRows:
        """Offline: keys. The server's are those that compute."""
        costs, keys = self.costs, self.encryption
        public = costs.alone(OFFLINE, KEY_HOLDER, keys.make_keys)
        computing = costs.alone(OFFLINE, KEY_HOLDER, lambda: keys.public(products=True))
        costs.sent_before({KEY_HOLDER: len(public) * self.problem.owners + len(computing)})
        names = [one.name for one in self.problem.participants()]
        making = {name: partial(keys.encryptor, public, f"a column of {name}", 1) for name in names}
        self._encryptors = costs.together(OFFLINE, making)
        logistic = self.problem.model == "logistic"
        return costs.alone(OFFLINE, SERVER, lambda: CiphertextRows(keys, computing, logistic))

    def _send_rows(self, server: CiphertextRows) -> None:
        x, y = (np.array_split(whole, self.problem.owners) for whole in (self.problem.x, self.problem.y))
        longest, slots = len(y[0]), self.encryption.slots

        def encrypted(encrypt: Encryptor, x: Array, y: Array) -> list[Message]:
            return [encrypt(column) for column in columns_of(x, y, longest, slots)]

        own = zip(self._encryptors.items(), x, y, strict=True)
        work = {name: partial(encrypted, encrypt, *rows) for (name, encrypt), *rows in own}
        self.messages = self.costs.together("encrypt", work)
        sizes = {name: sum(len(c) for message in sent for c in message) for name, sent in self.messages.items()}
        self.costs.round(sizes)
        self.costs.alone("load", SERVER, lambda: server.load(self.messages.values()))

    def _opened(self, message: Message) -> Array:
        """Each ciphertext of the gradient holds one number."""
        return np.array([self.encryption.decrypt([one])[0] for one in message])

    def _stepped(self, w: Array, gradient: Array) -> Array:
        whole = gradient + self.problem.objective.penalty.gradient_plain(w, len(w) - 1)
        return w - self.steps.learning_rate / len(self.problem.x) * whole

    def _tell(self, iteration: int, role: str, what: str, value: Array) -> None:
        if self._observer is not None:
            self._observer(View(iteration, role, what, SUM, value.copy()))


def measure_encrypted(problem: Problem, steps: Gradient) -> Row:
    """The row of "ckks". `relative` has the error of the polynomial in it; `relative_polynomial` is what CKKS adds to
    the same steps with the polynomial in float64. SetupError without TenSEAL."""
    learning = EncryptedLearning(problem, steps)
    w = learning.train()
    params, more = learning.encryption.params, Row()
    if problem.model == "logistic":
        twin, largest = polynomial_twin(problem, steps)
        params |= {"sigmoid": list(SIGMOID), "sigmoid_range": RANGE, "largest_z": largest}
        more = {"relative_polynomial": distance(w, twin)}
    return {**problem.row("ckks", steps, w, learning.costs, seen=SEEN, params=params), **more}
