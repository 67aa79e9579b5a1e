// Labels: the words, the one in hand, and what is done with it.

import { ask, on } from "./line.js";
import { at, fill, make, many, page, spot } from "./dom.js";

let hand = "";
let told = { words: [], total: 0 };
let selected = 0;
const added = []; // words that no image has yet

export const inHand = () => hand;

/** Say how many images are selected, 0 for none. */
export function setSelected(number) {
  selected = number;
  draw();
}

function take(word) {
  hand = hand === word ? "" : word;
  draw();
}

function draw() {
  const words = [...told.words, ...added.filter((word) => !told.words.some((each) => each.word === word)).map((word) => ({ word, count: 0, colour: "" }))];
  if (hand && !words.some((each) => each.word === hand)) hand = "";
  const focused = document.activeElement?.dataset?.word;
  fill(at("words"), ...words.map(({ word, count, colour }, place) => {
    const button = make("button", { type: "button", class: "word", "aria-pressed": String(word === hand), "data-word": word, title: place < 9 ? `Alt+${place + 1}` : "" },
      spot(colour), make("span", { textContent: word }), count ? make("span", { class: "many", textContent: `· ${many(count)}` }) : null);
    button.addEventListener("click", () => take(word));
    return button;
  }));
  if (focused !== undefined) [...at("words").children].find((each) => each.dataset.word === focused)?.focus();
  at("label-selection").disabled = !(hand && selected);
  at("label-selection").textContent = selected ? `Label the ${many(selected)} selected${hand ? ` “${hand}”` : ""}` : "Label the selection";
  at("clear-labels").disabled = !selected;
  at("in-hand").textContent = hand
    ? `A click on an image labels it “${hand}”; a second click takes that back.`
    : words.length ? "Take a label in hand, and a click on an image gives it." : "Write a first label, then select images or click on them.";
}

export function start() {
  on("state", (state) => { at("new-word").hidden = state.allowed.length > 0; });
  on("labels", (message) => {
    told = message;
    at("labels-count").textContent = message.total ? `${many(message.total)} given` : "";
    at("saved").textContent = message.total ? "all saved" : "";
    at("saved").title = message.path;
    at("undo").disabled = !message.undo;
    at("redo").disabled = !message.redo;
    draw();
  });
  at("new-word").addEventListener("submit", (event) => {
    event.preventDefault();
    const word = at("word").value.trim().replace(/\s+/g, " ");
    if (!word) return;
    if (!added.includes(word)) added.push(word);
    at("word").value = "";
    hand = word;
    draw();
  });
  at("label-selection").addEventListener("click", () => ask("label", { word: hand }));
  at("clear-labels").addEventListener("click", () => ask("clear"));
  at("undo").addEventListener("click", () => ask("undo"));
  at("redo").addEventListener("click", () => ask("redo"));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input:not([type='range']), textarea");
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
      event.preventDefault();
      ask(event.shiftKey ? "redo" : "undo");
    } else if (event.altKey && /^[1-9]$/.test(event.key)) {
      event.preventDefault();
      at("words").children[Number(event.key) - 1]?.click();
    }
  });
}
