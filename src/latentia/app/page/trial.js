// An image of one's own: drawn or uploaded, and what the model makes of it.

import { ask, on } from "./line.js";
import { at, fill, make, page } from "./dom.js";
import { tiles } from "./tiles.js";

const MOST_BYTES = 8 * 2 ** 20;
let ground = "#000000";
let pen = "#ffffff";
let last = null;
let timer = null;

function wipe() {
  const context = at("draw").getContext("2d");
  context.fillStyle = ground;
  context.fillRect(0, 0, at("draw").width, at("draw").height);
}

function place(event) {
  const canvas = at("draw");
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
}

function stroke(event) {
  const context = at("draw").getContext("2d");
  const [x, y] = place(event);
  context.strokeStyle = pen;
  context.lineWidth = Number(at("pen").value);
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...last);
  context.lineTo(x + 0.01, y);
  context.stroke();
  last = [x, y];
}

function send() {
  clearTimeout(timer);
  timer = setTimeout(() => ask("try", { data: at("draw").toDataURL("image/png"), drawn: true }), 120);
}

function draw() {
  const canvas = at("draw");
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last !== null) for (const part of event.getCoalescedEvents?.() ?? [event]) stroke(part);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => {
    if (last !== null) send();
    last = null;
  });
}

function upload(file) {
  if (!file) return;
  if (file.size > MOST_BYTES) {
    fill(at("tried"), make("p", { textContent: `${file.name} is larger than 8 MB: make the image smaller first.` }));
    return;
  }
  const reader = new FileReader();
  reader.addEventListener("load", () => ask("try", { data: reader.result, drawn: false }));
  reader.readAsDataURL(file);
}

function answer(entry) {
  const bar = make("i");
  bar.style.width = `${entry.chance * 100}%`;
  return [make("span", { textContent: entry.text }), make("span", { class: "track" }, bar), make("span", { textContent: `${Math.round(entry.chance * 100)} %` })];
}

export function start() {
  on("canvas", (message) => {
    [ground, pen] = message.dark ? ["#000000", "#ffffff"] : ["#ffffff", "#111111"];
    at("ink-label").hidden = !message.colour;
    if (message.colour) pen = at("ink").value;
    const canvas = at("draw");
    canvas.height = Math.round(canvas.width * Math.min(1.4, message.height / message.width));
    canvas.style.height = `${canvas.height}px`;
    wipe();
  });
  on("tried", (message) => {
    const pictures = message.pictures.map(({ text, picture }) =>
      make("figure", {}, make("img", { src: picture, alt: text, class: page.crisp ? "crisp" : "" }), make("figcaption", { textContent: text })));
    const near = make("div", { class: "tiles" }, ...tiles(message.nearest));
    const answers = message.answers.length ? make("div", { class: "answers" }, ...message.answers.flatMap(answer)) : null;
    fill(at("tried"), make("div", { class: "results" }, ...pictures), make("p", { textContent: `${message.score}; ${message.distance}.` }), answers,
      make("h3", { textContent: "Nearest images" }), near);
  });
  draw();
  wipe();
  at("wipe").addEventListener("click", wipe);
  at("ink").addEventListener("input", () => { pen = at("ink").value; });
  at("file").addEventListener("change", () => { upload(at("file").files[0]); at("file").value = ""; });
  for (const name of ["dragover", "drop"]) at("try").addEventListener(name, (event) => event.preventDefault());
  at("try").addEventListener("drop", (event) => upload(event.dataTransfer.files[0]));
}
