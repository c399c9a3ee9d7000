// Keeps a study's page fresh: rows are replaced where they stand, by id, and never reordered. The stream is closed
// while the tab is hidden, because a browser allows only six connections to a server.

const page = document.querySelector("[data-live]");
const word = document.querySelector("#connection");
let source = null;
let address = page?.dataset.live;
let cursor = page?.dataset.seq;
const changedAt = new WeakMap();

function say(state, text) {
  word.hidden = false;
  word.dataset.state = state;
  word.querySelector("span").textContent = text;
}

function parse(html) {
  const t = document.createElement("template");
  t.innerHTML = html;
  return t.content;
}

// replaceRow swaps only the cells that differ, so that a tick box keeps its tick and focus stays where it is.
function replaceRow(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old) {
    append(fresh);
    return;
  }
  if (old.cells.length !== fresh.cells.length) return;
  old.dataset.state = fresh.dataset.state;
  [...fresh.cells].forEach((cell, i) => {
    const was = old.cells[i];
    if (cell.dataset.keep !== undefined || was.innerHTML === cell.innerHTML) return;
    was.innerHTML = cell.innerHTML;
    was.className = cell.className;
    if (cell.title) was.title = cell.title;
    const now = performance.now();
    if (now - (changedAt.get(was) || -1e9) < 2000) return;
    changedAt.set(was, now);
    was.classList.remove("changed");
    void was.offsetWidth; // restarts the animation
    was.classList.add("changed");
  });
}

// append adds a new trial below the others, where nobody's place is lost.
function append(fresh) {
  const table = document.querySelector(".trials tbody");
  if (!table) { // the first trial of the study: the page has had no table yet
    document.dispatchEvent(new CustomEvent("sweep:reload"));
  } else if (table.rows[0].cells.length === fresh.cells.length) {
    table.append(fresh);
    for (const cell of fresh.cells) if (cell.dataset.keep === undefined) cell.classList.add("changed");
  }
}

function replacePart(html) {
  for (const fresh of [...parse(html).children]) {
    const old = document.getElementById(fresh.id);
    if (!old || old.contains(document.activeElement) && old.dataset.hold !== undefined) continue;
    // Who has scrolled a table sideways, or stands in it, stays there.
    const was = old.querySelector(".table"), table = fresh.querySelector(".table");
    const left = was?.scrollLeft, top = was?.scrollTop, here = was && was === document.activeElement;
    old.replaceWith(fresh);
    if (was && table) {
      table.scrollTo(left, top);
      if (here) table.focus({ preventScroll: true });
    }
  }
}

function open() {
  if (source || !page) return;
  const url = new URL(address, location.href);
  url.searchParams.set("after", cursor);
  source = new EventSource(url);
  source.onopen = () => say("live", "Live");
  source.onerror = () => {
    // A closed source will not try again by itself: the study or the server is gone.
    if (source && source.readyState === EventSource.CLOSED) {
      say("ended", "Ended");
      source = null;
    } else {
      say("waiting", "Reconnecting…");
    }
  };
  const on = (kind, f) => source.addEventListener(kind, (e) => {
    if (e.lastEventId) cursor = e.lastEventId;
    f(e.data);
  });
  on("rows", (html) => {
    // A row only parses inside a table.
    for (const row of parse("<table><tbody>" + html + "</tbody></table>").querySelectorAll("tr")) replaceRow(row);
  });
  on("part", replacePart);
  on("news", (text) => {
    const chip = document.querySelector("#news");
    chip.hidden = false;
    chip.querySelector("span").textContent = text;
  });
  on("stale", () => {
    const chip = document.querySelector("#news");
    if (!chip.hidden) return;
    chip.hidden = false;
    chip.querySelector("span").textContent = chip.dataset.stale;
  });
  on("end", () => {
    close();
    say("ended", "Ended");
    ended = true;
  });
}

let ended = false;

function close() {
  if (!source) return;
  source.close();
  source = null;
}

if (page && word) {
  // Other trials are on the page now: their stream is another one, from the event that the page was made at.
  document.addEventListener("sweep:content", () => {
    if (page.dataset.live === address && page.dataset.seq === cursor) return;
    close();
    address = page.dataset.live;
    cursor = page.dataset.seq;
    ended = false;
    if (!document.hidden) open();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!ended) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (e) => { if (e.persisted && !ended) open(); });
  if (!document.hidden) open();
}
