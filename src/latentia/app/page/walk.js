// Walking in the latent space by sliders and by a pad. One question is under way at a time; the latest move waits for it,
// so that a slow model makes the steps larger and never the answers late.

import { ask, on } from "./line.js";
import { at, choices, fill, make, page, picture } from "./dom.js";

let told = null; // the start and its directions
let moves = {};
let under = false; // whether a question is under way
let next = false; // whether the place has changed since it was asked
let ticket = 0;
let marked = 0;
let moved = false; // whether the mark on the map is to follow when the walk rests
let rest = null;

/** Begin at an image (its row), or at the mean of all codes (null). */
export function walkFrom(row) {
  ask("walk-start", { row, directions: at("directions").value, compute: true });
}

const value = (place) => moves[place] ?? told.places[place];

function move(changes) {
  Object.assign(moves, changes);
  draw();
  moved = true;
  clearTimeout(rest);
  if (under) next = true;
  else send();
}

function send(resting = false) {
  under = true;
  next = false;
  ticket += 1;
  const now = performance.now();
  // the mark on the map is redrawn less often than the image; a large map, whose redrawing takes long, when the walk rests
  const mark = resting || (!page.large && now - marked > 250);
  if (mark) marked = now;
  ask("walk", { row: told.row, directions: told.directions, moves, ticket, mark });
}

function axes() {
  return [Number(at("pad-x").value), at("pad-y").value === "" ? null : Number(at("pad-y").value)];
}

function draw() {
  const [x, y] = axes();
  at("dot").style.left = `${50 + (value(x) / told.reach) * 50}%`;
  at("dot").style.top = `${50 - ((y === null ? 0 : value(y)) / told.reach) * 50}%`;
  for (const slider of at("sliders").querySelectorAll("input")) {
    const now = value(Number(slider.dataset.place));
    if (document.activeElement !== slider) slider.value = now;
    slider.setAttribute("aria-valuetext", `${now.toFixed(1)} standard deviations`);
  }
}

function padMove(event) {
  const box = at("pad").getBoundingClientRect();
  const inside = (share) => Math.min(1, Math.max(-1, share));
  const [x, y] = axes();
  const changes = { [x]: inside(((event.clientX - box.left) / box.width) * 2 - 1) * told.reach };
  if (y !== null && y !== x) changes[y] = inside(1 - ((event.clientY - box.top) / box.height) * 2) * told.reach;
  move(changes);
}

function padKey(event) {
  const [x, y] = axes();
  const step = { ArrowLeft: [x, -1], ArrowRight: [x, 1], ArrowUp: [y, 1], ArrowDown: [y, -1] }[event.key];
  if (!step || step[0] === null) return;
  event.preventDefault();
  move({ [step[0]]: Math.min(told.reach, Math.max(-told.reach, value(step[0]) + step[1] * 0.2)) });
}

function begin(message) {
  at("walking").hidden = Boolean(message.why) || Boolean(message.needed);
  at("walk-why").hidden = !at("walking").hidden;
  if (message.needed) {
    const go = make("button", { type: "button", textContent: "Compute the codes to walk among" });
    go.addEventListener("click", () => walkFrom(null));
    fill(at("walk-why"), go);
    return;
  }
  if (message.why) {
    at("walk-why").textContent = `${message.why[0].toUpperCase()}${message.why.slice(1)}.`;
    return;
  }
  const before = told;
  told = message;
  moves = {};
  at("directions").value = told.directions;
  at("walk-start").textContent = told.start;
  const short = told.names.map((name, place) => [String(place), name.replace(/ \(.*/, "").replace("direction ", "no. ")]);
  if (before === null || before.directions !== told.directions) {
    choices(at("pad-x"), short, "0");
    choices(at("pad-y"), short.length > 1 ? short : [["", "nothing"]], short.length > 1 ? "1" : "");
    fill(at("sliders"), ...told.names.map((name, place) => {
      const slider = make("input", { type: "range", min: -told.reach, max: told.reach, step: "any", "data-place": place });
      slider.addEventListener("input", () => move({ [place]: Number(slider.value) }));
      return make("label", {}, make("span", { textContent: name }), slider);
    }));
  }
  for (const slider of at("sliders").querySelectorAll("input")) slider.value = told.places[slider.dataset.place];
  draw();
}

export function start() {
  on("walk", begin);
  on("walked", (message) => {
    at("decoded").src = message.picture;
    at("decoded").classList.toggle("crisp", page.crisp);
    at("walk-nearest").src = picture("image", message.nearest.row);
    at("walk-nearest").alt = `the nearest image, ${message.nearest.name}`;
    at("walk-nearest").classList.toggle("crisp", page.crisp);
    at("walk-nearest-name").textContent = message.nearest.name;
    at("decoded").dataset.ticket = message.ticket;
    under = false;
    if (next) send();
    else if (page.large && moved) rest = setTimeout(() => { moved = false; if (!under) send(true); }, 300);
  });
  at("directions").addEventListener("change", () => walkFrom(told.row));
  at("walk-mean").addEventListener("click", () => walkFrom(null));
  for (const id of ["pad-x", "pad-y"]) at(id).addEventListener("change", draw);
  const pad = at("pad");
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    padMove(event);
  });
  pad.addEventListener("pointermove", (event) => { if (event.buttons) padMove(event); });
  pad.addEventListener("keydown", padKey);
}
