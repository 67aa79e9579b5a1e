// The classifier trained from the page: its accuracy as labels grow, and the images it wants labelled.

import { ask, on } from "./line.js";
import { at, fill } from "./dom.js";
import { show } from "./tiles.js";

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

/** Return the course of the accuracy as a small graph. */
function graph(course) {
  const [width, height, left, bottom, top] = [440, 150, 44, 26, 12];
  const most = Math.max(...course.map((each) => each.labels), 1);
  const x = (labels) => left + (labels / most) * (width - left - 16);
  const y = (accuracy) => top + (1 - accuracy) * (height - top - bottom);
  const words = course.map((each) => `${each.labels} labels: ${Math.round(each.accuracy * 100)} %`).join("; ");
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `accuracy in cross-validation: ${words}` });
  for (const mark of [0, 0.5, 1]) {
    svg.append(shape("line", { x1: left, x2: width - 8, y1: y(mark), y2: y(mark), stroke: "var(--line)" }),
      shape("text", { x: left - 8, y: y(mark) + 4, "text-anchor": "end", "font-size": 11, fill: "var(--soft)" }, `${mark * 100} %`));
  }
  svg.append(shape("polyline", { points: course.map((each) => `${x(each.labels)},${y(each.accuracy)}`).join(" "), fill: "none", stroke: "var(--accent)", "stroke-width": 2 }));
  for (const each of course) svg.append(shape("circle", { cx: x(each.labels), cy: y(each.accuracy), r: 3.5, fill: "var(--accent)" }));
  svg.append(shape("text", { x: width - 16, y: height - 6, "text-anchor": "end", "font-size": 11, fill: "var(--soft)" }, `${most} labels`));
  return svg;
}

function wanted(list) {
  at("wanted-heading").hidden = list.length === 0;
  show(at("wanted"), list, "image");
}

export function start() {
  on("lesson", (message) => {
    if (message.text) at("lesson").textContent = message.text;
    fill(at("course"), message.course.length > 1 ? graph(message.course) : null);
  });
  on("wanted", (message) => {
    wanted(message.tiles);
    at("show-wanted").disabled = message.tiles.length === 0;
    at("look-for-wanted").hidden = message.tiles.length > 0;
  });
  at("teach").addEventListener("click", () => ask("teach"));
  at("show-wanted").addEventListener("click", () => ask("select", { of: "next" }));
  at("look-for-wanted").addEventListener("click", () => ask("wanted"));
}
