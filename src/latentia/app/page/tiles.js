// Small images that can be clicked: with a label in hand a click labels, without one it looks closer.

import { ask } from "./line.js";
import { make, page, picture, shorten } from "./dom.js";
import { inHand } from "./labels.js";

const WORDS = { image: "", reconstruction: "reconstruction of ", error: "differences in ", odd: "what is unusual in " };

/** Return the tiles' elements; `show` is image, reconstruction, error or all. */
export function tiles(list, show = "image") {
  const kinds = show === "all" ? ["image", "reconstruction", "error"] : [show];
  return list.map((tile) => {
    const images = kinds.map((kind) =>
      make("img", { src: picture(kind, tile.row), alt: `${WORDS[kind]}${tile.name}`, loading: "lazy" }));
    const given = tile.label ? make("span", { class: "given", textContent: tile.label }) : null;
    const guess = tile.answer !== undefined && !tile.label ? `${tile.answer}? ${Math.round(tile.chance * 100)} %` : shorten(tile.name, show === "all" ? 36 : 13);
    const button = make("button", { type: "button", class: `tile${page.crisp ? " crisp" : ""}`, title: tile.why ? `${tile.name}: ${tile.why}` : tile.name, "data-row": tile.row },
      make("span", { class: "pictures" }, ...images), given, make("span", { class: "name", textContent: guess }),
      tile.why ? make("span", { class: "why", textContent: tile.why }) : null);
    button.addEventListener("click", () => {
      if (inHand()) ask("toggle", { row: tile.row, word: inHand() });
      else ask("look", { row: tile.row });
    });
    return button;
  });
}

/** Show tiles in `element`, and keep the keyboard where it was. */
export function show(element, list, kind) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.row : null;
  element.classList.toggle("wide", kind === "all");
  element.replaceChildren(...tiles(list, kind));
  if (focused !== null) element.querySelector(`[data-row="${focused}"]`)?.focus();
}
