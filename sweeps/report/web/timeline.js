// Who trained when, and what early stopping saved.
import { axis, plot, section, timeAxis } from "./chart.js";
import { colour, statusColour } from "./colours.js";
import { hover, on, page, select, state } from "./state.js";
import { find, isRun, lastEpoch, passes, settings, spans, sweep } from "./trials.js";
import { clock, counted, h, percent, span } from "./words.js";
import { spent } from "./spent.js";

const SLACK_S = 0.5;  // a trial is written down as ended a moment after the next one took its place
const MOST_LANES = 40;

export function cost() {
  const saved = h("div.panel", {});
  const fill = () => saved.replaceChildren(...savings());
  on("data theme", fill);
  fill();
  const curves = page.sweeps.length > 1 ? [] : [h("div.grid", { style: "margin-top:1rem" }, ...spent())];
  return section("cost", "What it cost", "How fast the search got there, how the workers spent their time, and what early stopping saved.",
    saved, ...curves, h("div.panel", { style: "margin-top:1rem" }, ...timeline()));
}

/** Epochs that were trained, and those that were not necessary. */
function savings() {
  const each = sweep.seedsPerTrial;
  const sum = (trials, get) => trials.reduce((total, trial) => total + get(trial), 0);
  const ended = (status) => sweep.trials.filter((trial) => trial.s === status);
  const stopped = ended("stopped early");
  const rest = (trial) => sweep.maxEpochs - lastEpoch(trial);
  const groups = [["trained to the last epoch", sum(ended("finished"), lastEpoch), "finished"], ["trained, then stopped early", sum(stopped, lastEpoch), "stopped early"]];
  const others = sum(sweep.trials.filter((trial) => !["finished", "stopped early"].includes(trial.s)), lastEpoch);
  if (others) groups.push(["trained by others", others, "diverged"]);
  const saved = sum(stopped, rest);
  const all = Math.max(1, sum(groups, (group) => group[1]) + saved);
  const seconds = sum(stopped.filter((trial) => lastEpoch(trial)), (trial) => (trial.ts / lastEpoch(trial)) * rest(trial));
  const lanes = laned().count;
  const words = saved
    ? `Early stopping (${sweep.scheduler}) left out ${(saved * each).toLocaleString("en")} of ${(all * each).toLocaleString("en")} epochs, ${percent(saved / all)}: about ${span(seconds)} of training, ${span(seconds / Math.max(1, lanes))} with ${counted(lanes, "worker")}.`
    : `Nothing was stopped early (${sweep.scheduler}): every trial that started trained as far as it could.`;
  const bar = h("div.bar", { style: "height:1.6rem", role: "img", "aria-label": words });
  for (const [, epochs, status] of groups) bar.append(h("span", { style: `width:${(100 * epochs) / all}%;background:${statusColour(status)}` }));
  bar.append(h("span.hatch", { style: `width:${(100 * saved) / all}%` }));
  const keys = [...groups.map(([name, epochs, status]) => h("li", {}, h("i", { style: `background:${statusColour(status)}` }), `${name}: ${(epochs * each).toLocaleString("en")}`)), saved && h("li", {}, h("i", { style: `background:${colour("line")}` }), `saved: ${(saved * each).toLocaleString("en")}`)];
  return [h("h3", {}, "Epochs trained, and saved"), h("p", { id: "saved" }, words), bar, h("ul.keys", {}, keys)];
}

/** Every stretch of training in the first lane that is free: the log does not say which process trained it. */
function laned() {
  const end = sweep.now.elapsed;
  const all = [...sweep.trials, ...sweep.runs].flatMap((trial) => spans(trial, end).map((one) => ({ trial, one })));
  all.sort((first, second) => first.one[0] - second.one[0]);
  const free = [];
  let busy = 0;
  for (const each of all) {
    let lane = free.findIndex((until) => until <= each.one[0] + SLACK_S);
    if (lane < 0) lane = free.push(0) - 1;
    free[lane] = each.one[1];
    each.lane = lane;
    busy += each.one[1] - each.one[0];
  }
  return { all, count: free.length, busy, end: Math.max(1, end, ...free) };
}

function timeline() {
  let drawn = laned();
  const height = Math.min(520, 110 + 26 * Math.max(2, Math.min(MOST_LANES, drawn.count)));
  const chart = plot(() => said(drawn), height, (width) => { drawn = laned(); return option(drawn, width); }, "data theme filter select");
  const note = h("p.soft.small", { style: "margin:.3rem 0 0" });
  chart.drawn = () => { note.textContent = said(drawn); };
  chart.whenMade.push((made) => {
    made.on("click", (event) => { if (event.data?.name) select(event.data.name); });
    made.on("mouseover", (event) => { if (event.data?.name) hover(event.data.name); });
    made.on("mouseout", () => hover(null));
  });
  const names = ["finished", "stopped early", "diverged", "failed", "running", "paused"].filter((name) => drawn.all.some(({ trial }) => trial.s === name && !isRun(trial)));
  const keys = [...names.map((name) => h("li", {}, h("i", { style: `background:${statusColour(name)}` }), name)), h("li", {}, h("i", { style: `background:${statusColour("retraining")}` }), "retraining"), h("li", {}, h("i", { style: `background:${colour("wash")}` }), "idle")];
  return [h("h3", {}, "Workers"), chart.element, h("ul.keys", {}, keys), note];
}

function said({ all, count, busy, end }) {
  if (!all.length) return "No trial has begun.";
  const starts = all.length - new Set(all.map((one) => one.trial.n)).size;
  const again = starts ? ` ${starts === 1 ? "Once" : `${starts.toLocaleString("en")} times`}, a trial that had paused or was interrupted was continued.` : "";
  return `At most ${counted(count, "trial")} trained at once, for ${clock(end)}; the workers were busy ${percent(busy / (count * end))} of that time.${again}`;
}

function option({ all, count, end }, width) {
  const data = all.map(({ trial, one, lane }) => ({ name: trial.n, value: [lane, ...one], itemStyle: { color: statusColour(isRun(trial) ? (trial.s === "diverged" || trial.s === "failed" ? trial.s : "retraining") : trial.s), opacity: isRun(trial) || passes(trial) ? 1 : 0.2 } }));
  return {
    grid: { left: 40, right: 18, top: 8, bottom: 46 },
    xAxis: timeAxis("time of all sessions, h:mm:ss", end, width),
    yAxis: axis("", { type: "value", inverse: true, min: -0.5, max: count - 0.5, interval: 1, splitLine: { show: false }, axisLabel: { customValues: [...Array(Math.min(count, MOST_LANES)).keys()], formatter: (lane) => String(lane + 1), color: colour("soft"), fontSize: 12 }, axisTick: { show: false } }),
    tooltip: { confine: true, formatter: (event) => described(event) },
    series: [
      { type: "custom", silent: true, data: [...Array(count).keys()].map((lane) => [lane, 0, end]), renderItem: (_, api) => bar(api, colour("wash"), 1), encode: { x: [1, 2], y: 0 }, z: 1 },
      { type: "custom", data, renderItem: (_, api) => bar(api), encode: { x: [1, 2], y: 0 }, z: 2, progressive: 2000 },
    ],
  };
}

function bar(api, fill = null) {
  const [left, middle] = api.coord([api.value(1), api.value(0)]);
  const right = api.coord([api.value(2), api.value(0)])[0];
  const tall = Math.max(2, Math.min(18, api.size([0, 1])[1] * 0.72));
  const gap = fill || right - left < 4 ? 0 : 1;
  return { type: "rect", shape: { x: left, y: middle - tall / 2, width: Math.max(1, right - left - gap), height: tall, r: fill || right - left < 8 ? 0 : 2 }, style: fill ? { fill } : { fill: api.visual("color"), opacity: api.style().opacity, stroke: state.selected && api.value(5) ? colour("ink") : undefined } };
}

function described({ name, value }) {
  const trial = find(name);
  if (!trial) return "";
  const [, from, to, first, last] = value;
  return h("div", {}, h("b", {}, isRun(trial) ? `Retraining ${name}` : `Trial ${name}`), h("div", {}, settings(trial)), h("div", {}, `epochs ${first} to ${last}, ${clock(to - from)} from ${clock(from)}; ${trial.s}`));
}
