// One or two hyperparameters against the objective, and how much each of them decides.
import { axis, grid, plot, upright } from "./chart.js";
import { colour, goodness } from "./colours.js";
import { hover, on, select, state } from "./state.js";
import { config, find, isLost, isMax, isWide, passes, ranked, settings, sweep } from "./trials.js";
import { counted, figure, h, menu, percent, setting } from "./words.js";

const FEW = 6;

export function scatter() {
  const view = { x: null, y: "objective" };
  view.x = Object.keys(sweep.importance.shares)[0] ?? sweep.varied[0];
  let chart = null;
  const redraw = () => chart.redraw();
  const names = sweep.varied.map((name) => [name, name]);
  const controls = h("div.controls", {},
    menu("Across", names, view.x, (name) => { view.x = name; redraw(); }),
    menu("Up", [["objective", `best ${sweep.objective.metric}`], ...names], view.y, (name) => { view.y = name; redraw(); }));
  chart = plot(() => `Scatter plot of ${ranked().length} trials: ${view.x} against ${view.y === "objective" ? sweep.objective.metric : view.y}.`, 300, () => option(view), "data theme filter select");
  chart.whenMade.push((made) => {
    made.on("click", (event) => { if (event.data?.name) select(event.data.name); });
    made.on("mouseover", (event) => { if (event.data?.name) hover(event.data.name); });
    made.on("mouseout", () => hover(null));
  });
  return [h("h3", {}, "Trials by hyperparameter"), controls, chart.element];
}

/** How a hyperparameter lies on an axis: categories side by side, with a little room so that equal ones stay apart. */
function scaleOf(trials, name) {
  const values = trials.map((trial) => config(trial, name));
  const distinct = [...new Set(values)].sort((one, other) => (one === null) - (other === null) || (one < other ? -1 : 1));
  const isCategory = (distinct.length <= FEW && !sweep.ranges.includes(name)) || !values.every((value) => typeof value === "number");
  if (!isCategory) return { get: (trial) => config(trial, name), axis: { type: isWide(values) ? "log" : "value", scale: true } };
  const spread = (trial) => ((Number(trial.n) * 0.618034) % 1) * 0.36 - 0.18;
  return {
    get: (trial) => distinct.indexOf(config(trial, name)) + spread(trial),
    axis: { type: "value", min: -0.5, max: distinct.length - 0.5, interval: 1, axisLabel: { customValues: distinct.map((_, at) => at), formatter: (at) => setting(distinct[at]), color: colour("soft"), fontSize: 12 }, axisTick: { customValues: distinct.map((_, at) => at) }, splitLine: { show: false } },
  };
}

function option(view) {
  const trials = ranked().filter((trial) => !isLost(trial));
  const x = scaleOf(trials, view.x);
  const isObjective = view.y === "objective";
  const best = trials.map((trial) => trial.b);
  const y = isObjective
    ? { get: (trial) => trial.b, axis: { type: !isMax() && isWide(best) ? "log" : "value", scale: true, inverse: !isMax(), axisLabel: { formatter: (value) => figure(value, 3), color: colour("soft"), fontSize: 12 } } }
    : scaleOf(trials, view.y);
  const data = trials.map((trial, at) => {
    const share = 1 - at / Math.max(1, trials.length - 1);
    const isSelected = trial.n === state.selected;
    return { name: trial.n, value: [x.get(trial), y.get(trial)], symbolSize: isSelected ? 15 : trials.length > 1000 ? 5 : 10, itemStyle: { color: goodness(share), opacity: passes(trial) ? 0.85 : 0.08, borderColor: isSelected ? colour("ink") : colour("panel"), borderWidth: isSelected ? 2.5 : 0.7 } };
  }).reverse();
  const name = isObjective ? `best ${sweep.objective.metric}${isMax() ? "" : " (better is up)"}` : view.y;
  return {
    grid: grid(), xAxis: axis(view.x, x.axis), yAxis: { ...upright(name, y.axis), ...(isObjective && !isMax() ? { nameLocation: "start" } : {}) },
    series: [{ type: "scatter", data, progressive: 1000 }],
    tooltip: { confine: true, formatter: ({ data: point }) => { const trial = find(point.name); return h("div", {}, h("b", {}, `Trial ${trial.n}`), h("div", {}, settings(trial)), h("div", {}, `${sweep.objective.metric} ${figure(trial.b, 5)}`)); } },
  };
}

/** Shares of the variance as bars, and in words what they are about. */
export function importance() {
  const element = h("div");
  const fill = () => {
    const { shares, epoch, trials, stopped } = sweep.importance;
    const rows = Object.entries(shares);
    if (!rows.length) {
      element.replaceChildren(h("h3", {}, "What decides the result"), h("p.soft", {}, "Not known yet: at least 4 trials must have been validated, with different values."));
      return;
    }
    const rest = Math.max(0, 1 - rows.reduce((sum, row) => sum + row[1], 0));
    const bars = [...rows, ["in combination", rest]].flatMap(([name, share]) => [
      h("span", {}, name), h("span.track", { role: "img", "aria-label": `${name} ${percent(share)}` }, h("span", { style: `width:${100 * share}%${name === "in combination" ? ";opacity:.35" : ""}` })), h("span", { style: "text-align:right" }, percent(share))]);
    const pruned = stopped ? `, the ${stopped.toLocaleString("en")} that were stopped early included` : "";
    element.replaceChildren(h("h3", {}, "What decides the result"),
      h("p.soft.small", {}, `Share of the variance of the best validation ${sweep.objective.metric} that each hyperparameter explains by itself.`),
      h("div.shares", {}, bars),
      h("p.soft.small", { style: "margin-top:.8rem" }, `It covers ${counted(trials, "trial")}${pruned}, each by its best value up to epoch ${epoch}, which all of them reached: longer training is no advantage. optuna-dashboard shows other figures for study.log, because it leaves out pruned trials and compares those that trained to the end (functional ANOVA, Hutter et al. 2014).`));
  };
  on("importance", fill);
  fill();
  return element;
}
