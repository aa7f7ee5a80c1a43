// The trials of a sweep, from the short keys of the page's data:
// n name, c configuration, s status, b best value, be its epoch, ts seconds of training, h history [kind, second, epoch, words],
// from number of the first report that is listed, e epochs, l training losses, m values of each metric, t seconds of the phase,
// why it ended, w warning, again why it was tried again, tried by hand, std over seeds, seeds each one's best value.
import { page, state } from "./state.js";
import { setting } from "./words.js";

/** The sweep that most of the page is about; with several, the address says which: #sweep=2 is the second. */
const chosen = Number(new URLSearchParams(location.hash.slice(1)).get("sweep") ?? 1) - 1;
export const sweep = page.sweeps[chosen] ?? page.sweeps[0];

export const isMax = () => sweep.objective.mode === "max";
export const isLost = (trial) => trial.s === "failed" || trial.s === "diverged";
export const lastEpoch = (trial) => (trial.e.length ? trial.e[trial.e.length - 1] : 0);
export const config = (trial, name) => trial.c[sweep.columns.indexOf(name)];

/** Whether a value beats another one. */
export function better(one, other) {
  if (one === null || one === undefined || Number.isNaN(one)) return false;
  if (other === null || other === undefined) return true;
  return isMax() ? one > other : one < other;
}

/** The trials that can be selected, best first. */
export function ranked(trials = sweep.trials) {
  const sign = isMax() ? -1 : 1;
  return trials.filter((trial) => trial.b !== null && !isLost(trial)).sort((one, other) => sign * (one.b - other.b) || (one.n < other.n ? -1 : 1));
}

/** The trial or the retraining of that name. */
export function find(name) {
  return index.get(name) ?? null;
}

const index = new Map();

export function reindex() {
  index.clear();
  for (const trial of [...sweep.trials, ...sweep.runs]) index.set(trial.n, trial);
}

export const isRun = (trial) => trial.n.includes("-seed");

/** The hyperparameters that differ between trials, in words. */
export function settings(trial, names = sweep.varied) {
  return names.map((name) => `${name} ${setting(config(trial, name))}`).join(", ");
}

/** A trial's value in a column of the table. */
export function valueOf(trial, column) {
  switch (column) {
    case "trial": return trial.n;
    case "status": return trial.s;
    case "epochs": return lastEpoch(trial);
    case "best epoch": return trial.be || null;
    case "training, s": return trial.ts;
    case "why it ended": return trial.why ?? "";
  }
  if (column.startsWith("val ")) return atBest(trial, column.slice(4));
  return config(trial, column);
}

/** A validation metric at the best epoch. */
export function atBest(trial, metric) {
  if (metric === sweep.objective.metric) return trial.b;
  const at = trial.e.indexOf(trial.be);
  return at < 0 ? null : trial.m[sweep.metrics.indexOf(metric)][at];
}

/** Whether a trial passes the reader's filters, one column left out if wanted. */
export function passes(trial, except = null) {
  for (const [column, wanted] of state.filters) {
    if (column === except) continue;
    const value = valueOf(trial, column);
    if (wanted.values ? !wanted.values.has(setting(value)) : !(value !== null && value >= wanted.low && value <= wanted.high)) return false;
  }
  return true;
}

/** The stretches in which a trial trained: [from second, to second, from epoch, to epoch]. */
export function spans(trial, end) {
  const found = [];
  let begun = null;
  for (const [kind, second, epoch] of trial.h) {
    if (["asked", "promoted", "resumed"].includes(kind)) begun ??= [second, epoch];
    else if (["paused", "ended", "interrupted"].includes(kind) && begun) {
      found.push([begun[0], second, begun[1], epoch]);
      begun = null;
    }
  }
  if (begun) found.push([begun[0], Math.max(begun[0], end), begun[1], lastEpoch(trial)]);
  return found;
}

/** The command that trains one configuration alone. */
export function command(trial) {
  const given = sweep.columns.slice(0, -1).map((name, at) => `${name}=${trial.c[at] === null ? "none" : trial.c[at]}`).join(" ");
  const epochs = isRun(trial) ? sweep.retrainEpochs : sweep.maxEpochs;
  const seed = trial.c[sweep.columns.length - 1];
  return sweep.alone[isRun(trial) ? 1 : 0].replace("@TRY@", `'${given}'`).replace("@EPOCHS@", epochs).replace("@SEED@", seed);
}

/** Whether positive values span more than a factor of ten, so that a logarithmic axis shows them better. */
export function isWide(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (typeof value !== "number") continue;
    if (value <= 0) return false;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high > 10 * low;
}
