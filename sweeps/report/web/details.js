// The details of the selected trial: what it is, how it went, what is left of it.
import { axis, grid, plot, upright } from "./chart.js";
import { colour, SERIES, statusColour, statusMark } from "./colours.js";
import { on, page, select, state } from "./state.js";
import { atBest, command, find, isRun, lastEpoch, sweep } from "./trials.js";
import { clock, code, figure, h, setting } from "./words.js";

export function details() {
  const panel = document.getElementById("details");
  let opener = null;
  const close = () => { select(null); opener?.focus?.(); };
  const fill = () => {
    const trial = find(state.selected);
    if (!trial) { panel.hidden = true; panel.replaceChildren(); return; }
    const isNew = panel.hidden || panel.dataset.trial !== trial.n;
    if (panel.hidden) opener = document.activeElement;
    panel.hidden = false;
    panel.dataset.trial = trial.n;
    if (isNew) { panel.scrollTop = 0; panel.replaceChildren(...parts(trial, close)); }
    else panel.replaceChildren(...parts(trial, close));
  };
  on("select theme", fill);
  on("data", () => { if (state.selected) fill(); });
  on("open", () => panel.querySelector("button")?.focus());
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && state.selected) close(); });
}

function parts(trial, close) {
  const { metric } = sweep.objective;
  const all = isRun(trial) ? sweep.retrainEpochs : sweep.maxEpochs;
  const facts = [
    ["status", h("span.status", { "data-mark": statusMark(trial.s), style: `--mark:${statusColour(trial.s)}` }, trial.s)],
    ["why it ended", trial.why],
    [`best ${metric}`, trial.b === null ? "none yet" : `${figure(trial.b, 5)}${trial.std ? ` ± ${figure(trial.std, 2)}` : ""} at epoch ${trial.be}`],
    ...(trial.seeds?.length > 1 ? [["each seed", trial.seeds.map((value) => figure(value)).join(", ")]] : []),
    ...sweep.metrics.filter((name) => name !== metric).map((name) => [name, figure(atBest(trial, name), 5)]),
    ["epochs", `${lastEpoch(trial)} of ${all}`],
    ["training", clock(trial.ts ?? 0)],
    ["warning", trial.w],
    ["tried again", trial.again],
    ["tested", sweep.tests[trial.n] && Object.entries(sweep.tests[trial.n]).map(([name, value]) => `${name} ${figure(value)}`).join(", ")],
  ].filter((row) => row[1]);
  const settings = sweep.columns.map((name, at) => [name, setting(trial.c[at]), sweep.varied.includes(name)]);
  const curve = trial.e.length ? small(trial, all) : null;
  const error = sweep.made.errors[trial.n];
  return [
    h("h2", {}, isRun(trial) ? `Retraining ${trial.n}` : `Trial ${trial.n}`, trial.tried && h("span.pill", {}, "tried by hand"), h("button", { type: "button", "aria-label": "Close", click: close }, "×")),
    pairs(facts),
    h("h3", {}, "Configuration"),
    h("dl.pairs", {}, settings.flatMap(([name, value, varies]) => [h("dt", {}, name), h("dd", varies ? {} : { style: "font-weight:400" }, value)])),
    curve && h("h3", {}, `Validation ${metric}`), curve?.element,
    h("h3", {}, "Train it alone"), code(command(trial), "Copy the command"),
    h("h3", {}, "What happened"), h("ol.events", {}, events(trial)),
    h("h3", {}, "Checkpoints"), h("p.small", {}, checkpoints(trial)),
    error && [h("h3", {}, "Error"), code(error, "Copy the traceback")],
  ].flat().filter(Boolean);
}

const pairs = (rows) => h("dl.pairs", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

function checkpoints(trial) {
  if (sweep.made.kept === null) return `They cannot be seen from here; they were kept in ${sweep.made.checkpoints}.`;
  const epochs = sweep.made.kept[trial.n] ?? [];
  return epochs.length ? `Of epoch${epochs.length > 1 ? "s" : ""} ${epochs.join(" and ")}, in ${sweep.made.checkpoints}/${trial.n}` : "None left.";
}

/** The events with the time since the sweep began; validations in a row are one line. */
function events(trial) {
  const lines = [];
  let at = 0;
  const validated = (until) => {
    const first = at;
    while (at < trial.e.length && trial.e[at] <= until) at += 1;
    if (at > first) lines.push(["", at - first === 1 ? `validated at epoch ${trial.e[first]}` : `validated from epoch ${trial.e[first]} to ${trial.e[at - 1]}`]);
  };
  for (const [kind, second, epoch, words] of trial.h) {
    validated(epoch);
    const form = page.events[kind] ?? kind;
    const said = form.replace("{epoch}", epoch).replace("{status}", trial.s).replace("{reason}", words ?? "");
    lines.push([clock(second), said.replace(/: $/, "")]);
  }
  validated(Infinity);
  return lines.map(([time, words]) => h("li", {}, h("time", {}, time), h("span", {}, words)));
}

function small(trial, all) {
  const metric = sweep.objective.metric;
  const values = trial.m[sweep.metrics.indexOf(metric)] ?? [];
  const lines = [[`validation ${metric}`, values, SERIES[0]]];
  if (metric === "loss") lines.push(["training loss", trial.l, colour("faint")]);
  const option = () => ({
    grid: grid({ left: 52, top: 28, bottom: 40 }),
    tooltip: { trigger: "axis", valueFormatter: (value) => figure(value, 5), confine: true },
    xAxis: axis("epoch", { max: all, min: 0 }),
    yAxis: upright("", { scale: true, axisLabel: { formatter: (value) => figure(value, 3), color: colour("soft"), fontSize: 12 } }),
    series: lines.map(([name, own, stroke]) => ({
      type: "line", name, data: own.map((value, at) => [trial.e[at], value]), showSymbol: own.length < 40, lineStyle: { width: 2, color: stroke }, itemStyle: { color: stroke },
      markPoint: undefined,
    })),
  });
  return plot(() => `Learning curve of ${trial.n}: ${metric} from ${figure(values[0])} to ${figure(values[values.length - 1])}`, 190, option, "none");
}
