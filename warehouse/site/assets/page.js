"use strict";
// What every page has: the search, links to copy, tables to sort and filter, and sections that fold
// on a phone. The charts of the main page are loaded when the reader comes near them.
(() => {
  const root = document.documentElement, up = root.dataset.up;
  const $ = (selector, place = document) => place.querySelector(selector);
  const $$ = (selector, place = document) => [...place.querySelectorAll(selector)];
  const make = (tag, values = {}, ...children) => {
    const one = Object.assign(document.createElement(tag), values);
    one.append(...children);
    return one;
  };

  const pending = new Map();
  function load(path) {
    if (!pending.has(path))
      pending.set(path, new Promise((resolve, reject) => {
        document.head.append(make("script", { src: path, async: false, onload: resolve, onerror: reject }));
      }));
    return pending.get(path);
  }

  // --- search ------------------------------------------------------------------------------------
  const PER_KIND = 6;
  const plain = (words) => words.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  function watchSearch(box) {
    const input = $("input", box), list = $("[data-found]", box), status = $("[role=status]", box);
    box.hidden = false;
    let all = null;
    const show = () => {
      const words = plain(input.value).split(/\s+/).filter(Boolean);
      const hits = !words.length || !all ? [] : all.filter((one) => words.every((w) => one.key.includes(w)));
      const shown = ["lab", "model", "claim"].flatMap((kind) => hits.filter((h) => h.kind === kind).slice(0, PER_KIND));
      list.replaceChildren(...shown.map(({ where, name, about }) =>
        make("li", {}, make("a", { href: up + where }, make("span", { textContent: name }), make("small", { textContent: about })))));
      status.textContent = words.length && all ? (shown.length ? String(hits.length) : status.dataset.none) : "";
    };
    const fetchAll = () => load(box.dataset.search).then(() => {
      all ??= SEARCH.map(([kind, where, name, about]) => ({ kind, where, name, about, key: plain(`${name} ${about}`) }));
      show();
    }, () => {});
    input.addEventListener("focus", fetchAll);
    input.addEventListener("input", () => { fetchAll(); });
    box.addEventListener("keydown", (event) => {
      const links = $$("a", list), at = links.indexOf(document.activeElement);
      if (event.key === "Escape") { input.value = ""; show(); input.focus(); }
      if (event.key === "Enter" && event.target === input && links[0]) links[0].click();
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || !links.length) return;
      event.preventDefault();
      (links[at + step] ?? (step < 0 ? input : links[at]))?.focus();
    });
  }

  // --- links -------------------------------------------------------------------------------------
  // The address to pass on: the public one if the page states it.
  const own = () => $("link[rel=canonical]")?.href ?? location.href.replace(/[?#].*/, "");
  async function copy(words, button) {
    try {
      await navigator.clipboard.writeText(words);
    } catch { // not allowed, or a page from a disk
      const field = make("textarea", { value: words, className: "status" });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.dataset.done = "true";
    setTimeout(() => delete button.dataset.done, 2000);
  }

  // --- tables ------------------------------------------------------------------------------------
  const worth = (cell) => cell.dataset.value ?? cell.textContent.trim();
  function compare(a, b, isNumber) {
    if (a === "" || b === "" || a === "–" || b === "–") return (a === "" || a === "–") - (b === "" || b === "–");
    return isNumber ? a - b : a.localeCompare(b, root.lang, { numeric: true });
  }
  function sortable(table) {
    const heads = $$("thead th", table), body = $("tbody", table);
    for (const [i, head] of heads.entries()) {
      const isNumber = head.classList.contains("n");
      const button = make("button", { type: "button", className: "sort", textContent: head.textContent });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const order = before === "descending" ? "ascending" : before === "ascending" ? "descending" : isNumber ? "descending" : "ascending";
        for (const one of heads) one.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        const rows = [...body.rows].map((row) => [worth(row.cells[i]), row]);
        const isEmpty = (value) => value === "" || value === "–";
        rows.sort(([a], [b]) => (isEmpty(a) || isEmpty(b) ? 1 : sign) * compare(a, b, isNumber));
        body.append(...rows.map(([, row]) => row));
      });
    }
  }
  function filtered(input) {
    const rows = [...$(`#${input.dataset.filter} tbody`).rows], shown = $("[data-shown]", input.closest(".find"));
    let keys = null;
    input.closest(".find").hidden = false;
    input.addEventListener("input", () => {
      keys ??= rows.map((row) => plain(row.textContent));
      const words = plain(input.value).split(/\s+/).filter(Boolean);
      let n = 0;
      for (const [i, row] of rows.entries()) {
        row.hidden = !words.every((w) => keys[i].includes(w));
        n += !row.hidden;
      }
      shown.textContent = shown.dataset.shown.replace("{n}", n).replace("{all}", rows.length);
    });
  }

  function watchClaims(form) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", ({ target }) => {
      for (const claim of $$(".ledger > li")) claim.hidden = target.value !== "" && claim.dataset.verdict !== target.value;
    });
  }

  // --- sections that fold on a phone ---------------------------------------------------------------
  const narrow = matchMedia("(max-width: 40rem)");
  function fold(section) {
    const title = $("h2", section);
    section.classList.toggle("foldable", narrow.matches);
    if (!narrow.matches) {
      title.replaceChildren(...($(".fold", title) ?? title).childNodes);
      return;
    }
    const button = make("button", { type: "button", className: "fold", ariaExpanded: "false" }, ...title.childNodes);
    title.replaceChildren(button);
    button.addEventListener("click", () => {
      button.ariaExpanded = String(section.classList.toggle("unfolded"));
      dispatchEvent(new Event("resize")); // charts take the width that they now have
    });
  }
  function reveal() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const section = target.closest(".foldable:not(.unfolded)");
    if (section) $(".fold", section).click();
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    if (section) target.scrollIntoView();
  }

  // --- charts ------------------------------------------------------------------------------------
  // d3, Plot and the data are most of the page's bytes; who only reads the headline needs none.
  const CHARTS = ["d3.min.js", "plot.umd.min.js", `text.${root.lang}.js`, "data.js", "charts.js", "figures.js"];
  const WAKING = ["scroll", "pointermove", "pointerdown", "touchstart", "keydown"];
  function watchCharts(places) {
    const start = () => {
      for (const name of WAKING) removeEventListener(name, start);
      watcher.disconnect();
      return Promise.all(CHARTS.map((name) => load(`${up}page/${name}`)));
    };
    const watcher = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) start(); }, { rootMargin: "200px" });
    for (const place of places) watcher.observe(place);
    for (const name of WAKING) addEventListener(name, start, { passive: true });
    if (location.search || location.hash || !places.length) start();
  }

  globalThis.OBSERVATORY_PAGE = { $, $$, make, own, copy };
  if ($("[data-search]")) watchSearch($("[data-search]"));
  for (const table of $$("[data-sorts]")) sortable(table);
  for (const input of $$("[data-filter]")) filtered(input);
  if ($("[data-claims]")) watchClaims($("[data-claims]"));
  for (const place of $$("[data-link]")) {
    const button = make("button", { type: "button", textContent: place.dataset.copy });
    button.dataset.said = place.dataset.copied;
    button.addEventListener("click", () => copy(own(), button));
    place.append(button);
  }
  const charts = $$("[data-plot]"), embed = $("[data-embed]");
  if (!embed) {
    const foldAll = () => $$("main > section:not(.lead)").forEach(fold);
    if (narrow.matches) foldAll();
    narrow.addEventListener("change", foldAll);
    addEventListener("hashchange", reveal);
    reveal();
  }
  addEventListener("beforeprint", () => $$("details").forEach((one) => { one.open = true; }));
  if (charts.length || embed) watchCharts(charts);
  else root.dataset.ready = "true";
})();
