"use strict";
// The page is whole without this: it adds a cursor, zoom, hiding of lines, a theme and the file.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const WIDTH = 1000;
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  const data = read("figures");
  const made = (tag, name, parent) => {
    const node = document.createElement(tag);
    node.className = name;
    parent.append(node);
    return node;
  };
  const digits = (value) => String(Number(value.toPrecision(4)));
  const shown = (value, unit) => {
    if (value === null || value === undefined) return "–";
    if (unit === "ms") {
      if (value > 0 && value < 1) return digits(value * 1000) + " µs";
      return value < 1000 ? digits(value) + " ms" : digits(value / 1000) + " s";
    }
    return digits(value) + (unit === "%" ? " %" : unit);
  };
  const clock = (seconds, step) => {
    const whole = Math.floor(seconds + 1e-9);
    const pad = (number) => String(number).padStart(2, "0");
    const minutes = Math.floor(whole / 60);
    let text = minutes < 60
      ? `${minutes}:${pad(whole % 60)}`
      : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
    if (step < 1) text += (seconds - whole).toFixed(1).slice(1);
    return text;
  };

  const figures = [...document.querySelectorAll("[data-figure]")].map((element) => {
    const pane = element.querySelector(".pane");
    return {
      element, pane,
      of: data[element.dataset.figure],
      svg: pane.querySelector("svg"),
      labels: element.querySelector(".x-labels"),
      cursor: null, tip: null, hidden: new Set(), index: -1,
    };
  });
  const timed = figures.filter((figure) => figure.of.time);
  let view = { from: 0, width: WIDTH };
  const viewOf = (figure) => (figure.of.time ? view : { from: 0, width: WIDTH });

  const clear = (figure) => {
    if (figure.cursor) figure.cursor.remove();
    if (figure.tip) figure.tip.remove();
    figure.cursor = figure.tip = null;
  };
  const nearest = (figure, at) => {
    let best = 0;
    figure.of.x.forEach((x, index) => {
      if (Math.abs(x - at) < Math.abs(figure.of.x[best] - at)) best = index;
    });
    return best;
  };
  const tell = (figure, index, share) => {
    figure.tip = made("div", "tip", figure.pane);
    const head = made("div", "", figure.tip);
    head.textContent = figure.of.time
      ? clock((figure.of.x[index] / WIDTH) * figure.of.seconds, 1)
      : figure.of.labels[index];
    figure.of.series.forEach((series, number) => {
      if (figure.hidden.has(number)) return;
      const row = made("div", "", figure.tip);
      const swatch = figure.element.querySelector(`[data-toggle="${number}"] .swatch`);
      row.append(swatch.cloneNode());
      row.append(series.name);
      made("b", "", row).textContent = shown(series.values[index], figure.of.unit);
    });
    figure.tip.style[share > 0.5 ? "right" : "left"] = share > 0.5
      ? `${(1 - share) * 100 + 2}%` : `${share * 100 + 2}%`;
  };
  const point = (figure, index) => {
    const all = figure.of.time ? timed : [figure];
    const at = figure.of.x[index];
    for (const one of all) {
      clear(one);
      const share = (at - viewOf(one).from) / viewOf(one).width;
      if (share < 0 || share > 1) continue;
      one.index = nearest(one, at);
      one.cursor = made("div", "cursor", one.pane);
      one.cursor.style.left = `${share * 100}%`;
      if (one === figure) tell(one, one.index, share);
    }
  };
  const leave = (figure) => (figure.of.time ? timed : [figure]).forEach(clear);

  const relabel = (figure) => {
    const per = figure.of.seconds / WIDTH;
    const from = view.from * per, length = view.width * per;
    const step = STEPS.find((one) => length / one <= 6.01) || STEPS[STEPS.length - 1];
    figure.labels.replaceChildren();
    for (let tick = Math.ceil(from / step - 1e-9) * step; tick <= from + length + 1e-9; tick += step) {
      const share = (tick - from) / length;
      const label = made("span", "", figure.labels);
      label.textContent = clock(tick, step);
      label.style.left = `${(share * 100).toFixed(2)}%`;
    }
  };
  const zoom = document.getElementById("zoom");
  const look = (from, width) => {
    view = { from, width };
    for (const figure of timed) {
      clear(figure);
      figure.svg.setAttribute("viewBox", `${from} 0 ${width} 300`);
      relabel(figure);
    }
    zoom.hidden = width >= WIDTH;
  };
  zoom.addEventListener("click", () => look(0, WIDTH));

  for (const figure of figures) {
    let start = null, drag = null;
    const share = (event) => {
      const box = figure.pane.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    const place = (part) => viewOf(figure).from + part * viewOf(figure).width;
    figure.pane.addEventListener("pointerdown", (event) => {
      if (!figure.of.time || event.button !== 0) return;
      start = share(event);
      figure.pane.setPointerCapture(event.pointerId);
    });
    figure.pane.addEventListener("pointermove", (event) => {
      const now = share(event);
      if (start === null) {
        if (figure.of.series.length) point(figure, nearest(figure, place(now)));
        return;
      }
      drag = drag || made("div", "drag", figure.pane);
      drag.style.left = `${Math.min(start, now) * 100}%`;
      drag.style.width = `${Math.abs(start - now) * 100}%`;
    });
    const end = (event) => {
      if (drag) drag.remove();
      if (start !== null && event.type === "pointerup" && Math.abs(share(event) - start) > 0.02) {
        const from = place(Math.min(start, share(event)));
        look(from, place(Math.max(start, share(event))) - from);
      }
      start = drag = null;
    };
    figure.pane.addEventListener("pointerup", end);
    figure.pane.addEventListener("pointercancel", end);
    figure.pane.addEventListener("pointerleave", () => leave(figure));
    figure.pane.addEventListener("dblclick", () => look(0, WIDTH));
    figure.pane.addEventListener("keydown", (event) => {
      const last = figure.of.x.length - 1;
      const to = {
        ArrowLeft: figure.index - 1, ArrowRight: figure.index + 1, Home: 0, End: last,
      }[event.key];
      if (event.key === "Escape") { leave(figure); look(0, WIDTH); }
      if (to === undefined || !figure.of.series.length) return;
      event.preventDefault();
      figure.index = Math.min(last, Math.max(0, to));
      point(figure, figure.index);
    });
    figure.pane.addEventListener("blur", () => leave(figure));
    figure.element.querySelectorAll("[data-toggle]").forEach((button) => {
      button.addEventListener("click", () => {
        const number = Number(button.dataset.toggle);
        const on = figure.hidden.delete(number) || !figure.hidden.add(number);
        button.setAttribute("aria-pressed", String(on));
        figure.svg.querySelector(`[data-series="${number}"]`).style.display = on ? "" : "none";
      });
    });
  }

  const theme = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme || "auto";
    const next = themes[(themes.indexOf(now) + 1) % themes.length];
    document.documentElement.dataset.theme = next;
    theme.textContent = `Theme: ${next}`;
  });
  const save = document.getElementById("save");
  save.hidden = false;
  save.addEventListener("click", () => {
    const text = JSON.stringify(read("result"), null, 2) + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "load.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
