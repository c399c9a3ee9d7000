// Keeps the reader where they are. A link that only changes how this page is shown (sort, filter, page, scale) replaces
// the content in place, address and history included; a page that says how often it changes is asked again. Without
// this script both are ordinary loads. The other scripts hear of new content by the event "sweep:content".

const main = () => document.querySelector("#main");
let shown = pieces(main()); // the content as the server sent it, before the other scripts touch it
let running = null; // the request under way
let asked = 0; // requests that the reader waits for

function pieces(element) {
  return [...element.children].map((child) => child.outerHTML);
}

async function get(url) {
  running?.abort();
  running = new AbortController();
  const answer = await fetch(url, { signal: running.signal, headers: { Accept: "text/html" } });
  if (!answer.ok || new URL(answer.url).pathname !== new URL(url, location.href).pathname) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// label names a link or button by its words without figures, so that focus finds its successor.
function label(element) {
  return element && main().contains(element) && element !== main() ? element.tagName + element.textContent.replace(/[\d\s]+/g, " ").trim() : "";
}

// adopt shows what was fetched: the whole of it, or only the parts that the server sends otherwise than before.
function adopt(fresh, whole) {
  const old = main(), next = fresh.querySelector("#main");
  if (!next) throw new Error("no content");
  const was = label(document.activeElement), at = document.activeElement?.id;
  const side = old.querySelector(".tall")?.scrollLeft || 0;
  const now = pieces(next);
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of [...next.attributes]) old.setAttribute(name, value);
  if (whole || now.length !== shown.length) {
    old.replaceChildren(...next.children);
  } else {
    // The rest stays, with whatever the reader did to it.
    const children = [...next.children];
    [...old.children].forEach((child, i) => { if (now[i] !== shown[i]) child.replaceWith(children[i]); });
  }
  shown = now;
  document.title = fresh.title;
  for (const id of ["controls", "study-state"]) {
    const here = document.getElementById(id), there = fresh.getElementById(id);
    if (here && there && !here.contains(document.activeElement)) here.replaceWith(there);
  }
  const table = main().querySelector(".tall");
  if (table) table.scrollLeft = side;
  if (was && document.activeElement === document.body) {
    const same = (at && document.getElementById(at)) || [...main().querySelectorAll("a, button, input")].find((e) => label(e) === was);
    same?.focus({ preventScroll: true });
  }
  document.dispatchEvent(new CustomEvent("sweep:content"));
}

async function visit(url, push) {
  const waiting = setTimeout(() => main().setAttribute("aria-busy", "true"), 150);
  asked++;
  try {
    const fresh = await get(url);
    if (push) history.pushState(null, "", url);
    adopt(fresh, true);
  } catch (err) {
    if (err.name !== "AbortError") location.assign(url);
  } finally {
    asked--;
    clearTimeout(waiting);
    main().removeAttribute("aria-busy");
  }
}

document.addEventListener("click", (e) => {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const link = e.target.closest("#main a[href]");
  if (!link || link.hasAttribute("download") || link.target) return;
  const url = new URL(link.getAttribute("href"), location.href); // a link inside a chart has an href of another kind
  if (url.origin !== location.origin || url.pathname !== location.pathname || url.hash) return;
  e.preventDefault();
  visit(url.href, url.href !== location.href);
});

document.addEventListener("sweep:reload", () => visit(location.href, false));

let path = location.pathname;
addEventListener("popstate", () => {
  if (location.pathname === path) visit(location.href, false);
  else location.reload();
});

// A page that says every how many milliseconds it changes; one that has come to rest no longer says so.
const word = document.querySelector("#connection");

function say(state, text) {
  if (!word) return;
  word.hidden = false;
  word.dataset.state = state;
  word.querySelector("span").textContent = text;
}

// Nothing is replaced under a pointer that reads a chart, a text being marked, or a link that was just followed.
function busy() {
  return document.hidden || asked > 0 || main().matches(":has(figure.chart:hover, [data-area]:focus-visible)") || !getSelection().isCollapsed;
}

async function again() {
  const every = Number(main().dataset.refresh);
  if (!every) return;
  if (!busy()) {
    try {
      const url = location.href;
      const fresh = await get(url);
      if (url === location.href && !busy()) adopt(fresh, false);
      if (main().dataset.refresh) say("live", "Live");
      else say("ended", "Ended");
    } catch (err) {
      if (err.name !== "AbortError") say("waiting", "Reconnecting…");
    }
  }
  setTimeout(again, every);
}

if (main().dataset.refresh) {
  say("live", "Live");
  setTimeout(again, Number(main().dataset.refresh));
}
