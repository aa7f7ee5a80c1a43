// The retraining: curves of all seeds, and every value, test beside validation.
import { axis, grid, plot, section, upright } from "./chart.js";
import { colour, SERIES } from "./colours.js";
import { byMissing, isNearOne, logAxis, shareAxis } from "./lines.js";
import { on, select } from "./state.js";
import { find, isMax, isWide, sweep } from "./trials.js";
import { columnFormat, counted, figure, h, menu, setting, toggle } from "./words.js";

const view = { metric: null, train: true, isLog: null };

export function retraining() {
  const element = section("retraining", "Retraining", "The best configurations of the search, trained from scratch with seeds that the search did not use. Each model is kept at its best validation epoch; after that, each is tested once.");
  if (!sweep.runs.length) element.append(h("p.soft", {}, "Nothing has been retrained yet."));
  const content = h("div");
  element.append(content);
  view.metric ??= sweep.objective.metric;
  let isThere = false;
  const fill = () => {
    if (!sweep.runs.length) return;
    element.querySelector("p.soft:not(.small)")?.remove();
    if (!isThere) content.append(h("div.panel", {}, ...curves()), h("div.panel", { id: "retrained-table" }));
    isThere = true;
    document.getElementById("retrained-table")?.replaceChildren(...values());
  };
  on("data theme answer", fill);
  fill();
  queueMicrotask(fill);
  return element;
}

const configurations = () => (sweep.retrained.length ? sweep.retrained.map((one) => one.trial) : [...new Set(sweep.runs.map((run) => run.n.split("-seed")[0]))]);

function curves() {
  const chart = plot(() => `Curves of ${counted(sweep.runs.length, "retraining")}: ${view.metric} against epochs.`, 320, option, "data theme select");
  const names = [...sweep.metrics];
  const controls = h("div.controls", {}, menu("Metric", names, view.metric, (name) => { view.metric = name; view.isLog = null; chart.redraw(); }),
    toggle("Training loss", true, (isOn) => { view.train = isOn; chart.redraw(); }), toggle("Log scale", isLog() || isShare(), (isOn) => { view.isLog = isOn; chart.redraw(); }));
  const keys = h("ul.keys", {}, configurations().map((name, at) => h("li", {}, h("i", { style: `background:${SERIES[at % SERIES.length]}` }), `configuration of trial ${name}`)), h("li", {}, "solid: validation · dotted: training · dot: the epoch that is kept"));
  chart.whenMade.push((made) => made.on("click", (event) => select(event.seriesName)));
  return [h("h3", {}, "Curves of all seeds"), controls, chart.element, keys];
}

const curve = (run) => run.m[sweep.metrics.indexOf(view.metric)] ?? [];
const isLog = () => view.isLog ?? (!(isMax() && view.metric === sweep.objective.metric) && !/accuracy|auc/.test(view.metric) && isWide(sweep.runs.flatMap(curve)));
const isShare = () => view.isLog !== false && /accuracy|auc/.test(view.metric) && isNearOne(sweep.runs.flatMap(curve));

function option() {
  const [byLog, byShare] = [isLog(), isShare()];
  const order = configurations();
  const kept = new Map(sweep.retrained.flatMap((one) => one.runs.map((name, at) => [name, one.epochs[at]])));
  const series = [];
  for (const run of [...sweep.runs].reverse()) {
    const place = order.indexOf(run.n.split("-seed")[0]);
    const stroke = place < 0 ? colour("faint") : SERIES[place % SERIES.length];
    const points = curve(run).map((value, at) => [run.e[at], byShare ? byMissing(value) : value]);
    const look = { name: run.n, type: "line", showSymbol: false, itemStyle: { color: stroke }, triggerLineEvent: true, emphasis: { lineStyle: { width: 3.5 } } };
    const best = kept.get(run.n) ?? run.be;
    series.push({ ...look, data: points, z: 10 - Math.max(0, place), lineStyle: { color: stroke, width: place ? 1.3 : 2.2, opacity: place ? 0.75 : 1 },
      markPoint: best ? { symbol: "circle", symbolSize: 8, label: { show: false }, data: points.filter((point) => point[0] === best && point[1] !== null).map((coord) => ({ coord })) } : undefined });
    if (view.train && view.metric === "loss") series.push({ ...look, data: run.l.map((value, at) => [run.e[at], value]), lineStyle: { color: stroke, width: 1, type: "dotted", opacity: 0.7 } });
  }
  return {
    grid: grid(), series, xAxis: axis("epoch", { min: 0, max: sweep.retrainEpochs }),
    yAxis: upright(view.metric, byShare ? shareAxis() : byLog ? logAxis(sweep.runs.flatMap(curve)) : { scale: true, axisLabel: { formatter: (value) => figure(value, 3), color: colour("soft"), fontSize: 12 } }),
    tooltip: { trigger: "item", confine: true, formatter: ({ seriesName, value }) => h("div", {}, h("b", {}, seriesName), h("div", {}, `epoch ${value[0]}: ${figure(byShare ? 1 - 10 ** -value[1] : value[1], 5)}`)) },
  };
}

/** Means and every seed; test beside validation. */
function values() {
  if (!sweep.retrained.length) return [h("p.soft.small", {}, "The values follow when the models are trained.")];
  const first = sweep.retrained[0];
  const names = [sweep.objective.metric, ...Object.keys(first.val).filter((name) => name !== sweep.objective.metric)];
  const testOnly = first.test ? Object.keys(first.test).filter((name) => !names.includes(name)) : [];
  const columns = [...names.flatMap((name) => [[name, "val", "validation"], [name, "test", "test"]]), ...testOnly.map((name) => [name, "test", "test"])];
  const formats = columns.map(([name, split]) => columnFormat(sweep.retrained.flatMap((one) => one[split]?.[name]?.values ?? [])));
  const head = h("tr", {}, h("th", { scope: "col" }, "configuration and seed"), columns.map(([name, , words]) => h("th", { scope: "col" }, `${words} ${name}`)), h("th", { scope: "col" }, "kept epoch"));
  const rows = sweep.retrained.flatMap((one, place) => [
    h("tr.mean", {}, h("th", { scope: "row" }, `${place + 1}. ${Object.entries(one.config).map(([name, value]) => `${name} ${setting(value)}`).join(", ")}`), columns.map(([name, split]) => h("td", {}, one[split]?.[name]?.words ?? "not tested")), h("td", {}, "")),
    ...one.runs.map((run, at) => h("tr.seed", {}, h("td", {}, h("button.link", { type: "button", click: () => select(run) }, `seed ${one.seeds[at]}`), find(run)?.s === "finished" ? "" : ` ${find(run)?.s ?? ""}`), columns.map(([name, split], place) => h("td", {}, formats[place](one[split]?.[name]?.values[at]))), h("td", {}, one.epochs[at]))),
  ]);
  return [h("h3", {}, "Every value"), h("p.soft.small", {}, `Mean ± standard deviation over the seeds. Configurations are ranked by the number of seeds that trained to the last epoch, then by mean validation ${sweep.objective.metric}; the test decides nothing.`), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Values of the retraining" }, h("table.plain", {}, h("thead", {}, head), h("tbody", {}, rows)))];
}
