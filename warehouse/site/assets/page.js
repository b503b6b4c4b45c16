"use strict";
// Shows what the reader selects. This file computes no numbers.
(() => {
  const data = OBSERVATORY;
  const $ = (selector, root = document) => root.querySelector(selector);
  const { text, of, country, integer, percent, interval, day } = format;

  // All texts become text nodes, so markup in a name from a source is never interpreted.
  function cell(value, { tag = "td", scope = "row", number = false, lang = "" } = {}) {
    const one = document.createElement(tag);
    if (tag === "th") one.scope = scope;
    if (number) one.className = "n";
    if (lang) one.lang = lang;
    one.textContent = value;
    return one;
  }
  function fill(body, rows) {
    body.replaceChildren(...rows.map((cells) => {
      const row = document.createElement("tr");
      row.append(...cells);
      return row;
    }));
  }
  function head(table, names) {
    const row = document.createElement("tr");
    row.append(...names.map((name, i) => cell(name, { tag: "th", scope: "col", number: i > 0 })));
    $("thead", table).replaceChildren(row);
  }

  // Drawings are stored as functions of the width, to redraw them when the window is resized.
  const drawings = new Map();
  function show(figure, draw, summary) {
    if (!figure) return;
    const place = $("[data-plot]", figure);
    drawings.set(place, draw);
    place.setAttribute("aria-label", `${$("h3", figure).textContent}. ${summary}`);
    place.removeAttribute("aria-labelledby");
    paint(place);
  }
  function paint(place) {
    const width = Math.max(Math.floor(place.getBoundingClientRect().width), 280);
    const drawn = drawings.get(place)(width);
    place.replaceChildren(typeof drawn === "string" ? note(drawn) : drawn);
  }
  const note = (words) =>
    Object.assign(document.createElement("p"), { className: "nothing", textContent: words });

  function onChange(form, react) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => react(event.target));
  }

  // data.js stores records as one list of field names and rows of values.
  const unpacked = (table) =>
    (table?.rows ?? []).map((row) => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));

  // --- shares ------------------------------------------------------------------------------------
  const shares = data.shares;
  const chosen = { ...shares.default };
  const label = (kind, row) =>
    kind === "country" ? country(row.id, row.name)
    : ["unexamined", "none"].includes(row.id) ? of(kind, row.id) : row.name;

  function definitionText(kind, found) {
    const names = Object.fromEntries(Object.entries(chosen).map(([choice, value]) => [choice, of(choice, value)]));
    const when = day(shares.days.at(-1));
    const lineage = found?.lineage == null ? "" : " " + text("definition.lineage", { share: percent(found.lineage) });
    const panel = !shares.panel.total || shares.panel.id === "whole_hub" ? ""
      : " " + text("definition.panel", { n: integer(shares.panel.models), total: integer(shares.panel.total) });
    if (kind !== "country") return text("definition.without_credit", { ...names, day: when }) + panel + lineage;
    const missing = found?.n_models_without_counter;
    return text("definition", { ...names, day: when, n: integer(found?.n_models_population ?? 0) }) +
      (missing ? " " + text("definition.missing", { count: missing, n: integer(missing) }) : "") + panel + lineage;
  }

  function drawShares() {
    for (const kind of ["country", "lab", "family"]) {
      const key = [chosen.population, chosen.metric, chosen.attribution, ...(kind === "country" ? [chosen.credit] : [])].join("|");
      const found = shares[kind][key];
      const about = definitionText(kind, found);
      for (const figure of document.querySelectorAll(`#${kind}-now, #${kind}-time`)) $(".definition", figure).textContent = about;
      drawNow(kind, found);
      drawTime(kind, found);
    }
  }

  // The reason why there is nothing to draw.
  const emptyText = (found) => text(found?.missing ? `shares.missing.${found.missing}` : "shares.empty");

  function drawNow(kind, found) {
    const figure = $(`#${kind}-now`);
    const ranges = kind === "country" ? shares.range[chosen.metric] ?? {} : {};
    const rows = unpacked(found?.now).map((row) => {
      const range = ranges[row.id];
      const name = label(kind, row);
      const tip = [`${name}: ${percent(row.share)}`];
      if (row.upper != null) tip.push(`${text("column.bounds")}: ${interval(row.lower, row.upper)}`);
      if (range) tip.push(`${text("column.range")}: ${interval(range.lowest, range.highest)}`);
      return { ...row, label: name, lowest: range?.lowest, highest: range?.highest, tip: tip.join("\n") };
    });
    fill($("[data-now] tbody", figure), rows.map((row) => [
      cell(row.label, { tag: "th" }),
      cell(percent(row.share), { number: true }),
      ...(kind === "country" ? [cell(interval(row.lower, row.upper), { number: true }), cell(interval(row.lowest, row.highest), { number: true })] : []),
      ...(kind === "lab" ? [cell(country(row.country))] : []),
      cell(integer(row.n), { number: true }),
    ]));
    const summary = rows.slice(0, 3).map((r) => `${r.label} ${percent(r.share)}`).join(", ") || emptyText(found);
    show(figure, (width) => (rows.length ? charts.now(rows, width) : emptyText(found)), summary);
  }

  // Whether a day is the first day of a new panel.
  const startsPanel = (d) => {
    const i = shares.days.indexOf(d);
    return i > 0 && shares.panels[i] !== shares.panels[i - 1];
  };

  function drawTime(kind, found) {
    const figure = $(`#${kind}-time`);
    const names = new Map(unpacked(found?.now).map((row) => [row.id, label(kind, row)]));
    const series = Object.entries(found?.series ?? {}).map(([id, [share, lower, upper]]) => ({
      id, label: names.get(id) ?? id,
      points: share.map((y, i) => ({ x: charts.utc(shares.days[i]), y, lower: (lower ?? share)[i], upper: upper?.[i], part: shares.panels[i] })),
    }));
    const seen = shares.days.filter((_, i) => series.some((s) => s.points[i].y != null));
    const table = $("[data-time]", figure);
    const sizes = kind === "country" ? found?.sizes : null;
    head(table, [text("column.date"), ...series.map((s) => s.label), ...(sizes ? [text("column.observed")] : [])]);
    fill($("tbody", table), seen.toReversed().map((d) => [
      cell(day(d) + (startsPanel(d) ? ` ${text("shares.new_panel")}` : ""), { tag: "th" }),
      ...series.map((s) => cell(percent(s.points[shares.days.indexOf(d)].y), { number: true })),
      ...(sizes ? [cell(integer(sizes[shares.days.indexOf(d)]), { number: true })] : []),
    ]));
    const reason = seen.length ? text("shares.one_day") : emptyText(found);
    const summary = seen.length > 1 ? `${day(seen[0])} – ${day(seen.at(-1))}: ` + series.map((s) => s.label).join(", ") : reason;
    show(figure, (width) => (seen.length > 1 ? charts.lines(series, width) : reason), summary);
  }

  function watchSwitch(form) {
    onChange(form, (input) => {
      choose(input.name, input.value);
      drawShares();
      $("[data-status]").textContent = text("shares.now_shows", { definition: $("#country-now .definition").textContent });
    });
  }
  function choose(name, value) {
    chosen[name] = value;
    $(`[data-about="${name}"]`).textContent = text(`${name}.${value}.about`);
    // The link to the other language keeps the definition.
    for (const link of document.querySelectorAll("[data-language]")) link.search = new URLSearchParams(chosen).toString();
  }
  function readAddress(form) {
    for (const [name, value] of new URLSearchParams(location.search)) {
      const input = [...form.elements].find((one) => one.name === name && one.value === value);
      if (input) { input.checked = true; choose(name, value); }
    }
  }

  // --- rankings ----------------------------------------------------------------------------------
  const boards = Object.fromEntries(Object.entries(data.arena.boards).map(([name, board]) =>
    [name, { ...board, countries: unpacked(board.countries), labs: unpacked(board.labs) }]));
  const dated = (d) => `, ${day(d)}`;

  function drawGaps() {
    const names = [], gaps = [], lags = [], certainty = new Map();
    for (const option of $("[data-board] [name=board]").options) {
      const board = boards[`${option.value}|overall`];
      if (!board) continue;
      const name = of("board", option.value);
      names.push(name);
      const best = board.countries[0];
      certainty.set(name, `${best.id} ${percent(best.first)}`);
      const named = board.countries.filter((row) => !["ZZ", "XX"].includes(row.id)).slice(0, 4);
      for (const [i, row] of named.entries()) {
        const who = `${country(row.id, row.name)}: ${row.model}`;
        gaps.push({ code: row.id, label: name, x: row.win, tip: `${who}\n${text("column.win")}: ${percent(row.win)}\n${text("column.first")}: ${percent(row.first)}\n${name}${dated(board.day)}` });
        if (row.lag == null || i > 2) continue;
        lags.push({ code: row.id, label: name, x: row.lag, lower: row.lag_lower, upper: row.lag_upper, censored: row.censored,
          tip: `${who}\n${text("column.lag")}: ${row.censored ? "≥ " : ""}${text("days", { count: row.lag, n: integer(row.lag) })} (${integer(row.lag_lower)} … ${integer(row.lag_upper)})\n${text("column.before")}: ${country(row.before)}${dated(row.since)}` });
      }
    }
    const maxGap = Math.max(...gaps.map((g) => g.x), 600);
    show($("#gap"), (width) => charts.codes(gaps, names, width, { domain: [490, maxGap + 15], axis: format.whole, reference: 500, aside: certainty }),
      [...certainty].map(([name, value]) => `${name}: ${value}`).join("; "));
    const maxLag = Math.max(...lags.map((l) => l.upper ?? l.x), 30);
    show($("#lag"), (width) => (lags.length ? charts.codes(lags, names, width, { domain: [0, maxLag * 1.06], axis: integer }) : text("nothing")),
      lags.map((l) => `${l.label}: ${l.code} ${l.censored ? "≥ " : ""}${integer(l.x)}`).join("; "));
  }

  const rank = (row) => (row.tied > 1 ? `${integer(row.rank)}=` : integer(row.rank));
  const wins = (row) => (row.rank === 1 ? text("leads") : percent(row.win));
  const first = (row) => (row.first == null ? of("first", row.why) : percent(row.first));
  const rating = (row) => integer(row.rating) + (row.lower == null ? "" : ` (${integer(row.lower)}–${integer(row.upper)})`);
  const lag = (row) => (row.lag == null ? "–" : `${row.censored ? "≥ " : ""}${text("days", { count: row.lag, n: integer(row.lag) })}`);

  function drawBoard(form) {
    const board = form.elements.board.value, category = form.elements.category.value;
    const found = boards[`${board}|${category}`];
    $("[data-board-title]").textContent = text("board.title", { board: of("board", board), category: of("category", category) });
    $("[data-board-about]").textContent = text("board.about", { day: day(found.day), n: integer(found.n_models) });
    fill($("[data-board-countries] tbody"), found.countries.map((row) => [
      cell(rank(row), { number: true }), cell(country(row.id, row.name), { tag: "th" }), cell(row.model, { lang: "en" }),
      ...[rating(row), wins(row), first(row), lag(row)].map((value) => cell(value, { number: true })),
      cell(row.open_model ? `${row.open_model} (${integer(row.open_rank)})` : "–", { lang: "en" }),
    ]));
    fill($("[data-board-labs] tbody"), found.labs.map((row) => [
      cell(rank(row), { number: true }), cell(row.name, { tag: "th" }), cell(country(row.country)), cell(row.model, { lang: "en" }),
      ...[rating(row), wins(row), first(row)].map((value) => cell(value, { number: true })),
    ]));
    drawHistory(board);
  }

  function drawHistory(board) {
    const figure = $("#gap-time"), history = data.arena.history[board];
    $(".definition", figure).textContent = `${of("board", board)}. ${text("gaptime.about")}`;
    const series = Object.entries(history?.countries ?? {}).map(([code, values]) => ({
      id: code, label: country(code),
      points: values.map((v, i) => ({ x: charts.utc(history.days[i]), y: v?.[0], part: v?.[1] })).filter((p) => p.y != null),
    }));
    const table = $("[data-gap-time]", figure);
    head(table, [text("column.date"), ...series.map((s) => s.label)]);
    fill($("tbody", table), (history?.days ?? []).map((d, i) => [
      cell(day(d), { tag: "th" }),
      ...Object.values(history.countries).map((values) => cell(percent(values[i]?.[0]), { number: true })),
    ]).toReversed());
    const enough = (history?.days.length ?? 0) > 1;
    const top = Math.max(...series.flatMap((s) => s.points.map((p) => p.y)), 560);
    show(figure, (width) => (enough ? charts.lines(series, width, { low: 490, high: top + 15 }) : text("nothing")),
      series.map((s) => `${s.label} ${percent(s.points.at(-1)?.y)}`).join(", "));
  }

  function watchBoard(form) {
    const listCategories = () => {
      const board = form.elements.board.value, current = form.elements.category.value;
      const names = Object.keys(boards).filter((k) => k.startsWith(board + "|")).map((k) => k.slice(board.length + 1));
      names.sort((a, b) => (b === "overall") - (a === "overall") || of("category", a).localeCompare(of("category", b), WORDS.locale));
      form.elements.category.replaceChildren(...names.map((n) => new Option(of("category", n), n, false, n === current)));
    };
    onChange(form, (input) => { if (input.name === "board") listCategories(); drawBoard(form); });
    listCategories();
    drawBoard(form);
  }

  // --- trending and notable models ---------------------------------------------------------------
  function drawTrending(figure) {
    const { days, places } = data.trending;
    const rows = Object.entries(places).flatMap(([attribution, by]) => Object.entries(by).flatMap(([code, n]) =>
      n.map((value, i) => ({ attribution: of("attribution", attribution), code, label: country(code), x: charts.utc(days[i]), value }))));
    const summary = Object.entries(places).map(([a, by]) => `${of("attribution", a)}: ` +
      Object.entries(by).map(([code, n]) => `${country(code)} ${n.at(-1)}`).join(", ")).join("; ");
    show(figure, (width) => charts.places(rows, days, width), summary);
  }

  function drawNotable(figure) {
    const select = $("[data-source]", figure), { years, counts } = data.notable;
    const draw = () => {
      const found = counts[select.value];
      const series = Object.entries(found).map(([code, n]) => ({
        id: code, label: country(code), points: n.map((y, i) => ({ x: charts.utc(`${years[i]}-01-01`), y })),
      }));
      const table = $("[data-counts]", figure);
      head(table, [text("column.year"), ...series.map((s) => s.label)]);
      fill($("tbody", table), years.map((year, i) => [cell(String(year), { tag: "th" }),
        ...Object.values(found).map((n) => cell(integer(n[i]), { number: true }))]).toReversed());
      show(figure, (width) => charts.lines(series, width, { unit: integer, axis: integer, when: (d) => String(d.getUTCFullYear()), tick: (d) => String(d.getUTCFullYear()) }),
        series.map((s) => `${s.label} ${integer(s.points.findLast((p) => p.y != null)?.y)}`).join(", "));
    };
    select.addEventListener("change", draw);
    draw();
  }

  // --- claims ------------------------------------------------------------------------------------
  function watchClaims(form) {
    onChange(form, ({ value }) => {
      for (const claim of document.querySelectorAll(".ledger > li"))
        claim.hidden = value !== "" && claim.dataset.verdict !== value;
    });
  }

  // --- start -------------------------------------------------------------------------------------
  const form = $("[data-switch]");
  if (form) { readAddress(form); watchSwitch(form); drawShares(); }
  const board = $("[data-board]");
  if (board) { drawGaps(); watchBoard(board); }
  if ($("[data-claims]")) watchClaims($("[data-claims]"));
  if ($("#trending-time")) drawTrending($("#trending-time"));
  if ($("#notable")) drawNotable($("#notable"));

  let pending = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => drawings.forEach((_, place) => paint(place)));
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  document.documentElement.dataset.ready = "true";
})();
