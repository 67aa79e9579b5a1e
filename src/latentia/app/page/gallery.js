// The gallery of what is selected, and a closer look at one image.

import { ask, on } from "./line.js";
import { at, fill, make, many, page, picture } from "./dom.js";
import { setSelected } from "./labels.js";
import { show } from "./tiles.js";
import { walkFrom } from "./walk.js";

let told = null;

function draw() {
  show(at("tiles"), told.tiles, at("show").value);
  at("gallery-heading").textContent = told.selected ? `${many(told.total)} ${told.what}` : `All ${many(told.total)} images`;
  at("page").textContent = `page ${many(told.page + 1)} of ${many(told.pages)}`;
  at("before").disabled = told.page === 0;
  at("after").disabled = told.page + 1 >= told.pages;
  at("order").value = told.order;
}

function look(message) {
  const trio = [["image", "image"], ["reconstruction", "reconstructed"], ["error", "where they differ"]].map(([kind, text]) =>
    make("figure", {}, make("img", { src: picture(kind, message.row), alt: `${text}: ${message.name}`, class: page.crisp ? "crisp" : "" }), make("figcaption", { textContent: text })));
  const near = make("button", { type: "button", textContent: "Nearest images" });
  near.addEventListener("click", () => ask("select", { of: "near", row: message.row }));
  const walk = make("button", { type: "button", textContent: "Walk from here" });
  walk.addEventListener("click", () => { at("tab-walk").click(); walkFrom(message.row); });
  const close = make("button", { type: "button", class: "quiet", textContent: "Close" });
  close.addEventListener("click", () => { at("look").hidden = true; });
  const facts = message.facts.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]);
  fill(at("look"), make("div", { class: "look" },
    make("div", { class: "trio" }, ...trio),
    make("div", {}, make("h3", { textContent: message.name }), make("dl", {}, ...facts)), make("div", { class: "bar" }, near, walk, close)));
  at("look").hidden = false;
  at("images").scrollTop = 0;
}

export function start() {
  on("gallery", (message) => {
    const turned = told === null || told.page !== message.page || told.what !== message.what || told.order !== message.order;
    told = message;
    setSelected(message.selected ? message.total : 0);
    at("clear-selection").disabled = !message.selected;
    draw();
    if (turned) at("images").scrollTop = 0;
  });
  on("look", look);
  on("odd", ({ known, heat }) => {
    at("show-odd").hidden = !heat;
    at("order").querySelector("[value=odd]").textContent = known ? "oddest first" : "largest error first";
    at("order").querySelector("[value=typical]").textContent = known ? "most typical first" : "smallest error first";
  });
  at("show").addEventListener("change", draw);
  at("order").addEventListener("change", () => ask("gallery", { order: at("order").value }));
  at("before").addEventListener("click", () => ask("gallery", { page: told.page - 1 }));
  at("after").addEventListener("click", () => ask("gallery", { page: told.page + 1 }));
  at("clear-selection").addEventListener("click", () => ask("select", { of: "all" }));
}
