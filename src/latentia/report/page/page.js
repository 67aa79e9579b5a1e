"use strict";
(() => {
  // what folds is open on paper
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((each) => (each.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((each) => (each.open = false)));

  // the section that is being read is marked in the list of sections
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const reading = new IntersectionObserver(
    (entries) => {
      entries.forEach((entry) => (entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id)));
      const first = [...links.keys()].find((id) => seen.has(id));
      links.forEach((link, id) => (id === first ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    },
    { rootMargin: "-10% 0px -70% 0px" },
  );
  document.querySelectorAll("main > section").forEach((section) => reading.observe(section));

  // the map comes alive when a person comes near it: its script is long, and the page should be there at once
  const place = document.getElementById("map-plot");
  const library = document.getElementById("bokeh-js");
  const data = document.getElementById("map-data");
  if (!place || !library || !data) return;
  const near = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      const script = document.createElement("script");
      script.textContent = library.textContent;
      document.head.append(script);
      if (!window.Bokeh) return;
      const live = document.createElement("div");
      live.id = "map-live";
      place.append(live);
      Bokeh.set_log_level("error");
      Bokeh.embed.embed_item(JSON.parse(data.textContent)).then(
        () => place.classList.add("alive"),
        () => live.remove(),
      );
    },
    { rootMargin: "800px 0px" },
  );
  near.observe(place);
})();
