"use strict";
// Without this the page is the same, as of when it was loaded. With it, what
// changed is put in its place: what is open stays open, focus stays.
(() => {
  let busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch("/", { headers: { Accept: "text/html" } });
      if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the daemon restarts; the next event or poll asks again */ }
    busy = false;
    if (again) { again = false; refresh(); }
  };
  const replace = (page) => {
    const open = new Set([...document.querySelectorAll("details[open]")].map(key));
    const focus = document.activeElement && key(document.activeElement);
    for (const part of ["header", "main", "footer"]) {
      const now = document.querySelector(part), next = page.querySelector(part);
      if (now.innerHTML !== next.innerHTML) now.replaceWith(document.adoptNode(next));
    }
    document.title = page.title;
    for (const d of document.querySelectorAll("details")) d.open = open.has(key(d));
    if (focus && document.activeElement === document.body) {
      [...document.querySelectorAll("a,summary,.scroll")].find((e) => key(e) === focus)?.focus();
    }
  };
  const key = (e) => `${e.closest("article")?.id}/${e.tagName}/${(e.tagName === "DETAILS" ? e.firstElementChild : e).textContent.slice(0, 80)}`;
  const events = new EventSource("/events");
  events.addEventListener("changed", refresh);
  events.addEventListener("open", refresh);
})();
