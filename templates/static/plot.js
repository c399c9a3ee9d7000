// A crosshair over every chart that carries its numbers: the nearest step, and each line's value there, by pointer or
// by the arrow keys. The chart is complete without it.

function attach(figure) {
  const data = figure.querySelector("script[type='application/json']");
  const area = figure.querySelector("[data-area]");
  const tip = figure.querySelector("[data-tip]");
  const cross = figure.querySelector("[data-cross]");
  if (!data || !area || !tip || !cross) return;
  const { x0, x1, steps, lines } = JSON.parse(data.textContent);
  if (!steps.length) return;
  const hide = () => { tip.hidden = true; cross.setAttribute("visibility", "hidden"); };

  let now = steps.length - 1;
  const show = (at) => {
    now = at;
    const box = area.getBoundingClientRect();
    const share = x1 > x0 ? (steps[at] - x0) / (x1 - x0) : 0.5;
    cross.setAttribute("x1", share * 100 + "%");
    cross.setAttribute("x2", share * 100 + "%");
    cross.setAttribute("visibility", "visible");
    tip.replaceChildren();
    const head = document.createElement("b");
    head.textContent = figure.dataset.x + " " + steps[at];
    tip.append(head);
    for (const line of lines) {
      if (line.values[at] === null) continue;
      const row = document.createElement("span");
      const mark = document.createElement("i");
      mark.className = "swatch s" + line.color;
      row.append(mark, line.name, document.createElement("em"));
      row.lastChild.textContent = line.values[at];
      tip.append(row);
    }
    tip.hidden = false;
    const px = share * box.width;
    const fits = px + 12 + tip.offsetWidth <= box.width;
    tip.style.left = (fits ? px + 12 : Math.max(px - 12 - tip.offsetWidth, -50)) + "px";
  };

  const nearest = (clientX) => {
    const box = area.getBoundingClientRect();
    const x = x0 + ((clientX - box.left) / box.width) * (x1 - x0);
    let best = 0;
    steps.forEach((s, i) => { if (Math.abs(s - x) < Math.abs(steps[best] - x)) best = i; });
    return best;
  };
  area.addEventListener("pointermove", (e) => show(nearest(e.clientX)));
  area.addEventListener("pointerleave", hide);
  area.tabIndex = 0;
  area.addEventListener("focus", () => { if (area.matches(":focus-visible")) show(now); });
  area.addEventListener("blur", hide);
  area.addEventListener("keydown", (e) => {
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: steps.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    show(Math.min(Math.max(to, 0), steps.length - 1));
  });
}

function content() {
  for (const figure of document.querySelectorAll("figure.chart:not([data-ready])")) {
    figure.dataset.ready = "";
    attach(figure);
  }
}

content();
document.addEventListener("sweep:content", content);
