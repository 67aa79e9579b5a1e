// The page: tabs, the map's controls, and what the explorer says.

import { ask, connect, on } from "./line.js";
import { at, choices, fill, make, many, page, spot } from "./dom.js";
import * as clusters from "./clusters.js";
import * as gallery from "./gallery.js";
import * as labels from "./labels.js";
import * as probe from "./probe.js";
import * as trial from "./trial.js";
import * as walk from "./walk.js";

const MAPS = { pca: "PCA (linear)", tsne: "t-SNE (neighbourhoods)", umap: "UMAP" };
const tabs = [...document.querySelectorAll('[role="tab"]')];
let hush = null;

function open(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    at(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  at("labels").hidden = ["tab-try", "tab-walk"].includes(tab.id); // where nothing is labelled there is more room
}

for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const other = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    open(other);
    other.focus();
  });
}

function say(text, tone) {
  at("said").textContent = text[0].toUpperCase() + text.slice(1);
  at("said").className = tone;
  at("said").hidden = false;
  clearTimeout(hush);
  hush = setTimeout(() => { at("said").hidden = true; }, tone === "error" ? 9000 : 3500);
}

on("said", ({ text, tone }) => say(text, tone));
on("state", (state) => {
  page.key = state.key;
  page.crisp = state.rendering === "pixelated";
  page.large = state.count > 5000;
  at("facts").textContent = state.images;
  at("facts").title = state.folder;
});
on("busy", ({ name, share }) => {
  at("busy").hidden = !name;
  at("busy").textContent = name ? `making ${name}${share === null ? "" : `, ${Math.round(share * 100)} %`}` : "";
});
on("maps", ({ method, methods, made, note }) => {
  choices(at("map-method"), methods.map((key) => [key, `${MAPS[key] ?? key}${made.includes(key) || key === "pca" ? "" : " …"}`]), method);
  at("map-note").textContent = note;
});
on("colours", ({ by, choices: all, legend, scale }) => {
  choices(at("colour-by"), all.map(({ key, text }) => [key, text]), by);
  if (scale) {
    const [low, middle, high] = legend.map((entry) => entry.text);
    fill(at("legend"), legend.length ? make("li", {}, make("span", { textContent: low }), make("span", { class: "ramp", "aria-hidden": "true" }), make("span", { textContent: `${high} (half of the images are below ${middle})` })) : null);
  } else {
    fill(at("legend"), ...legend.map(({ text, colour, count }) => make("li", {}, spot(colour), make("b", { textContent: text }), make("span", { textContent: many(count) }))));
  }
});
at("colour-by").addEventListener("change", () => ask("colour", { by: at("colour-by").value }));
at("map-method").addEventListener("change", () => ask("map", { method: at("map-method").value }));

for (const part of [labels, gallery, clusters, probe, trial, walk]) part.start();

connect((found) => {
  const figure = found.get_model_by_name("map");
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => {
      figure.toolbar.tools.find((tool) => tool.name === button.dataset.tool).active = true;
      for (const each of document.querySelectorAll("[data-tool]")) each.setAttribute("aria-pressed", String(each === button));
    });
  }
  at("reset-view").addEventListener("click", () => figure.reset.emit());
  found.on_event?.("connection_lost", () => say("the connection is lost: the explorer has ended; what was done is saved", "error"));
  at("opening").hidden = true;
  ask("hello");
});
