"""A data set as sequences in three parts: training, validation and test.

Shape suffixes: N sequences, T time steps, F features, S time steps of all sequences together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ae.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

SPLIT_SEED = 20_260_101
"""Seeds every split into training, validation and test data; it does not depend on the seed of a sweep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """One of the three parts of a data set.

    Sequence n has the steps `steps_SF[starts_N[n] : starts_N[n] + lengths_N[n]]`, so sequences have lengths of their
    own, and windows of one long series may overlap without a copy.
    """

    steps_SF: NDArray[np.float32]
    """Time steps of all sequences; the range is the task's, [0, 1] for images. Missing values are filled."""
    starts_N: NDArray[np.int64]
    """Where each sequence begins."""
    lengths_N: NDArray[np.int64]
    """Time steps of each sequence, at least 1."""
    observed_SF: NDArray[np.bool_] | None = None
    """False where a value is missing in the data; None if none is."""
    unusual_S: NDArray[np.bool_] | None = None
    """True where a step has another class than most steps, as an anomaly has; None if steps have no classes."""
    centre_NF: NDArray[np.float32] | None = None
    """What a batch subtracts from each sequence; None if its steps are as the model reads them."""
    spread_NF: NDArray[np.float32] | None = None
    """What a batch then divides it by."""
    labels_N: NDArray[np.int64] | None = None
    """Class of each sequence, an index into `class_names`; None if the data has no classes."""
    class_names: tuple[str, ...] | None = None
    """Names of all classes of the data set, whether or not this part has sequences of each; None without labels."""
    info: pd.DataFrame | None = None
    """One row per sequence, with its name and what restores its units; None if there is nothing to record."""

    @classmethod
    def dense(
        cls,
        inputs_NTF: NDArray[np.float32],
        labels_N: NDArray[np.int64] | None = None,
        info: pd.DataFrame | None = None,
    ) -> Split:
        """Sequences of one length; contiguous inputs are not copied."""
        count, steps, features = inputs_NTF.shape
        return cls(
            steps_SF=inputs_NTF.reshape(count * steps, features),
            starts_N=np.arange(count, dtype=np.int64) * steps,
            lengths_N=np.full(count, steps, dtype=np.int64),
            labels_N=labels_N,
            info=info,
        )

    def __len__(self) -> int:
        return len(self.starts_N)

    @property
    def features(self) -> int:
        """Values F of one time step."""
        return int(self.steps_SF.shape[1])

    @property
    def is_dense(self) -> bool:
        """Whether all sequences have one length and follow each other, so that `inputs_NTF` is no copy."""
        lengths_N, ends_N = self.lengths_N, self.starts_N + self.lengths_N
        follows = np.array_equal(self.starts_N[1:], ends_N[:-1]) and (not len(self) or self.starts_N[0] == 0)
        return bool(follows and lengths_N.sum() == len(self.steps_SF) and (lengths_N == lengths_N[:1]).all())

    @property
    def inputs_NTF(self) -> NDArray[np.float32]:
        """All sequences as one array, as the model reads them.

        Raises:
            ValueError: if their lengths differ.
        """
        if self.is_dense:
            inputs_NTF = self.steps_SF.reshape(len(self), -1, self.features)
        elif (self.lengths_N == self.lengths_N[:1]).all():
            inputs_NTF = self.steps_SF[self.starts_N[:, None] + np.arange(self.lengths_N[0])]
        else:
            raise ValueError(f"sequences must have one length, got {self.lengths_N.min()} to {self.lengths_N.max()}")
        if self.centre_NF is None or self.spread_NF is None:
            return inputs_NTF
        return (inputs_NTF - self.centre_NF[:, None]) / self.spread_NF[:, None]

    def sequence(self, index: int) -> NDArray[np.float32]:
        """One sequence (T, F), as the model reads it."""
        start = self.starts_N[index]
        steps_TF = self.steps_SF[start : start + self.lengths_N[index]]
        if self.centre_NF is None or self.spread_NF is None:
            return steps_TF
        return (steps_TF - self.centre_NF[index]) / self.spread_NF[index]

    def unscaled(self, values: NDArray[np.float32], where: int | slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Values as the model gives them, without what a batch does to its inputs.

        Args:
            values: of one sequence, (T, F), or of several, (B, T, F).
            where: which sequence that is, or which they are.
        """
        if self.centre_NF is None or self.spread_NF is None:
            return values
        return values * self.spread_NF[where][..., None, :] + self.centre_NF[where][..., None, :]

    def head(self, count: int) -> Split:
        """The first `count` sequences; splits are shuffled, so these are a random sample."""
        return self.take(range(min(count, len(self))))

    def take(self, where: Sequence[int] | NDArray[np.int64]) -> Split:
        """Some of the sequences, in the order of `where`; steps before and after all of them are left out."""
        where_N = np.asarray(where, dtype=np.int64)
        starts_N, lengths_N = self.starts_N[where_N], self.lengths_N[where_N]
        first, last = (int(starts_N.min()), int((starts_N + lengths_N).max())) if len(where_N) else (0, 0)
        return replace(
            self,
            steps_SF=self.steps_SF[first:last],
            starts_N=starts_N - first,
            lengths_N=lengths_N,
            observed_SF=None if self.observed_SF is None else self.observed_SF[first:last],
            unusual_S=None if self.unusual_S is None else self.unusual_S[first:last],
            centre_NF=None if self.centre_NF is None else self.centre_NF[where_N],
            spread_NF=None if self.spread_NF is None else self.spread_NF[where_N],
            labels_N=None if self.labels_N is None else self.labels_N[where_N],
            info=None if self.info is None else self.info.iloc[where_N],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Splits:
    """A data set in three parts, split with `SPLIT_SEED`."""

    train: Split
    validation: Split
    test: Split
    source: str
    """Where the data comes from; the report prints it."""
    abnormal_validation: Split | None = None
    """Abnormal sequences for the threshold of a detection; they neither train a model nor choose one."""
    abnormal_test: Split | None = None
    """Abnormal sequences for the test of a detection."""
    prepared: Mapping[str, Any] = field(default_factory=dict)
    """What prepares new data as this was prepared, as JSON values; saved with the model."""

    def subset(self, count: int) -> Splits:
        """The first `count` training sequences, and the same share of the other splits.

        Raises:
            UserError: if `count` is below 1.
        """
        if count < 1:
            raise UserError(f"subset must be >= 1 training sequence, got {count}")
        if count >= len(self.train):
            return self
        share = count / len(self.train)
        names = ("train", "validation", "test", "abnormal_validation", "abnormal_test")
        cut = {name: getattr(self, name) for name in names if getattr(self, name)}
        smaller = {name: split.head(max(1, round(share * len(split)))) for name, split in cut.items()}
        verbs = ("train", "validate", "test")
        sizes = ", ".join(f"{len(split):,} to {verb}" for split, verb in zip(smaller.values(), verbs, strict=False))
        return replace(self, source=f"{self.source}; a subset: {sizes}", **smaller)
