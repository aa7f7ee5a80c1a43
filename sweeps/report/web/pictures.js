// Images with their reconstructions, the confusion matrix, and pictures that a task only has as PNG.
import { colour } from "./colours.js";
import { h, percent } from "./words.js";

/** Forward and back through some things, by buttons, slider and arrow keys; null for a single one. */
export function stepper(noun, count, change) {
  if (count < 2) return null;
  let at = 0;
  const slider = h("input", { type: "range", min: 0, max: count - 1, value: 0, "aria-label": `Which ${noun}` });
  const place = h("span.soft.small.nums", {}, `1 of ${count}`);
  const go = (next) => {
    at = (next + count) % count;
    slider.value = at;
    place.textContent = `${at + 1} of ${count}`;
    change(at);
  };
  slider.addEventListener("input", () => go(Number(slider.value)));
  const bar = h("div.stepper", {}, h("button", { type: "button", "aria-label": `Previous ${noun}`, click: () => go(at - 1) }, "‹"), slider, h("button", { type: "button", "aria-label": `Next ${noun}`, click: () => go(at + 1) }, "›"), place);
  bar.go = go;
  return bar;
}

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Grey pixels on a canvas: 0 is white, 255 black. */
function canvas(values, [rows, columns], label) {
  const element = h("canvas.pixels", { width: columns, height: rows, role: "img", "aria-label": label });
  const context = element.getContext("2d");
  const image = context.createImageData(columns, rows);
  values.forEach((value, at) => image.data.set([255 - value, 255 - value, 255 - value, 255], 4 * at));
  context.putImageData(image, 0, 0);
  return element;
}

function difference(given, output, [rows, columns], label) {
  const element = h("canvas.pixels", { width: columns, height: rows, role: "img", "aria-label": label });
  const context = element.getContext("2d");
  const image = context.createImageData(columns, rows);
  given.forEach((value, at) => {
    const gap = output[at] - value;
    const fade = Math.min(255, Math.abs(gap));
    image.data.set(gap > 0 ? [255, 255 - fade, 255 - fade, 255] : [255 - fade, 255 - fade, 255, 255], 4 * at);
  });
  context.putImageData(image, 0, 0);
  return element;
}

/** A gallery; where there are reconstructions, the chosen image stands large beside its own, with their difference. */
export function images(one) {
  const size = one.shape[0] * one.shape[1];
  const given = bytes(one.given);
  const output = one.output ? bytes(one.output) : null;
  const part = (all, at) => all.subarray(at * size, (at + 1) * size);
  if (!output) {
    return [h("div.gallery", { role: "list", "aria-label": one.alt }, one.captions.map((caption, at) => h("figure", { role: "listitem" }, canvas(part(given, at), one.shape, caption), h("figcaption", {}, caption))))];
  }
  const large = h("div.pairs-of-images", { "aria-live": "polite" });
  const gallery = h("div.gallery", { role: "group", "aria-label": one.alt });
  const wide = Math.min(190, Math.max(120, one.shape[1] * 6));
  const show = (at) => {
    const panel = (words, drawing) => h("figure", { style: `width:${wide}px` }, drawing, h("figcaption", {}, words));
    const [left, right] = [part(given, at), part(output, at)];
    large.replaceChildren(panel("test image", canvas(left, one.shape, `test image ${at + 1}`)), panel("reconstruction", canvas(right, one.shape, `its reconstruction, ${one.captions[at]}`)), panel("difference: red too dark, blue too light", difference(left, right, one.shape, "the difference of the two")), h("p.nums", { style: "width:100%;margin:0" }, one.captions[at]));
    [...gallery.children].forEach((figure, place) => figure.firstChild.setAttribute("aria-pressed", String(place === at)));
  };
  const step = stepper("image", one.captions.length, show);
  gallery.append(...one.captions.map((caption, at) => h("figure", {}, h("button", { type: "button", "aria-label": caption, click: () => (step ? step.go(at) : show(at)) }, canvas(part(output, at), one.shape, `reconstruction: ${caption}`)), h("figcaption", {}, caption.split(": MSE")[0]))));
  show(0);
  return [step, large, gallery].filter(Boolean);
}

/** Counts of true against predicted class; colour marks the errors. */
export function confusion(one) {
  const most = Math.max(1, ...one.counts.flatMap((row, at) => row.filter((_, place) => place !== at)));
  const totals = one.counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const head = h("tr", {}, h("th", {}, ""), one.classes.map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col" }, "right"));
  const rows = one.counts.map((row, at) => h("tr", {}, h("th", { scope: "row" }, one.classes[at]), row.map((count, place) => {
    if (place === at) return h("td.right", {}, count);
    const share = count / most;
    return h(count ? "td" : "td.zero", { style: count ? `background:rgb(224 123 0 / ${0.12 + 0.78 * share});${share > 0.6 ? "color:#000" : ""}` : "", title: `${count} of class ${one.classes[at]} taken for ${one.classes[place]}` }, count || "·");
  }), h("td", { style: `color:${colour("soft")}` }, totals[at] ? percent(row[at] / totals[at], 1) : "–")));
  return [h("p.soft.small", {}, "Rows: true class; columns: predicted class. The deeper the orange, the more errors."), h("div.scroll", { tabindex: "0", role: "region", "aria-label": one.alt }, h("table.confusion", {}, h("thead", {}, head), h("tbody", {}, rows)))];
}

export function picture(one) {
  const least = Math.round(0.75 * one.size[0]);  // its text stays as large as the page's
  return [h("div.scroll", { tabindex: "0", role: "region", "aria-label": one.title }, h("img.picture", { style: `min-width:${least}px`, src: `data:image/png;base64,${one.png}`, alt: one.alt, width: one.size[0], height: one.size[1], loading: "lazy" }))];
}
