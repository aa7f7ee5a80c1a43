// What the search found against what it cost: best so far by epochs and by time, for one sweep or for several.
import { axis, grid, plot, timeAxis, upright } from "./chart.js";
import { colour, SERIES } from "./colours.js";
import { byMissing, isNearOne, logAxis, shareAxis } from "./lines.js";
import { page } from "./state.js";
import { isLost, isMax, isWide, better } from "./trials.js";
import { figure, h } from "./words.js";

/** [epochs of all trials, seconds, best value so far] at every report, in the order of time. */
export function bestSoFar(one) {
  const reports = [];
  const at = one.metrics.indexOf(one.objective.metric);
  for (const trial of one.trials) {
    trial.e.forEach((epoch, number) => reports.push([trial.t[number], epoch - (number ? trial.e[number - 1] : 0), isLost(trial) ? null : trial.m[at]?.[number], number]));
  }
  reports.sort((first, second) => first[0] - second[0]);
  let [epochs, best] = [0, null];
  const rows = [];
  for (const [second, more, value] of reports) {
    epochs += more * one.seedsPerTrial;
    if (better(value, best)) { best = value; rows.push([epochs, second, best]); }
  }
  if (reports.length && best !== null) rows.push([epochs, reports[reports.length - 1][0], best]);
  return rows;
}

/** Two charts with one upright scale. */
export function spent() {
  const chart = (title, at, name) => {
    const made = plot(() => `${title}: ${page.sweeps.map((one) => summary(one)).join("; ")}`, 280, (width) => option(at, name, width));
    return h("div.panel.w6", {}, h("h3", {}, title), made.element);
  };
  return [chart("Best so far, by epochs trained", 0, "epochs of all trials"), chart("Best so far, by time", 1, "time of the search, h:mm:ss")];
}

function summary(one) {
  const rows = bestSoFar(one);
  return rows.length ? `${one.name} reached ${figure(rows[rows.length - 1][2])} after ${rows[rows.length - 1][0]} epochs` : `${one.name} has no value yet`;
}

function option(at, name, width) {
  const curves = page.sweeps.map((one) => bestSoFar(one));
  const values = curves.flatMap((rows) => rows.map((row) => row[2]));
  const { metric } = page.sweeps[0].objective;
  const isLog = !isMax() && isWide(values);
  const isShare = isMax() && isNearOne(values);
  const end = Math.max(1, ...curves.map((rows) => (rows.length ? rows[rows.length - 1][1] : 0)));
  const plain = isLog ? logAxis(values) : { scale: true, axisLabel: { formatter: (value) => figure(value, 3), color: colour("soft"), fontSize: 12 } };
  const shown = (value) => figure(isShare ? 1 - 10 ** -value : value, 5);
  return {
    grid: grid({ top: page.sweeps.length > 1 ? 56 : 34 }), legend: page.sweeps.length > 1 ? { type: "scroll", top: 0, textStyle: { color: colour("soft"), fontSize: 12 } } : undefined,
    tooltip: { trigger: "axis", confine: true, valueFormatter: shown },
    xAxis: at ? timeAxis(name, end, width) : axis(name, { min: 0, axisLabel: { formatter: (value) => value.toLocaleString("en"), color: colour("soft"), fontSize: 12, hideOverlap: true } }),
    yAxis: upright(`best validation ${metric}`, isShare ? shareAxis() : plain),
    series: curves.map((rows, place) => ({
      type: "line", name: page.sweeps[place].label ?? page.sweeps[place].name, step: "end", data: rows.map((row) => [row[at], isShare ? byMissing(row[2]) : row[2]]), showSymbol: rows.length < 60, symbolSize: 5,
      lineStyle: { width: 2, color: SERIES[place % SERIES.length] }, itemStyle: { color: SERIES[place % SERIES.length] },
    })),
  };
}
