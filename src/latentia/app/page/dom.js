// Elements from data. Whatever comes from names and labels is set as text, never as HTML.

export const at = (id) => document.getElementById(id);

/** Return an element; `properties` are set on it (`class`, `data-…` and `aria-…` as attributes), `children` appended. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key === "class" || key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Fill `element` with children in place of those it had. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null));
}

export const spot = (colour) => {
  const mark = make("span", { class: "spot", "aria-hidden": "true" });
  mark.style.background = colour || "transparent";
  return mark;
};

/** Choose `options` ([value, text] pairs) of a select, keeping the listener. */
export function choices(select, options, value) {
  fill(select, ...options.map(([key, text]) => make("option", { value: key, textContent: text })));
  if (value !== undefined) select.value = value;
}

/** The page's facts that several places need. */
export const page = { key: "", crisp: false, large: false, state: null };

export const picture = (kind, row) => `picture/${kind}/${row}.png?k=${page.key}`;

/** Return a name with its middle left out where it is long: the ends tell names of a series apart. */
export const shorten = (name, most = 15) => (name.length <= most ? name : `${name.slice(0, Math.ceil(most / 2) - 2)}…${name.slice(2 - Math.floor(most / 2) - 1)}`);

export const many = (number) => number.toLocaleString("en");
