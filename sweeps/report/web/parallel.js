// Parallel coordinates: every trial a line through its hyperparameters to its value; brushing an axis filters the page.
import { plot, section } from "./chart.js";
import { colour, goodness } from "./colours.js";
import { filter, hover, on, select, state } from "./state.js";
import { config, find, isLost, isMax, isWide, passes, ranked, settings, sweep } from "./trials.js";
import { figure, h, setting } from "./words.js";
import { importance, scatter } from "./scatter.js";

const MOST_DRAWN = 2000;
const FEW = 8;

export function space() {
  return section("space", "Hyperparameters", "What the search tried, and what worked. Better is up, on the last axis too.",
    h("div.panel", {}, ...parallel()), h("div.grid", { style: "margin-top:1rem" }, h("div.panel.w7", {}, ...scatter()), h("div.panel.w5", {}, importance())));
}

function parallel() {
  let axes = [];
  let drawn = [];
  const height = 380;
  const chart = plot(() => `Parallel coordinates of ${drawn.length} trials: ${sweep.varied.join(", ")}, and ${sweep.objective.metric}. The filters of the table do the same as brushing.`, height, (width) => {
    drawn = thinned(ranked());
    axes = columns(drawn);
    return option(axes, drawn, width);
  }, "data theme filter");
  const note = h("p.soft.small", { style: "margin:.3rem 0 0" }, "");
  chart.drawn = () => { note.textContent = `Drag along an axis to keep the trials in that range; click the axis to let go. Lines from faint to strong: from worse to better.${drawn.length < ranked().length ? ` ${drawn.length.toLocaleString("en")} of ${ranked().length.toLocaleString("en")} lines are drawn, evenly chosen by rank.` : ""}`; };
  chart.whenMade.push((made) => {
    made.on("axisareaselected", () => brushed(made, axes));
    made.on("click", (event) => { if (event.seriesType === "parallel") select(event.name); });
    made.on("mouseover", (event) => { if (event.seriesType === "parallel") hover(event.name); });
    made.on("mouseout", () => hover(null));
  });
  on("select hover", () => {
    if (!chart.chart) return;
    const trial = find(state.hovered) ?? find(state.selected);
    const isShown = trial && sweep.trials.includes(trial) && trial.b !== null && axes.length;
    chart.chart.setOption({ series: [{ id: "trials" }, { id: "one", data: isShown ? [{ name: trial.n, value: place(trial, axes) }] : [] }] });
  });
  chart.element.style.minWidth = `${80 * (sweep.varied.length + 1)}px`;
  return [h("h3", {}, "Parallel coordinates"), h("div.scroll", {}, chart.element), note];
}

function thinned(trials) {
  const step = Math.max(1, trials.length / MOST_DRAWN);
  const some = [];
  for (let at = 0; at < trials.length; at += step) some.push(trials[Math.floor(at)]);
  return some;
}

/** One axis per hyperparameter that varies: categories for few or mixed values, a logarithm for wide ones; then the objective. */
function columns(trials) {
  const found = sweep.varied.map((name) => {
    const values = trials.map((trial) => config(trial, name));
    const distinct = [...new Set(values)];
    const isCategory = (distinct.length <= FEW && !sweep.ranges.includes(name)) || !values.every((value) => typeof value === "number");
    const order = distinct.sort((one, other) => (one === null) - (other === null) || (typeof one === "number" && typeof other === "number" ? one - other : String(one) < String(other) ? -1 : 1));
    return isCategory ? { name, categories: order, get: (trial) => setting(config(trial, name)) } : { name, isLog: isWide(values), get: (trial) => config(trial, name) };
  });
  const best = trials.map((trial) => trial.b);
  return [...found, { name: `val ${sweep.objective.metric}`, title: `best ${sweep.objective.metric}`, isLog: !isMax() && isWide(best), inverse: !isMax(), get: (trial) => trial.b }];
}

const place = (trial, axes) => axes.map((one) => one.get(trial));

function option(axes, trials, width) {
  const shown = trials.filter((trial) => !isLost(trial));
  const opacity = shown.length > 300 ? 0.25 : shown.length > 60 ? 0.5 : 0.8;
  const narrow = width < 560;
  const data = shown.map((trial, at) => {
    const share = 1 - at / Math.max(1, shown.length - 1);
    const passed = passes(trial);
    return { name: trial.n, value: place(trial, axes), lineStyle: { color: goodness(share), width: passed ? 1.3 + 1.7 * share : 0.8, opacity: passed ? Math.min(1, opacity + (at < 5 ? 0.3 : 0)) : 0.06 } };
  }).reverse();  // the best is drawn last, on top
  const lines = { type: "parallel", smooth: false, inactiveOpacity: 1, activeOpacity: 1, z: 2 };
  return {
    parallel: { left: narrow ? 34 : 56, right: narrow ? 46 : 84, top: 44, bottom: 26, parallelAxisDefault: { areaSelectStyle: { width: 18, borderColor: colour("accent"), color: colour("accent"), opacity: 0.25 } } },
    parallelAxis: axes.map((one, dim) => ({
      dim, z: 10, name: one.title ?? one.name, nameLocation: "end", nameGap: 16, nameTextStyle: { color: colour("ink"), fontSize: 12, fontWeight: 600 },
      type: one.categories ? "category" : one.isLog ? "log" : "value", data: one.categories?.map(setting), inverse: one.inverse ?? false, nameRotate: 0,
      ...(one.inverse ? { nameLocation: "start" } : {}), scale: true,
      ...(one.isLog ? { min: "dataMin", max: "dataMax" } : {}),
      axisLabel: { color: colour("soft"), fontSize: 12, hideOverlap: true, textBorderColor: colour("panel"), textBorderWidth: 4, formatter: one.categories ? undefined : (value) => figure(value, 3) },
      axisLine: { lineStyle: { color: colour("faint") } }, axisTick: { alignWithLabel: true, lineStyle: { color: colour("faint") } }, minorTick: { show: false }, splitLine: { show: false },
    })),
    series: [{ ...lines, id: "trials", data, progressive: 500 }, { ...lines, id: "one", data: [], silent: true, z: 5, lineStyle: { color: colour("ink"), width: 3.5, opacity: 1 } }],
    tooltip: { confine: true, formatter: ({ name }) => { const trial = find(name); return trial ? h("div", {}, h("b", {}, `Trial ${name}`), h("div", {}, settings(trial)), h("div", {}, `${sweep.objective.metric} ${figure(trial.b, 5)}`)) : ""; } },
  };
}

/** What was brushed becomes a filter of the page. */
function brushed(made, axes) {
  axes.forEach((one, dim) => {
    const intervals = made.getModel().getComponent("parallelAxis", dim).activeIntervals;
    if (!intervals.length) { if (state.filters.get(one.name)?.brushed) { filter(one.name, null); } return; }
    const [low, high] = intervals[0].slice().sort((first, second) => first - second);
    const wanted = one.categories
      ? { values: new Set(one.categories.map(setting).filter((_, at) => at >= Math.round(low) && at <= Math.round(high))), brushed: true }
      : { low, high, brushed: true };
    filter(one.name, wanted);
  });
}
