"use strict";
// Without this the page is the same, as of when it was loaded. With it, what
// changed is put in its place: what is open stays open, focus and scroll stay.
(() => {
  const root = document.body.dataset.root;
  const search = document.querySelector("#_search");

  // Earlier messages link to /#TOPOLOGY.
  const follow = () => {
    const row = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (row && row.matches(".rows tr")) location.replace(`${root}topologies/${encodeURIComponent(row.id)}`);
  };
  follow();
  addEventListener("hashchange", follow);

  // morph makes one node like another, and keeps what is already so.
  const morph = (now, next) => {
    if (now.isEqualNode(next)) return;
    if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName) return now.replaceWith(next);
    if (now.nodeType !== Node.ELEMENT_NODE) { now.nodeValue = next.nodeValue; return; }
    for (const a of [...now.attributes]) if (!next.hasAttribute(a.name) && a.name !== "open") now.removeAttribute(a.name);
    for (const a of next.attributes) if (now.getAttribute(a.name) !== a.value) now.setAttribute(a.name, a.value);
    if (now === search && now !== document.activeElement) now.value = next.value;
    const known = new Map(), wanted = new Set([...next.children].map((child) => child.id));
    for (const child of [...now.children]) {
      if (child.id && wanted.has(child.id)) known.set(child.id, child);
      else if (child.id) child.remove();
    }
    let at = now.firstChild;
    for (const child of [...next.childNodes]) {
      const same = child.id ? known.get(child.id) : at && !at.id && at.nodeName === child.nodeName ? at : null;
      if (!same) { now.insertBefore(child, at); continue; }
      if (same === at) at = at.nextSibling; else now.insertBefore(same, at);
      known.delete(child.id);
      morph(same, child);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  };

  // A page that takes long to make and to show is asked for less often.
  let busy = false, again = false, rest = 0, due;
  const changed = () => {
    clearTimeout(due);
    due = setTimeout(refresh, Math.max(0, rest - performance.now()));
  };
  const refresh = async () => {
    if (busy || document.hidden) { again = true; return; }
    busy = true; again = false;
    const began = performance.now();
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.ok || answer.status === 404) {
        const focus = document.activeElement;
        document.title = page.title;
        for (const part of ["header", "main", "footer"]) {
          const now = document.querySelector(part), next = page.querySelector(part);
          if (now && next) morph(now, next);
        }
        if (focus.isConnected && focus !== document.activeElement) focus.focus({ preventScroll: true });
      }
    } catch { /* the daemon restarts; the next event asks again */ }
    busy = false;
    rest = performance.now() + 10 * (performance.now() - began);
    if (again) changed();
  };
  document.addEventListener("visibilitychange", () => { if (again) refresh(); });

  if (search) {
    const show = (url, push) => {
      history[push ? "pushState" : "replaceState"](null, "", url);
      refresh();
    };
    const find = () => {
      const url = new URL(location.href);
      url.hash = "";
      if (search.value.trim()) url.searchParams.set("q", search.value); else url.searchParams.delete("q");
      show(url, false);
    };
    let typed;
    search.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(find, 150); });
    search.form.addEventListener("submit", (e) => { e.preventDefault(); clearTimeout(typed); find(); });
    document.addEventListener("click", (e) => {
      const link = e.target.closest(".counts a");
      if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      show(link.href, true);
    });
    addEventListener("popstate", () => {
      search.value = new URLSearchParams(location.search).get("q") ?? "";
      refresh();
    });
    // "/" goes to the search; arrows go through the topologies.
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      if (e.key === "/" && e.target !== search) { e.preventDefault(); search.focus(); return; }
      if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
      const links = [...document.querySelectorAll(".rows tbody a")];
      const at = links.indexOf(document.activeElement);
      if (at < 0 && e.target !== search) return;
      e.preventDefault();
      const next = at + (e.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? search : links[Math.min(next, links.length - 1)])?.focus();
    });
  }

  // A page that cannot follow any more says so: nothing on it looks current that is not.
  const lost = document.querySelector("#_lost");
  let silent;
  const listen = () => {
    const events = new EventSource(`${root}events`);
    events.addEventListener("changed", changed);
    events.addEventListener("open", () => {
      clearTimeout(silent);
      silent = undefined;
      lost.hidden = true;
      refresh();
    });
    events.addEventListener("error", () => {
      silent ??= setTimeout(() => { lost.hidden = false; }, 3000);
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000); // a proxy answered
    });
  };
  listen();
})();
