// The best model on its data: what a task shows, drawn from the same data as the PNG files.
import { axis, grid, plot, section, upright } from "./chart.js";
import { colour, SERIES } from "./colours.js";
import { on } from "./state.js";
import { sweep } from "./trials.js";
import { figure, h } from "./words.js";
import { confusion, images, picture, stepper } from "./pictures.js";

const KINDS = { confusion, images, picture, lines, histogram, detection, codes, series };

export function model() {
  const grid = h("div.grid");
  const element = section("model", "The best model on the test split", "What the winner does with data that neither training nor selection has seen.", grid);
  const fill = () => {
    grid.replaceChildren(...sweep.figures.map((one) => h(["series", "lines", "picture", "detection"].includes(one.kind) || (one.kind === "images" && !one.output) || sweep.figures.length === 1 ? "div.panel.w12" : "div.panel.w6", { "data-figure": one.file }, h("h3", {}, one.title), ...(KINDS[one.kind] ?? picture)(one))));
    element.hidden = !sweep.figures.length;
  };
  fill();
  on("figures", fill);
  return element;
}

const isTime = (index) => typeof index[0] === "string";
const across = (index, more = {}) => axis(isTime(index) ? "" : "time step", { type: isTime(index) ? "time" : "value", scale: true, ...more });
const numbers = (more = {}) => ({ axisLabel: { formatter: (value) => figure(value, 3), color: colour("soft"), fontSize: 12 }, scale: true, ...more });

/** Sequences with what the model makes of them, one at a time. */
function lines(one) {
  let at = 0;
  const hasOutput = (panel) => panel.output?.some((value) => value !== null);
  const item = () => one.items[at];
  const chart = plot(() => `${one.alt} Shown: ${item().title}`, 40 + 230 * Math.max(...one.items.map((each) => each.panels.length)), () => {
    const { panels, index } = item();
    const tall = 230;
    const names = new Set(panels.flatMap((panel) => ["data", ...(hasOutput(panel) ? [one.what] : [])]));
    return {
      legend: { top: 0, right: 10, data: [...names], textStyle: { color: colour("soft"), fontSize: 12 }, icon: "roundRect", itemHeight: 3 },
      tooltip: { trigger: "axis", confine: true, valueFormatter: (value) => figure(value, 4) },
      grid: panels.map((_, place) => ({ left: 58, right: 18, top: 44 + place * tall, height: tall - 84 })),
      xAxis: panels.map((_, place) => across(index, { gridIndex: place, name: place === panels.length - 1 && !isTime(index) ? "time step" : "" })),
      yAxis: panels.map((panel, place) => upright(panel.name, numbers({ gridIndex: place }))),
      series: panels.flatMap((panel, place) => [["data", panel.given, SERIES[0], "solid"], [one.what, hasOutput(panel) ? panel.output : null, SERIES[1], [6, 3]]].filter((each) => each[1]).map(([name, values, stroke, type]) => ({
        type: "line", name, xAxisIndex: place, yAxisIndex: place, data: values.map((value, step) => [index[step], value]), showSymbol: values.length < 60, symbolSize: 4, lineStyle: { color: stroke, width: 1.8, type }, itemStyle: { color: stroke },
      }))),
    };
  }, "theme");
  const caption = h("p.nums", { "aria-live": "polite" }, item().title);
  const step = stepper("sequence", one.items.length, (next) => { at = next; caption.textContent = item().title; chart.redraw(); });
  return [step, caption, chart.element].filter(Boolean);
}

function histogram(one) {
  const middle = one.edges.slice(0, -1);
  const shade = (group) => (group.is_abnormal ? SERIES[1] : SERIES[0]);
  const chart = plot(() => one.alt, 400, () => ({
    grid: grid({ top: 84 }), legend: { top: 0, left: 0, itemGap: 14, textStyle: { color: colour("soft"), fontSize: 12 } },
    tooltip: { trigger: "axis", confine: true, valueFormatter: (value) => `${figure(value, 3)} %` },
    xAxis: axis("mean squared reconstruction error of a sequence", { type: one.is_wide ? "log" : "value", min: one.edges[0], max: one.edges[one.edges.length - 1], axisLabel: { formatter: (value) => figure(value, 2), color: colour("soft"), fontSize: 12, hideOverlap: true } }),
    yAxis: upright("% of the sequences", numbers({ scale: false })),
    series: one.groups.map((group, place) => ({
      type: "line", step: "end", name: group.words, showSymbol: false, data: [...middle.map((edge, at) => [edge, group.shares[at]]), [one.edges[one.edges.length - 1], group.shares[group.shares.length - 1]]],
      lineStyle: { color: shade(group), width: group.is_test ? 1 : 1.8, type: group.is_test ? "solid" : [5, 3] }, itemStyle: { color: shade(group) }, areaStyle: group.is_test ? { color: shade(group), opacity: 0.3 } : undefined,
      markLine: place ? undefined : { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: colour("ink"), width: 1.3 }, data: one.thresholds.map((each, at) => ({ xAxis: each.value, lineStyle: { type: at ? "solid" : "dashed" } })) },
    })),
  }), "theme");
  const words = one.thresholds.map((each, at) => `${at ? "Solid" : "Dashed"} line: threshold ${figure(each.value, 3)}, ${each.words}.`).join(" ");
  return [chart.element, h("p.soft.small", {}, `Filled: test; dashed outline: validation. ${words}`)];
}

function detection(one) {
  const curve = (key, x, y, chance) => plot(() => one.alt, 330, () => ({
    grid: grid({ top: 34 }), tooltip: { trigger: "item", confine: true },
    xAxis: axis(x, { min: 0, max: 1 }), yAxis: upright(y, { min: 0, max: 1 }),
    series: [...one.methods.map((method, place) => ({ type: "line", name: method.name, data: method[key], showSymbol: false, z: 5 - place, lineStyle: { color: SERIES[place], width: place ? 1.5 : 2.5, type: place ? [6, 3] : "solid" } })),
      { type: "line", data: chance, silent: true, showSymbol: false, lineStyle: { color: colour("faint"), type: "dotted", width: 1 } }],
  }), "theme");
  const roc = curve("roc", "false alarms: share of the normal sequences", "found: share of the abnormal sequences", [[0, 0], [1, 1]]);
  const recall = curve("precision_recall", "recall: share of the abnormal found", "precision: share of alarms that are right", [[0, one.chance], [1, one.chance]]);
  const rows = one.methods.map((method, place) => h("tr", {}, h("td", {}, h("span.swatch", { style: `color:${SERIES[place]}` }), method.name), h("td", {}, figure(method.roc_area, 3)), h("td", {}, figure(method.precision_area, 3))));
  return [h("div.grid", {}, h("div.w6", {}, h("h3", {}, "ROC"), roc.element), h("div.w6", {}, h("h3", {}, "Precision and recall"), recall.element)),
    h("div.scroll", {}, h("table.plain", {}, h("thead", {}, h("tr", {}, ["method", "area under the ROC curve", "average precision"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows)))];
}

function codes(one) {
  const chart = plot(() => one.alt, 400, () => {
    const byClass = one.labels && [...new Set(one.labels)].sort((first, second) => first - second);
    const scatter = { type: "scatter", symbolSize: 6, itemStyle: { opacity: 0.75 } };
    const logs = one.errors.map((error) => Math.log10(Math.max(error ?? 0, 1e-12)));
    return {
      grid: grid({ top: byClass ? 50 : 34, right: byClass ? 18 : 70 }), legend: byClass ? { type: "scroll", top: 0, textStyle: { color: colour("soft"), fontSize: 12 } } : undefined,
      xAxis: axis(one.axes[0], { scale: true }), yAxis: upright(one.axes[1], { scale: true }),
      visualMap: byClass ? undefined : { type: "continuous", dimension: 2, min: Math.min(...logs), max: Math.max(...logs), right: 0, top: "middle", itemWidth: 12, itemHeight: 150, text: ["large error", "small"], textStyle: { color: colour("soft"), fontSize: 12 }, formatter: (value) => figure(10 ** value, 2), inRange: { color: ["#d9e2ef", "#4a90b8", "#20408c"] } },
      tooltip: { confine: true, formatter: ({ dataIndex, seriesIndex, data }) => { const at = data[3] ?? dataIndex; return h("div", {}, h("b", {}, byClass ? `class ${one.classes[byClass[seriesIndex]]}` : "sequence"), h("div", {}, `error ${figure(one.errors[at], 3)}`)); } },
      series: byClass
        ? byClass.map((label, place) => ({ ...scatter, name: one.classes[label], itemStyle: { color: SERIES[place % SERIES.length], opacity: 0.75 }, data: one.places.map((spot, at) => [...spot, logs[at], at]).filter((spot) => one.labels[spot[3]] === label) }))
        : [{ ...scatter, data: one.places.map((spot, at) => [...spot, logs[at], at]) }],
    };
  }, "theme");
  return [chart.element];
}

/** One long series: the data, its errors, and what was flagged; zoom with the slider. */
function series(one) {
  const shade = (intervals, fill, opacity) => ({ silent: true, itemStyle: { color: fill, opacity }, data: intervals.map(([first, last]) => [{ xAxis: one.index[first] }, { xAxis: one.index[Math.min(one.index.length - 1, last + 1)] }]) });
  const line = (name, values, stroke, place, more = {}) => ({ type: "line", name, xAxisIndex: place, yAxisIndex: place, data: values.map((value, at) => [one.index[at], value]), showSymbol: false, lineStyle: { color: stroke, width: 1.2 }, itemStyle: { color: stroke }, ...more });
  const chart = plot(() => one.alt, 460, () => ({
    legend: { top: 0, textStyle: { color: colour("soft"), fontSize: 12 } }, tooltip: { trigger: "axis", confine: true, valueFormatter: (value) => figure(value, 4) },
    grid: [{ left: 58, right: 18, top: 50, height: 170 }, { left: 58, right: 18, top: 262, height: 105 }],
    dataZoom: [{ type: "slider", xAxisIndex: [0, 1], bottom: 4, height: 26, textStyle: { color: colour("soft"), fontSize: 12 }, brushSelect: false }],
    xAxis: [0, 1].map((place) => across(one.index, { gridIndex: place, name: "", scale: true })),
    yAxis: [upright(one.column, numbers({ gridIndex: 0 })), upright("error of a step", numbers({ gridIndex: 1, scale: false }))],
    series: [line("data", one.given, SERIES[0], 0, { markArea: shade(one.flagged, SERIES[1], 0.22) }), line("reconstruction", one.output, SERIES[1], 0, { lineStyle: { color: SERIES[1], width: 1.2, type: [5, 3] } }),
      line("error", one.errors, colour("soft"), 1, { markArea: one.labelled ? shade(one.labelled, SERIES[4], 0.25) : undefined, markLine: { silent: true, symbol: "none", lineStyle: { color: colour("ink"), type: "dashed" }, label: { formatter: "threshold", color: colour("soft"), fontSize: 12, position: "insideEndTop" }, data: [{ yAxis: one.threshold }] } })],
  }), "theme");
  const thinned = one.every > 1 ? ` One of ${one.every} steps is drawn: that with the largest error.` : "";
  return [chart.element, h("p.soft.small", {}, `Orange bands: flagged${one.labelled ? "; red bands below: labelled anomalies" : ""}.${thinned}`)];
}
