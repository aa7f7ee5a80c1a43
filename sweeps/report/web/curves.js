// Learning curves of all trials: one line each, of which the best are told apart.
import { axis, grid, plot, section, timeAxis, tooltip, upright } from "./chart.js";
import { colour, SERIES, statusColour } from "./colours.js";
import { brokenLine, byMissing, isNearOne, logAxis, nearest, paths, shareAxis, smooth } from "./lines.js";
import { hover, on, select, state } from "./state.js";
import { find, isLost, isMax, isWide, passes, ranked, settings, sweep } from "./trials.js";
import { figure, h, menu, segmented, toggle } from "./words.js";

const TOLD_APART = 8;
const MOST_DRAWN = 3000;
const MARKS = [["paused", "circle", 6], ["promoted", "triangle", 8], ["stopped early", "path://M1,0L5,4L9,0L10,1L6,5L10,9L9,10L5,6L1,10L0,9L4,5L0,1Z", 8], ["diverged", "path://M0,0L10,0L5,9Z", 9], ["failed", "rect", 7]];

const view = { metric: null, across: "epochs", isLog: null, smoothing: 0, marks: true, zoom: null };

export function curves() {
  view.metric = sweep.objective.metric;
  const chart = plot(label, 430, option, "data theme filter select");
  const tip = tooltip(chart.element);
  const legend = h("div.legend", { style: `min-height:${Math.ceil(Math.min(TOLD_APART, sweep.now.search.requested) / 3) * 2}rem`, "aria-label": "Trials in colour, best first" });
  const note = h("p.soft.small", { style: "margin:.4rem 0 0;min-height:1.4em" });
  chart.drawn = () => { drawLegend(legend, chart); note.textContent = noted(); };
  chart.whenMade.push((made) => follow(made, chart, tip));
  on("hover", () => highlight(chart));
  const redraw = () => { view.zoom = null; chart.redraw(); };
  const log = toggle("Log scale", isLog(), (isOn) => { view.isLog = isOn; redraw(); });
  log.id = "log";
  const slider = h("input", { type: "range", min: 0, max: 15, value: 0, "aria-label": "Smoothing, in reports on either side", input: () => { view.smoothing = Number(slider.value); redraw(); } });
  const controls = h("div.controls", {},
    menu("Metric", [...sweep.metrics.map((name) => [name, `validation ${name}`]), ["train", "training loss"]], view.metric, (name) => { view.metric = name; view.isLog = null; log.setAttribute("aria-pressed", String(isLog())); redraw(); }),
    segmented("Across", [["epochs", "Epochs"], ["time", "Time"]], view.across, (name) => { view.across = name; redraw(); }),
    log, toggle("Marks", true, (isOn) => { view.marks = isOn; redraw(); }),
    h("label", {}, "Smoothing", slider),
    h("button.end", { type: "button", click: redraw }, "Reset zoom"));
  return section("curves", "Learning curves", "Every trial of the search. Point at a curve to name it, click to select it everywhere, drag to zoom, double-click to zoom out.",
    h("div.panel", {}, controls, chart.element, legend, note));
}

const label = () => `Learning curves of ${sweep.trials.length} trials: ${view.metric} against ${view.across}. The table of trials has the same values.`;
const values = (trial) => (view.metric === "train" ? trial.l : trial.m[sweep.metrics.indexOf(view.metric)] ?? []);
const isUp = () => view.metric === sweep.objective.metric ? isMax() : /accuracy|auc|f1|skill/.test(view.metric);
let drawn = { told: [], others: [], all: [] };

/** Unless the reader chose, on for values to minimise that span more than a factor of ten, and for shares near 1. */
function isLog() {
  if (view.isLog !== null) return view.isLog;
  const usable = sweep.trials.filter((trial) => !isLost(trial)).flatMap(values);
  return isUp() ? isNearOne(usable) : isWide(usable);
}

/** How the upright axis is drawn now: "linear", "log", or "share" for the distance from 1. */
let scale = "linear";

/** The trials that pass the filters, evenly thinned where there are too many to draw. */
function chosen() {
  const kept = sweep.trials.filter((trial) => trial.e.length && passes(trial));
  const order = ranked(kept);
  const told = order.slice(0, TOLD_APART);
  const names = new Set(told.map((trial) => trial.n));
  const rest = [...order.slice(TOLD_APART), ...kept.filter((trial) => isLost(trial) || trial.b === null)].filter((trial) => !names.has(trial.n));
  const step = Math.max(1, rest.length / MOST_DRAWN);
  const others = [];
  for (let at = 0; at < rest.length; at += step) others.push(rest[Math.floor(at)]);
  return { told, others, all: [...told, ...others], hidden: rest.length - others.length };
}

function noted() {
  const hidden = drawn.hidden ? ` ${drawn.all.length.toLocaleString("en")} of ${(drawn.all.length + drawn.hidden).toLocaleString("en")} curves are drawn, evenly chosen by rank; the table has all.` : "";
  const smoothed = view.smoothing ? ` Mean over ${2 * view.smoothing + 1} reports.` : "";
  const cut = view.cut ? " Values far worse than those of the trials that can be selected are cut off." : "";
  return `${sweep.rungs.length ? "Dashed lines are the rungs, at which trials are judged." : ""}${hidden}${smoothed}${cut}`.trim();
}

function points(trial) {
  const across = view.across === "epochs" ? trial.e : trial.t;
  const place = scale === "share" ? byMissing : (value) => value;
  return smooth(values(trial), view.smoothing).map((value, at) => [across[at], place(value)]);
}

const lastSecond = () => Math.max(1, ...sweep.trials.map((trial) => trial.t[trial.t.length - 1] ?? 0));

function option(width) {
  scale = isLog() ? (isUp() ? "share" : "log") : "linear";
  drawn = chosen();
  drawn.paths = paths(drawn.all, points);
  const series = [
    line("others", drawn.others.filter((trial) => !isLost(trial)), colour("faint"), { width: 1, opacity: drawn.others.length > 200 ? 0.25 : 0.5 }),
    line("lost", drawn.others.filter(isLost), statusColour("diverged"), { width: 1, opacity: 0.5 }),
    ...drawn.told.map((trial, at) => line(trial.n, [trial], SERIES[at], { width: 2 }, 3)).reverse(),
  ];
  const selected = find(state.selected);
  if (selected && sweep.trials.includes(selected)) series.push(line("selected", [selected], colour("ink"), { width: 3.5 }, 6));
  series.push({ ...line("hovered", [], colour("ink"), { width: 3 }, 7), id: "hovered" });
  if (view.marks) series.push(...marks());
  series[0].markLine = rungs(width);
  const [low, high] = extent();
  const zoom = view.zoom ?? {};
  const across = view.across === "epochs"
    ? axis("epoch", { min: zoom.x?.[0] ?? 0, max: zoom.x?.[1] ?? sweep.maxEpochs, minInterval: view.zoom ? 0 : 1 })
    : { ...timeAxis("time in the search, h:mm:ss", lastSecond(), width), ...(zoom.x ? { min: zoom.x[0], max: zoom.x[1], interval: null } : {}) };
  const name = view.metric === "train" ? "training loss" : `validation ${view.metric}`;
  const linear = { scale: true, axisLabel: { formatter: (value) => figure(value, 3), color: colour("soft"), fontSize: 12, showMinLabel: false, showMaxLabel: false } };
  const plain = scale === "log" ? logAxis(drawn.all.flatMap(values)) : linear;
  const up = upright(name, { ...(scale === "share" ? shareAxis() : plain), min: zoom.y?.[0] ?? low, max: zoom.y?.[1] ?? high });
  return { grid: grid({ top: 50 }), xAxis: across, yAxis: { ...up, nameGap: 28 }, series };
}

function line(name, trials, stroke, style, z = 2) {
  return { id: name, name, type: "line", data: brokenLine(trials, points), showSymbol: trials.length === 1 && trials[0].e.length < 40, symbolSize: 5, silent: true, connectNulls: false, z,
    lineStyle: { color: stroke, ...style }, itemStyle: { color: stroke } };
}

/** The range of the upright axis: that of the trials that can be selected, if lost ones go far beyond. */
function extent() {
  const finite = (trials) => trials.flatMap((trial) => points(trial).map((point) => point[1])).filter((value) => value !== null && (scale !== "log" || value > 0));
  const usable = finite(drawn.all.filter((trial) => !isLost(trial)));
  const all = finite(drawn.all);
  view.cut = false;
  const bounds = (some) => some.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  if (!usable.length || !all.length) return [null, null];
  const [[low, high], [lowest, highest]] = [bounds(usable), bounds(all)];
  const room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  view.cut = highest > high + 2 * (high - low) || lowest < low - 2 * (high - low);
  const [bottom, top] = view.cut ? [Math.max(lowest, low), Math.min(highest, high)] : [lowest, highest];
  if (scale === "share") return [bottom - room, top + room];
  return scale === "log" ? [bottom / 1.15, top * 1.15] : [bottom >= 0 ? Math.max(0, bottom - room) : bottom - room, isUp() && top <= 1 ? Math.min(1, top + room) : top + room];
}

function rungs(width) {
  if (view.across !== "epochs" || !sweep.rungs.length) return undefined;
  return { silent: true, symbol: "none", lineStyle: { color: colour("faint"), type: "dashed", width: 1 }, label: { formatter: width < 560 ? "{c}" : "rung {c}", color: colour("soft"), fontSize: 12, position: "end" }, data: sweep.rungs.map((epoch) => ({ xAxis: epoch })) };
}

/** Where trials paused, were promoted, or ended without finishing. */
function marks() {
  const places = new Map(MARKS.map(([name]) => [name, []]));
  const some = drawn.all.length > 150 ? drawn.told : drawn.all;
  for (const trial of some) {
    const own = points(trial);
    const at = (epoch) => own[trial.e.indexOf(epoch)];
    for (const [kind, , epoch] of trial.h) if (places.has(kind) && at(epoch)) places.get(kind).push(at(epoch));
    if (places.has(trial.s) && trial.s !== "paused" && own.length) places.get(trial.s).push(own.filter((point) => point[1] !== null).pop());
  }
  return MARKS.filter(([name]) => places.get(name).length).map(([name, symbol, size]) => ({
    type: "scatter", name, symbol, symbolSize: size, silent: true, z: 5, data: places.get(name).filter(Boolean),
    itemStyle: { color: name === "paused" ? colour("panel") : statusColour(name === "promoted" ? "running" : name), borderColor: statusColour(name === "promoted" ? "running" : name), borderWidth: name === "paused" || name === "stopped early" ? 1.5 : 0 },
  }));
}

function highlight(plotted) {
  if (!plotted.chart) return;
  const trial = find(state.hovered);
  plotted.chart.setOption({ series: [{ id: "hovered", data: trial && sweep.trials.includes(trial) ? brokenLine([trial], points) : [] }] }, { lazyUpdate: true });
}

function drawLegend(element, plotted) {
  const keys = drawn.told.map((trial, at) => h("button", {
    type: "button", style: `color:${SERIES[at]}`, "aria-pressed": String(state.selected === trial.n), click: () => select(trial.n), mouseenter: () => hover(trial.n), mouseleave: () => hover(null), focus: () => hover(trial.n), blur: () => hover(null),
  }, h("span.swatch"), h("span", { style: "color:var(--ink)" }, `${at + 1}. ${trial.n}: ${settings(trial)}`)));
  const names = { paused: "○ paused at a rung", promoted: "▲ promoted", "stopped early": "✕ stopped early", diverged: "▼ diverged", failed: "■ failed" };
  const shown = view.marks ? plotted.chart.getOption().series.filter((one) => one.type === "scatter").map((one) => h("span.key", {}, names[one.name])) : [];
  const others = drawn.others.length ? [h("span.key", { style: `color:${colour("faint")}` }, h("span.swatch"), "other trials")] : [];
  element.replaceChildren(...keys, ...others, ...shown);
}

/** Pointing names the nearest curve, a click selects it, a drag zooms. */
function follow(made, plotted, tip) {
  const zr = made.getZr();
  const box = h("div.zoombox", { hidden: true });
  plotted.element.append(box);
  let start = null;
  zr.on("mousedown", (event) => { if (made.containPixel("grid", [event.offsetX, event.offsetY])) start = [event.offsetX, event.offsetY]; });
  zr.on("mousemove", (event) => {
    const here = [event.offsetX, event.offsetY];
    if (start && event.event.buttons === 1 && Math.hypot(here[0] - start[0], here[1] - start[1]) > 8) {
      tip.hide();
      box.hidden = false;
      Object.assign(box.style, { left: `${Math.min(start[0], here[0])}px`, top: `${Math.min(start[1], here[1])}px`, width: `${Math.abs(here[0] - start[0])}px`, height: `${Math.abs(here[1] - start[1])}px` });
      return;
    }
    const found = made.containPixel("grid", here) ? nearest(made, drawn.paths, here) : null;
    hover(found ? found.trial.n : null);
    if (!found) { tip.hide(); return; }
    const at = found.trial.e[found.at];
    tip.show(...here, h("b", {}, `Trial ${found.trial.n}`), h("div", {}, settings(found.trial)), h("div.soft", {}, `epoch ${at}: ${view.metric === "train" ? "training loss" : view.metric} ${figure(values(found.trial)[found.at], 5)} · ${found.trial.s}`));
    zr.setCursorStyle("pointer");
  });
  zr.on("mouseup", (event) => {
    const end = [event.offsetX, event.offsetY];
    if (start && !box.hidden) {
      const [one, other] = [start, end].map((place) => made.convertFromPixel({ gridIndex: 0 }, place));
      const pair = (first, second) => [Math.min(first, second), Math.max(first, second)];
      view.zoom = { x: pair(one[0], other[0]), y: pair(one[1], other[1]) };
      plotted.redraw();
    } else if (start && state.hovered) select(state.hovered);
    start = null;
    box.hidden = true;
  });
  zr.on("dblclick", () => { view.zoom = null; plotted.redraw(); });
  zr.on("globalout", () => { tip.hide(); hover(null); });
}
