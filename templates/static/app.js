// Small helpers of every page: theme, copy buttons, dialogs, the slider over epochs, and ticking trials to compare.
// Each looks for its own elements and does nothing where they are absent; those of the content look again when it is
// replaced.

const store = {
  get(kind, key) { try { return kind.getItem(key); } catch { return null; } },
  set(kind, key, value) { try { kind.setItem(key, value); } catch { /* switched off: nothing is remembered */ } },
};

function theme() {
  const button = document.querySelector("#theme");
  if (!button) return;
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme || (system.matches ? "dark" : "light");
  const name = () => button.setAttribute("aria-label", now() === "dark" ? "Use the light theme" : "Use the dark theme");
  button.hidden = false;
  name();
  system.addEventListener("change", name);
  button.addEventListener("click", () => {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    store.set(localStorage, "sweep-theme", root.dataset.theme);
    name();
  });
}

function copying() {
  for (const button of document.querySelectorAll("[data-copy][hidden]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const old = button.textContent;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed";
      }
      setTimeout(() => { button.textContent = old; }, 1500);
    });
  }
}

function dialogs() {
  // The controls are replaced while a study runs, so the listener sits above them.
  document.addEventListener("click", (e) => {
    const opener = e.target.closest("[data-dialog]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialog);
      if (dialog && dialog.showModal) {
        e.preventDefault();
        dialog.showModal();
      }
      return;
    }
    const closer = e.target.closest("[data-close]");
    if (closer) {
      e.preventDefault();
      closer.closest("dialog").close();
    }
  });
}

// epoch is the one that the reader has chosen, null while the best one, or of a running trial the newest, is wanted.
let epoch = null;

function slider() {
  for (const box of document.querySelectorAll("[data-slider]:not(.sliding)")) {
    const range = box.querySelector("input[type=range]");
    const word = box.querySelector("output");
    const figures = [...box.querySelectorAll("[data-step]")];
    if (!range || figures.length < 2) continue;
    const best = figures.findIndex((f) => f.dataset.best !== undefined);
    const first = best < 0 ? figures.length - 1 : best;
    const show = () => {
      const at = Number(range.value);
      figures.forEach((f, i) => { f.hidden = i !== at; });
      word.textContent = figures[at].dataset.step + (at === best ? " (best)" : "");
      range.setAttribute("aria-valuetext", "epoch " + word.textContent);
    };
    const chosen = figures.findIndex((f) => f.dataset.step === epoch);
    range.max = String(figures.length - 1);
    range.value = String(chosen < 0 ? first : chosen);
    range.addEventListener("input", () => {
      epoch = Number(range.value) === first ? null : figures[Number(range.value)].dataset.step;
      show();
    });
    range.closest("[hidden]").hidden = false;
    box.classList.add("sliding");
    show();
  }
}

function comparing() {
  const form = document.querySelector("#compare-form:not([data-ready])");
  if (!form) return;
  form.dataset.ready = "";
  form.querySelector(".keys").hidden = false;
  const bar = form.querySelector("#compare-bar");
  const count = bar.querySelector("[data-count]");
  const go = bar.querySelector("button[type=submit]");
  const key = "sweep-compare:" + form.getAttribute("action");
  const ticked = new Set(JSON.parse(store.get(sessionStorage, key) || "[]"));
  const show = () => {
    for (const box of form.querySelectorAll("input[name=trials]")) {
      box.checked = ticked.has(box.value);
      box.closest("tr").classList.toggle("ticked", box.checked);
    }
    bar.classList.toggle("open", ticked.size > 0);
    count.textContent = String(ticked.size);
    go.disabled = ticked.size < 2 || ticked.size > 8;
    bar.querySelector("[data-hint]").textContent =
      ticked.size < 2 ? "selected · tick one more" : ticked.size > 8 ? "selected · at most 8" : "selected";
    store.set(sessionStorage, key, JSON.stringify([...ticked]));
  };
  form.addEventListener("change", (e) => {
    if (e.target.name !== "trials") return;
    if (e.target.checked) ticked.add(e.target.value); else ticked.delete(e.target.value);
    show();
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    location.assign(form.getAttribute("action") + "?trials=" + [...ticked].join(","));
  });
  bar.querySelector("[data-clear]").hidden = false;
  bar.querySelector("[data-clear]").addEventListener("click", () => { ticked.clear(); show(); });
  show();
}

// keys walks the trials from the keyboard: j and k move, x ticks, c compares, Escape clears. They work while nothing or
// something in the table has focus, so that they never take a letter from a field.
function keys() {
  document.addEventListener("keydown", (e) => {
    const form = document.querySelector("#compare-form");
    const at = document.activeElement;
    if (!form || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    if (at && at !== document.body && at.id !== "main" && !form.contains(at)) return;
    const rows = [...form.querySelectorAll("tbody tr[data-state]")];
    const here = rows.indexOf(at?.closest("tbody tr[data-state]"));
    const act = {
      j: () => rows[Math.min(here + 1, rows.length - 1)]?.querySelector("th a").focus(),
      k: () => rows[Math.max(here - 1, 0)]?.querySelector("th a").focus(),
      x: () => rows[here]?.querySelector("input").click(),
      c: () => { const go = form.querySelector("#compare-bar button[type=submit]"); if (!go.disabled) go.click(); },
      Escape: () => form.querySelector("[data-clear]").click(),
    }[e.key];
    if (!act) return;
    e.preventDefault();
    act();
  });
}

function content() {
  copying();
  slider();
  comparing();
}

theme();
dialogs();
keys();
content();
document.addEventListener("sweep:content", content);
