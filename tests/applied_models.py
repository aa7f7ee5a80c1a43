"""Models of the task `sequences` as a sweep saves them, without a sweep; and what they say, computed one by one."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ae import Configuration, load, saved, tasks
from ae.data.sequences.options import Options
from sweeps import apply


def save_model(folder, data, **options):
    """A model with random weights for the data in a file, saved in a folder; what it says is compared, not judged."""
    chosen = Options(**options)
    task = tasks.find("sequences").with_options(chosen)
    splits = task.load(data, chosen)
    torch.manual_seed(0)
    configuration = Configuration(hidden_size=6, batch_size=8, epochs=1)
    network = task.build(configuration, splits.train).eval()
    arguments, weights = task.model(splits.train), network.state_dict()
    facts = {**task.facts(network, splits), "options": asdict(chosen), "class_names": splits.train.class_names}
    saved.save(folder, "sequences", configuration, arguments, weights, **facts)
    return folder


def applied(*arguments):
    """The output of a successful command line; anything on stderr but what was read fails."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        assert apply.main([str(argument) for argument in arguments]) == 0, errors.getvalue()
    return output.getvalue()


def refused(*arguments):
    """The one line with which a command line is refused."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as errors:
        assert apply.main([str(argument) for argument in arguments]) == 2
    lines = errors.getvalue().splitlines()
    assert len(lines) == 1, lines
    return lines[0].removeprefix("error: ")


def table(path):
    """A table that was written; an empty cell is missing."""
    return pd.read_parquet(path) if Path(path).suffix == ".parquet" else pd.read_csv(path, dtype={"name": str})


class OneByOne:
    """What a saved model says about single sequences, straight from its weights."""

    def __init__(self, folder):
        described = saved.describe(folder)
        self.model, scaler = load(folder), described["prepared"]["scaler"]
        self.centre_F, self.spread_F = np.array(scaler["centre"]), np.array(scaler["spread"])

    def scaled(self, values_TF):
        return ((np.asarray(values_TF, dtype=float) - self.centre_F) / self.spread_F).astype(np.float32)

    @torch.inference_mode()
    def __call__(self, values_TF):
        """Errors of each step, reconstruction in the data's units, z, and probabilities, of a complete sequence."""
        inputs_1TF = torch.from_numpy(self.scaled(values_TF))[None]
        output = self.model(inputs_1TF)
        steps_T = ((output.reconstruction_BTO - inputs_1TF) ** 2).mean(dim=2)[0].double().numpy()
        restored_TF = output.reconstruction_BTO[0].double().numpy() * self.spread_F + self.centre_F
        chances = None if output.logits_BC is None else output.logits_BC.softmax(dim=1)[0].numpy()
        return steps_T, restored_TF, self.model.encode(inputs_1TF)[0].numpy(), chances

    @torch.inference_mode()
    def forecast(self, values_TF, steps):
        """The next steps in the data's units, each with the ones before it as input."""
        inputs_TF = torch.from_numpy(self.scaled(values_TF))
        for _ in range(steps):
            inputs_TF = torch.cat([inputs_TF, self.model(inputs_TF[None]).prediction_BTO[0, -1:]])
        return inputs_TF[len(values_TF) :].double().numpy() * self.spread_F + self.centre_F


def ragged(count=30, seed=0, features=2, shortest=3, longest=12):
    """Random sequences of different lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, count)
    return [rng.normal(5.0, 2.0, (length, features)).round(4) for length in lengths]


def save_long(path, sequences, labels=None, names=None):
    """A long table: unit, hour, a, b, ..."""
    rows = []
    for at, one in enumerate(sequences):
        name = names[at] if names else f"u{at}"
        for hour, values in enumerate(one):
            label = {} if labels is None else {"label": labels[at]}
            rows.append({"unit": name, "hour": 10 + hour, **label, **dict(zip("abcdef", values, strict=False))})
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def save_series(path, steps=300, seed=0, labels=False, gaps=False):
    """One series with a time, a value, and perhaps labels and missing values."""
    rng = np.random.default_rng(seed)
    values = np.sin(np.arange(steps) / 5) * 3 + rng.normal(0, 0.3, steps)
    frame = pd.DataFrame({"timestamp": np.arange(steps) * 10 + 500, "value": values.round(4)})
    if labels:
        frame["is_anomaly"] = ((frame.index > 200) & (frame.index < 210)).astype(int)
    if gaps:
        frame.loc[rng.random(steps) < 0.1, "value"] = np.nan
        frame.loc[120:150, "value"] = np.nan
    frame.to_csv(path, index=False)
    return path


def save_models(place):
    """Save one model of each kind, called by what it was trained on, into a folder; gives the folder."""
    labels = ["yes", "no", "maybe"] * 20
    save_long(place / "long.csv", ragged(60), labels)
    save_model(place / "long", place / "long.csv")
    save_model(place / "classes", place / "long.csv", classify=True)
    save_model(place / "predict", place / "long.csv", predict=True)
    save_model(place / "own-scale", place / "long.csv", predict=True, scale="per-sequence")
    save_model(place / "normal", place / "long.csv", normal="yes")
    save_model(place / "series", save_series(place / "series.csv"), window=20, stride=3)
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(50, 8)), columns=[f"t{at}" for at in range(8)])
    rows.to_csv(place / "rows.csv", index=False)
    save_model(place / "rows", place / "rows.csv")
    return place
