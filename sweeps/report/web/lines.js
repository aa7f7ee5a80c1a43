// Many curves in few drawings, scales that suit them, and which of them is nearest to the pointer.
import { colour } from "./colours.js";
import { figure } from "./words.js";

/** Shares near 1 by what is missing to 1: from 0.9 to 0.99 is as far as from 0.99 to 0.999. */
const SHARES = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999];
export const byMissing = (value) => (value === null || value === undefined || value >= 1 ? null : -Math.log10(1 - value));
export const shareAxis = () => {
  const places = SHARES.map(byMissing);
  return {
    type: "value", scale: true, axisTick: { customValues: places },
    axisLabel: { customValues: places, formatter: (place) => String(Number((1 - 10 ** -place).toFixed(5))), color: colour("soft"), fontSize: 12, hideOverlap: true },
  };
};

/** A logarithmic axis with marks at 1, 2 and 5 of every power of ten, or at the powers alone where there are many. */
export function logAxis(values) {
  let [low, high] = [Infinity, 0];
  for (const value of values) if (typeof value === "number" && value > 0) { low = Math.min(low, value); high = Math.max(high, value); }
  const [first, last] = high ? [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))] : [0, 0];
  const steps = last - first > 4 ? [1] : [1, 2, 5];
  const places = [];
  for (let power = first; power <= last; power += 1) for (const step of steps) places.push(Number((step * 10 ** power).toPrecision(1)));
  return {
    type: "log", axisTick: { customValues: places },
    axisLabel: { customValues: places, formatter: (value) => figure(value, 2), color: colour("soft"), fontSize: 12, hideOverlap: true },
  };
}

/** Whether a metric that is to grow comes so close to 1 that only the distance from 1 counts. */
export function isNearOne(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (typeof value !== "number") continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > 0 && high > 0.95 && high < 1;
}

/** The mean over some reports on either side; gaps stay gaps. */
export function smooth(values, each) {
  if (!each) return values;
  return values.map((value, at) => {
    if (value === null) return null;
    const near = values.slice(Math.max(0, at - each), at + each + 1).filter((one) => one !== null);
    return near.reduce((sum, one) => sum + one, 0) / near.length;
  });
}

/** All curves as one line that breaks between them. */
export function brokenLine(trials, points) {
  const data = [];
  for (const trial of trials) {
    for (const point of points(trial)) data.push(point);
    data.push([null, null]);
  }
  return data;
}

/** What `nearest` looks through: the points of every curve. */
export function paths(trials, points) {
  return trials.map((trial) => ({ trial, points: points(trial) }));
}

/** The curve that passes within 24 pixels of a place, and its report nearest to it; null if none does. */
export function nearest(chart, curves, [x, y]) {
  const model = chart.getModel();
  const [across, up] = ["xAxis", "yAxis"].map((name) => model.getComponent(name).axis);
  const place = (point) => [across.toGlobalCoord(across.dataToCoord(point[0])), up.toGlobalCoord(up.dataToCoord(point[1]))];
  let best = null;
  let least = 24 ** 2;
  for (const { trial, points } of curves) {
    let before = null;
    for (let at = 0; at < points.length; at += 1) {
      if (points[at][1] === null) { before = null; continue; }
      const here = place(points[at]);
      const distance = before ? toSegment(x, y, before, here) : (here[0] - x) ** 2 + (here[1] - y) ** 2;
      if (distance < least) {
        least = distance;
        best = { trial, at: before && Math.abs(before[0] - x) < Math.abs(here[0] - x) ? at - 1 : at };
      }
      before = here;
    }
  }
  return best;
}

function toSegment(x, y, [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = dx || dy ? Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy))) : 0;
  return (x1 + along * dx - x) ** 2 + (y1 + along * dy - y) ** 2;
}
