// A chart in a panel: made when it comes into view, drawn again when the data, the theme or its size changes.
import { colour } from "./colours.js";
import { on } from "./state.js";
import { clock, h } from "./words.js";

const FONT = { fontSize: 12, fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif" };

/** A chart.
 *
 * @param label what can be seen, for those who cannot see it; a function, since it may change.
 * @param height in pixels; it never changes, so that nothing below moves.
 * @param option gives what ECharts draws.
 * @param events the kinds of changes after which it is drawn again.
 */
export function plot(label, height, option, events = "data theme") {
  const drawing = h("div.drawing");
  const element = h("div.plot", { role: "img", style: `height:${height}px` }, drawing);
  const self = { element, chart: null, isSeen: false, isDue: true, draw, whenMade: [] };
  const seen = new IntersectionObserver((entries) => {
    self.isSeen = entries[entries.length - 1].isIntersecting;
    if (self.isSeen && self.isDue) draw();
  }, { rootMargin: "300px" });
  seen.observe(element);
  new ResizeObserver(() => self.chart && self.chart.resize()).observe(element);
  on(events, () => { self.isDue = true; if (self.isSeen) soon(); });
  let waiting = false;

  function soon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; if (self.isDue) draw(); });
  }

  function draw() {
    element.setAttribute("aria-label", label());
    if (!element.clientWidth) return;
    self.isDue = false;
    if (!self.chart) {
      self.chart = echarts.init(drawing, null, { renderer: "canvas" });
      for (const made of self.whenMade) made(self.chart);
    }
    self.chart.setOption({ animation: false, textStyle: { ...FONT, color: colour("soft") }, ...option(element.clientWidth) }, { notMerge: true });
    if (self.drawn) self.drawn(self.chart);
  }

  self.redraw = () => { self.isDue = true; if (self.isSeen) soon(); };
  return self;
}

/** An axis of numbers. */
export function axis(name, more = {}) {
  return {
    type: "value", name, nameLocation: "middle", nameGap: 30, nameTextStyle: { ...FONT, color: colour("soft") },
    axisLabel: { ...FONT, color: colour("soft"), hideOverlap: true }, axisLine: { onZero: false, lineStyle: { color: colour("line") } },
    axisTick: { lineStyle: { color: colour("line") } }, splitLine: { lineStyle: { color: colour("line"), opacity: 0.7 } },
    minorSplitLine: { show: false }, ...more,
  };
}

/** An upright axis; its name stands above it, where it can be read. */
export function upright(name, more = {}) {
  return axis(name, { nameLocation: "end", nameGap: 12, nameTextStyle: { ...FONT, color: colour("soft"), align: "left", padding: [0, 0, 0, -40] }, ...more });
}

export const grid = (more = {}) => ({ left: 58, right: 18, top: 34, bottom: 46, containLabel: false, ...more });

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

/** An axis of seconds, marked at round times. */
export function timeAxis(name, end, width = 900) {
  const step = STEPS_S.find((one) => end / one <= Math.max(3, width / 110)) ?? 86400;
  return axis(name, { min: 0, max: end, interval: step, axisLabel: { formatter: clock, fontSize: 12, color: colour("soft"), hideOverlap: true, showMaxLabel: end % step === 0 }, axisPointer: { label: { formatter: ({ value }) => clock(value) } } });
}

/** A tooltip that follows the pointer inside a chart. */
export function tooltip(element) {
  const tip = h("div.tip", { hidden: true });
  element.append(tip);
  return {
    show(x, y, ...content) {
      tip.replaceChildren(...content);
      tip.hidden = false;
      const [width, tall] = [tip.offsetWidth, tip.offsetHeight];
      tip.style.left = `${Math.max(0, Math.min(element.clientWidth - width, x + 16 + width > element.clientWidth ? x - width - 16 : x + 16))}px`;
      tip.style.top = `${Math.max(0, Math.min(element.clientHeight - tall, y - tall / 2))}px`;
    },
    hide() { tip.hidden = true; },
  };
}

/** A part of the page with its heading. */
export function section(id, title, lead, ...children) {
  return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), lead && h("p.lead", {}, lead), ...children);
}
