// Clusters: found, named, merged, split, shown, and turned into labels.

import { ask, on } from "./line.js";
import { at, choices, fill, make, many, spot } from "./dom.js";

const METHODS = { communities: "communities (any shape)", "k-means": "k-means (quick)" };
const ticked = new Set();

const button = (text, name, act, quiet = true) => {
  const made = make("button", { type: "button", textContent: text, "aria-label": `${text} ${name}`, class: quiet ? "quiet" : "" });
  made.addEventListener("click", act);
  return made;
};

function row(cluster) {
  const { number, title, shown, size, colour } = cluster;
  const tick = make("input", { type: "checkbox", checked: ticked.has(number), "aria-label": `tick ${shown}` });
  tick.addEventListener("change", () => { if (tick.checked) ticked.add(number); else ticked.delete(number); });
  const name = make("input", { value: title, placeholder: `cluster ${number}`, maxLength: 80, "aria-label": `name of ${shown}` });
  name.addEventListener("change", () => ask("groups-rename", { cluster: number, title: name.value }));
  const label = button("Label", shown, () => ask("groups-label", { cluster: number }));
  label.disabled = !title;
  label.title = title ? "" : "name it first";
  return make("tr", {}, make("td", {}, tick), make("td", {}, spot(colour)), make("td", {}, name), make("td", { class: "number", textContent: many(size) }),
    make("td", {}, button("Show", shown, () => { ask("select", { of: "cluster", cluster: number }); at("tab-images").click(); }),
      button("Split", shown, () => ask("groups-split", { cluster: number, parts: 2 })), label));
}

export function start() {
  on("groups", (message) => {
    if (at("group-method").options.length === 0) choices(at("group-method"), message.methods.map((key) => [key, METHODS[key] ?? key]));
    for (const number of [...ticked]) if (!message.clusters.some((each) => each.number === number)) ticked.delete(number);
    if (message.clusters.length === 0) {
      fill(at("groups"));
      return;
    }
    const head = make("tr", {}, ...["Tick", "", "Name", "Images", "Do"].map((text) => make("th", { textContent: text, scope: "col" })));
    const merge = button("Merge the ticked", "clusters", () => { ask("groups-merge", { clusters: [...ticked] }); ticked.clear(); }, false);
    const undo = button("Undo", "the last change of clusters", () => ask("groups-undo"));
    undo.disabled = !message.undo;
    at("groups-note").textContent = `Saved in ${message.path}. A cluster with a name can be turned into labels; two may have one name.`;
    fill(at("groups"), make("table", {}, make("thead", {}, head), make("tbody", {}, ...message.clusters.map(row))), make("div", { class: "bar" }, merge, undo));
  });
  at("find-groups").addEventListener("submit", (event) => {
    event.preventDefault();
    const count = at("group-count").value;
    ask("groups-find", { count: count ? Number(count) : null, method: at("group-method").value });
  });
}
