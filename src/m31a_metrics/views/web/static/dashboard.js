// Zooms into plots, keeps an open page current, and spares a click here and there.
// Everything on a page can be read and used without it, but for the zoom.
"use strict";

(() => {
  const CONFIG = {
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  const root = document.documentElement;

  // Colours are named as in the style sheet; plotly wants them written out.
  function colored(value, style) {
    if (Array.isArray(value)) return value.map((one) => colored(one, style));
    if (value && typeof value === "object") {
      const copy = {};
      for (const [key, one] of Object.entries(value)) copy[key] = colored(one, style);
      return copy;
    }
    if (typeof value === "string" && value.startsWith("var(--")) {
      return style.getPropertyValue(value.slice(4, -1)).trim();
    }
    return value;
  }

  function layoutOf(figure, style) {
    const grid = "var(--grid)";
    const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true };
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: style.fontFamily, size: 12, color: "var(--quiet)" },
      margin: { l: 48, r: 12, t: 8, b: 32 },
      height: 260,
      hovermode: "closest",
      hoverlabel: { bgcolor: "var(--raised)", bordercolor: "var(--line)", font: { color: "var(--ink)" }, align: "left" },
      legend: { traceorder: "normal", orientation: "h", y: -0.16, yanchor: "top", x: 0 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--faint)", activecolor: "var(--accent)" },
      uirevision: "kept",
      ...figure.layout,
    };
    layout.xaxis = { ...axis, showgrid: false, ...figure.layout.xaxis };
    layout.yaxis = { ...axis, ...figure.layout.yaxis };
    return colored(layout, style);
  }

  function redraw(plot) {
    const style = getComputedStyle(root);
    Plotly.react(plot.zoomed, colored(plot.figure.data, style), layoutOf(plot.figure, style), CONFIG);
  }

  // plotly.js is large, and most pages are read without it: it is loaded when somebody zooms.
  let loading = null;
  function plotly() {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = root.dataset.plotly;
      script.addEventListener("load", done);
      script.addEventListener("error", () => { loading = null; failed(new Error("no plotly.js")); });
      document.head.append(script);
    });
    return loading;
  }

  async function zoom(button) {
    const plot = (button.closest("figure") ?? button.closest("section")).querySelector(".plot");
    if (plot.zoomed) {
      Plotly.purge(plot.zoomed);
      plot.zoomed.remove();
      plot.zoomed = null;
      plot.classList.remove("is-zoomed");
      button.firstChild.data = "Zoom";
      return;
    }
    button.disabled = true;
    try {
      const [answer] = await Promise.all([fetch(button.dataset.figure), plotly()]);
      if (!answer.ok) return;
      plot.figure = await answer.json();
      plot.address = button.dataset.figure;
      plot.zoomed = document.createElement("div");
      plot.zoomed.className = "zoomed";
      plot.append(plot.zoomed);
      plot.classList.add("is-zoomed");
      button.firstChild.data = "Close";
      redraw(plot);
    } finally {
      button.disabled = false;
    }
  }

  function offerZoom(within) {
    within.querySelectorAll("button.zoom").forEach((button) => { button.hidden = false; });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button.zoom");
    if (button) zoom(button).catch(() => {});
  });

  function recolor() {
    document.querySelectorAll(".plot.is-zoomed").forEach(redraw);
  }

  const toggle = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  toggle?.addEventListener("click", () => {
    const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("m31-theme", root.dataset.theme);
    } catch {
      // It holds until the page is left.
    }
    recolor();
  });
  dark.addEventListener("change", recolor);

  const filters = document.getElementById("filters");
  filters?.addEventListener("change", (event) => {
    if (event.target.tagName === "SELECT") filters.requestSubmit();
  });
  // An address says what was chosen, not what was not.
  filters?.addEventListener("submit", () => {
    for (const field of filters.elements) if (field.name && !field.value) field.disabled = true;
  });
  addEventListener("pageshow", () => {
    for (const field of filters?.elements ?? []) field.disabled = false;
  });

  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      document.getElementById("search")?.focus();
    }
  });

  // A panel that changed takes over the new plots and rows; what is zoomed, opened or has the
  // focus stays as it is.
  function takeOver(panel, fresh) {
    const before = [...panel.querySelectorAll(".plot")];
    const after = [...fresh.querySelectorAll(".plot")];
    if (before.length !== after.length || !panel.querySelector("tbody") !== !fresh.querySelector("tbody")) {
      panel.replaceChildren(...fresh.childNodes);
      offerZoom(panel);
      return;
    }
    after.forEach((plot, at) => {
      const drawn = before[at];
      if (drawn.zoomed) {
        fetch(drawn.address).then((answer) => (answer.ok ? answer.json() : null)).then((figure) => {
          if (!figure || !drawn.zoomed) return;
          drawn.figure = figure;
          redraw(drawn);
        }).catch(() => {});
      } else if (drawn.innerHTML !== plot.innerHTML) {
        drawn.innerHTML = plot.innerHTML;
      }
    });
    const rows = (within, selector) => [...within.querySelectorAll(selector)].map((one) => one.closest("td").querySelector("a").href);
    const opened = new Set(rows(panel, "details.more[open]"));
    for (const part of ["thead", "tbody", "h2", ".answer"]) {
      const [old, now] = [panel.querySelector(part), fresh.querySelector(part)];
      if (old && now && old.innerHTML !== now.innerHTML) old.innerHTML = now.innerHTML;
    }
    rows(panel, "details.more").forEach((href, at) => {
      if (opened.has(href)) panel.querySelectorAll("details.more")[at].open = true;
    });
  }

  async function refresh() {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = document.getElementById("content");
    const names = (within) => [...within.querySelectorAll("section.panel")].map((one) => one.id).join();
    const next = fresh.getElementById("content");
    if (names(main) !== names(next)) {
      main.replaceChildren(...next.childNodes);
      offerZoom(main);
      return;
    }
    for (const part of main.querySelectorAll("#warnings, #briefs, #cards, h1, .notice, .pages")) {
      const selector = part.id ? `#${part.id}` : part.tagName === "H1" ? "h1" : `.${part.className}`;
      const other = next.querySelector(selector);
      if (other && other.innerHTML !== part.innerHTML) part.innerHTML = other.innerHTML;
    }
    main.querySelectorAll("section.panel").forEach((panel) => takeOver(panel, next.querySelector(`#${CSS.escape(panel.id)}`)));
  }

  function follow() {
    const sign = document.getElementById("live");
    let shown = null;
    let stale = false;
    const bringUp = () => {
      if (document.hidden) stale = true;
      else refresh().catch(() => {});
    };
    const stream = new EventSource(root.dataset.live);
    stream.addEventListener("version", (event) => {
      sign.hidden = false;
      if (shown !== null && event.data !== shown) bringUp();
      shown = event.data;
    });
    stream.addEventListener("error", () => { sign.hidden = true; });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && stale) {
        stale = false;
        bringUp();
      }
    });
    addEventListener("pagehide", () => stream.close());
  }

  offerZoom(document);
  if (root.dataset.live) follow();
})();
