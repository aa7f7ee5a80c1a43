// Colours that stay apart for colour-blind readers, in the light and in the dark theme.

export const SERIES = ["#2f73d9", "#e07b00", "#0f9d76", "#b65fc9", "#d1495b", "#8a6d3b", "#3ba7c9", "#7a7fd1", "#a3a300", "#d77fae"];
const MARKS = { running: "●", paused: "❚❚", finished: "✓", "stopped early": "✕", diverged: "▼", failed: "■", interrupted: "○" };
const LIGHT = {
  running: "#1a7f4b", paused: "#b37400", finished: "#2f73d9", "stopped early": "#9aa1ad", diverged: "#c4452f", failed: "#8c1d18",
  interrupted: "#b37400", retraining: "#0f9d76",
};
const DARK = {
  running: "#54c58a", paused: "#f0b35a", finished: "#6ea2f2", "stopped early": "#6b7482", diverged: "#ff8a73", failed: "#ff5f52",
  interrupted: "#f0b35a", retraining: "#35b893",
};

export function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

/** The colour of a trial's status. */
export function statusColour(status) {
  return (isDark() ? DARK : LIGHT)[status] ?? "#9aa1ad";
}

export function statusMark(status) {
  return MARKS[status] ?? "·";
}

/** A colour of the style sheet. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** From bad (0) to good (1): pale to deep, readable without colours too. */
export function goodness(share) {
  const [low, high] = isDark() ? [[58, 66, 82], [255, 205, 92]] : [[214, 219, 228], [32, 60, 140]];
  const middle = isDark() ? [64, 140, 168] : [70, 150, 190];
  const mix = (one, other, part) => one.map((value, at) => Math.round(value + part * (other[at] - value)));
  const [red, green, blue] = share < 0.5 ? mix(low, middle, share * 2) : mix(middle, high, share * 2 - 1);
  return `rgb(${red},${green},${blue})`;
}
