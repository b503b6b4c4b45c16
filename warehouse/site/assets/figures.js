"use strict";
// The charts, their tables, and the view that the reader chooses. This file computes no numbers.
(() => {
  const data = OBSERVATORY, root = document.documentElement;
  const { $, $$, make, own, copy } = OBSERVATORY_PAGE;
  const { text, of, country, lab, integer, percent, interval, day } = format;
  const embed = $("[data-embed]");

  // --- the chosen view, kept in the address ------------------------------------------------------
  const shares = data.shares, CHOICES = Object.keys(shares.default);
  const boardNames = [...new Set(Object.keys(data.arena.boards).map((key) => key.split("|")[0]))];
  const firstBoard = $("[data-board] [name=board]")?.value ?? boardNames[0] ?? "";
  const DEFAULT = { ...shares.default, country: "", board: firstBoard, category: "overall", source: "epoch" };
  const view = { ...DEFAULT };
  const isKnown = {
    ...Object.fromEntries(CHOICES.map((name) => [name, (value) => shares.choices[name].includes(value)])),
    country: (value) => Object.hasOwn(WORDS.countries, value),
    board: (value) => boardNames.includes(value),
    category: (value) => Object.hasOwn(data.arena.boards, `${asked.get("board") ?? DEFAULT.board}|${value}`),
    source: (value) => data.notable.sources?.includes(value),
  };
  const asked = new URLSearchParams(location.search);
  for (const [name, value] of asked) if (Object.hasOwn(isKnown, name) && isKnown[name](value)) view[name] = value;

  const changed = () => new URLSearchParams(Object.entries(view).filter(([name, value]) => value !== DEFAULT[name]));
  const query = (more = {}) => {
    const said = new URLSearchParams([...Object.entries(more), ...changed()]).toString();
    return said && `?${said}`;
  };
  const page = () => embed ? new URL(embed.dataset.page, own()).href : own();
  const linkOf = (id) => `${page()}${query()}#${id}`;
  function keepView() {
    try {
      if (!embed) history.replaceState(null, "", (query() || location.pathname) + location.hash);
    } catch { /* some browsers refuse for pages from a disk */ }
    for (const link of $$("[data-language]")) link.search = changed().toString();
    for (const figure of $$("figure[id]")) {
      const link = $(".tools a", figure);
      if (link) link.href = linkOf(figure.id);
    }
  }

  // --- cells: what a table shows, and what a CSV file says ---------------------------------------
  // All texts become text nodes, so markup in a name from a source is never interpreted.
  const part = (thousandths) => thousandths == null ? ""
    : thousandths > 0 && thousandths < 1 ? "<0.001" : thousandths > 999 && thousandths < 1000 ? ">0.999" : thousandths / 1000;
  const words = (value, more = {}) => ({ text: value, raw: [value], ...more });
  const count = (n) => ({ text: integer(n), raw: [n ?? ""], isNumber: true });
  const rate = (n) => ({ text: percent(n), raw: [part(n)], isNumber: true });
  const range = (a, b) => ({ text: interval(a, b), raw: [part(a), part(b)], isNumber: true });
  const date = (d, note = "") => ({ text: day(d) + note, raw: [d], tag: "th" });
  const labCell = (id, name, more = {}) => {
    const file = root.lang === "en" ? `labs/${id}.html` : `labs/${id}.${root.lang}.html`;
    return words(["unexamined", "none"].includes(id) ? of("lab", id) : lab(id, name), { href: data.pages.includes(id) ? file : null, ...more });
  };

  function drawn(cell) {
    const one = make(cell.tag ?? "td", { className: cell.isNumber ? "n" : "" });
    if (cell.tag === "th") one.scope = "row";
    if (cell.lang) one.lang = cell.lang;
    one.append(cell.href ? make("a", { href: cell.href, textContent: cell.text }) : cell.text);
    return one;
  }
  function fill(table, names, rows) {
    if (names) $("thead", table).replaceChildren(make("tr", {}, ...names.map((name, i) =>
      make("th", { scope: "col", className: rows[0]?.[i]?.isNumber ? "n" : "", textContent: name }))));
    $("tbody", table).replaceChildren(...rows.map((cells) => make("tr", {}, ...cells.map(drawn))));
  }

  // --- figures -----------------------------------------------------------------------------------
  const heading = (figure) => $("figcaption :is(h2, h3)", figure);
  // Drawings are functions of the width, to redraw them when the window is resized.
  const drawings = new Map();
  // about: the definition; names and rows: the table; draw: the chart, or a sentence if there is none.
  function show(id, { title = null, about = null, names, rows, draw, summary }) {
    const figure = document.getElementById(id);
    if (!figure) return;
    if (title != null) heading(figure).textContent = title;
    if (about != null) $(".definition", figure).textContent = about;
    fill($("table", figure), names, rows);
    const place = $("[data-plot]", figure);
    place.setAttribute("aria-label", `${heading(figure).textContent}. ${summary}`);
    place.removeAttribute("aria-labelledby");
    drawings.set(figure, { draw, names, rows });
    paint(figure);
    if (!$(".tools", figure)) $("figcaption", figure).after(tools(figure));
  }
  function paint(figure) {
    const place = $("[data-plot]", figure);
    const width = Math.max(Math.floor(place.getBoundingClientRect().width), 280);
    const chart = drawings.get(figure).draw(width);
    if (typeof chart === "string") {
      place.replaceChildren(make("p", { className: "nothing", textContent: chart }));
      return;
    }
    // The label of the figure says what the chart shows; Plot's own labels stand on parts without a role.
    for (const one of [chart, ...chart.querySelectorAll("*")])
      for (const name of ["aria-label", "aria-description"]) one.removeAttribute(name);
    place.replaceChildren(chart);
  }

  // --- link, data, picture and code of a figure ----------------------------------------------------
  function tools(figure) {
    const button = (key, react) => {
      const one = make("button", { type: "button", textContent: text(key) });
      one.dataset.said = text("tools.copied");
      one.addEventListener("click", () => react(one));
      return one;
    };
    const link = make("a", { href: linkOf(figure.id), textContent: text("tools.link") });
    if (embed) { link.target = "_blank"; link.rel = "noopener"; link.textContent = text("tools.source"); return make("div", { className: "tools" }, link); }
    return make("div", { className: "tools" }, link,
      button("tools.copy", (one) => copy(linkOf(figure.id), one)),
      button("tools.csv", () => save(`${figure.id}.csv`, csvOf(figure), "text/csv")),
      button("tools.svg", () => save(`${figure.id}.svg`, pictureOf(figure).svg, "image/svg+xml")),
      button("tools.png", () => savePng(figure)),
      button("tools.embed", (one) => copy(embedOf(figure), one)));
  }
  function save(name, content, type) {
    const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: `${type};charset=utf-8` }));
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
  const sourceLine = () => text("tools.sourceline", { release: data.about.release, day: day(data.about.as_of) });
  const caption = (figure) => ({ title: heading(figure).textContent, about: $(".definition", figure).textContent });

  // A text that a spreadsheet would run as a formula is quoted.
  const field = (value) => {
    const said = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(said) ? `"${said.replaceAll('"', '""')}"` : said;
  };
  function csvOf(figure) {
    const { names, rows } = drawings.get(figure), { title, about } = caption(figure);
    const heads = names ?? $$("thead th", figure).map((one) => one.textContent);
    const wide = heads.map((_, i) => Math.max(...rows.map((row) => row[i]?.raw.length ?? 1), 1));
    const head = heads.flatMap((name, i) => (wide[i] === 1 ? [name] : [`${name} (${text("csv.lowest")})`, `${name} (${text("csv.highest")})`]));
    const lines = rows.map((row) => [...row.flatMap((cell) => cell.raw), title, about, data.about.release, linkOf(figure.id)]);
    const all = [[...head, text("csv.chart"), text("csv.definition"), text("csv.release"), text("csv.link")], ...lines];
    return "\ufeff" + all.map((line) => line.map(field).join(",")).join("\r\n") + "\r\n";
  }
  function embedOf(figure) {
    const file = root.lang === "en" ? "embed.html" : `embed.${root.lang}.html`;
    const frame = make("iframe", { src: new URL(file, page()).href + query({ chart: figure.id }), title: caption(figure).title, width: "100%", height: "520", loading: "lazy" });
    return frame.outerHTML;
  }

  const STYLES = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];
  function wrapped(words, width, font) {
    const pen = document.createElement("canvas").getContext("2d"), lines = [""];
    pen.font = font;
    for (const word of words.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (pen.measureText(longer).width > width && lines.at(-1)) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines;
  }
  // The chart with its title, definition, source and date, and without styles of the page.
  function pictureOf(figure) {
    const chart = $("[data-plot] > svg", figure), { title, about } = caption(figure);
    const width = +chart.getAttribute("width") + 32, inside = +chart.getAttribute("height");
    const style = getComputedStyle(root), paper = style.getPropertyValue("--paper"), ink = style.getPropertyValue("--ink"), soft = style.getPropertyValue("--soft");
    const family = getComputedStyle(document.body).fontFamily;
    const copied = chart.cloneNode(true);
    const originals = [chart, ...chart.querySelectorAll("*")];
    for (const [i, one] of [copied, ...copied.querySelectorAll("*")].entries()) {
      const seen = getComputedStyle(originals[i]);
      for (const name of STYLES) one.setAttribute(name, seen.getPropertyValue(name));
    }
    for (const one of copied.querySelectorAll("style, [aria-hidden=true] > style")) one.remove();
    const rows = [
      ...wrapped(title, width - 32, `600 20px ${family}`).map((line) => ({ line, size: 20, weight: 600, color: ink, gap: 26 })),
      ...wrapped(about, width - 32, `13px ${family}`).map((line) => ({ line, size: 13, weight: 400, color: soft, gap: 18 })),
    ];
    const foot = wrapped(sourceLine(), width - 32, `12px ${family}`).map((line) => ({ line, size: 12, weight: 400, color: soft, gap: 16 }));
    let y = 12;
    const written = (list) => list.map(({ line, size, weight, color, gap }) => {
      y += gap;
      const one = document.createElementNS("http://www.w3.org/2000/svg", "text");
      for (const [name, value] of Object.entries({ x: 16, y, fill: color, "font-size": size, "font-weight": weight, "font-family": family })) one.setAttribute(name, value);
      one.textContent = line;
      return one;
    });
    const whole = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    whole.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    whole.append(ground, ...written(rows));
    copied.setAttribute("x", 16);
    copied.setAttribute("y", y + 12);
    y += 12 + inside;
    whole.append(copied, ...written(foot));
    const height = y + 16;
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) whole.setAttribute(name, value);
    for (const [name, value] of Object.entries({ width, height, fill: paper })) ground.setAttribute(name, value);
    return { svg: new XMLSerializer().serializeToString(whole), width, height };
  }
  async function pngOf(figure) {
    const { svg, width, height } = pictureOf(figure), picture = new Image();
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
    await picture.decode();
    const canvas = make("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
  const savePng = async (figure) => save(`${figure.id}.png`, await pngOf(figure), "image/png");

  // --- shares ------------------------------------------------------------------------------------
  // data.js stores records as one list of field names and rows of values.
  const unpacked = (table) =>
    (table?.rows ?? []).map((row) => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));
  const label = (kind, row) =>
    kind === "country" ? country(row.id, row.name)
    : ["unexamined", "none"].includes(row.id) ? of(kind, row.id) : kind === "lab" ? lab(row.id, row.name) : row.name;
  // The country whose color a row has; families have none.
  const codeOf = (kind, row) => (kind === "country" ? row.id : kind === "lab" ? row.country ?? "XX" : undefined);
  const foundFor = (kind) =>
    shares[kind][[view.population, view.metric, view.attribution, ...(kind === "country" ? [view.credit] : [])].join("|")];

  function definitionText(kind, found) {
    const names = Object.fromEntries(CHOICES.map((choice) => [choice, of(choice, view[choice])]));
    const when = day(shares.days.at(-1));
    const lineage = found?.lineage == null ? "" : " " + text("definition.lineage", { share: percent(found.lineage) });
    const panel = !shares.panel.total || shares.panel.id === "whole_hub" ? ""
      : " " + text("definition.panel", { n: integer(shares.panel.models), total: integer(shares.panel.total) });
    if (kind !== "country") return text("definition.without_credit", { ...names, day: when }) + panel + lineage;
    const missing = found?.n_models_without_counter;
    return text("definition", { ...names, day: when, n: integer(found?.n_models_population ?? 0) }) +
      (missing ? " " + text("definition.missing", { count: missing, n: integer(missing) }) : "") + panel + lineage;
  }
  // The reason why there is nothing to draw.
  const emptyText = (found) => text(found?.missing ? `shares.missing.${found.missing}` : "shares.empty");

  const KINDS = ["country", "lab", "family"];
  function drawShares() {
    for (const kind of KINDS) {
      const found = foundFor(kind), about = definitionText(kind, found);
      drawNow(kind, found, about);
      drawTime(kind, found, about);
    }
    sayChosen();
  }

  function drawNow(kind, found, about) {
    const ranges = kind === "country" ? shares.range[view.metric] ?? {} : {};
    const rows = unpacked(found?.now).map((row) => {
      const range = ranges[row.id], name = label(kind, row);
      const tip = [`${name}: ${percent(row.share)}`];
      if (row.upper != null) tip.push(`${text("column.bounds")}: ${interval(row.lower, row.upper)}`);
      if (range) tip.push(`${text("column.range")}: ${interval(range.lowest, range.highest)}`);
      return { ...row, code: codeOf(kind, row), label: name, lowest: range?.lowest, highest: range?.highest, tip: tip.join("\n") };
    });
    const more = { country: [text("column.bounds"), text("column.range")], lab: [text("kind.country")], family: [] }[kind];
    show(`${kind}-now`, {
      about,
      names: [text(`kind.${kind}`), text("column.share"), ...more, text("column.models")],
      rows: rows.map((row) => [
        kind === "lab" ? labCell(row.id, row.name, { tag: "th" }) : words(row.label, { tag: "th" }),
        rate(row.share),
        ...(kind === "country" ? [range(row.lower, row.upper), range(row.lowest, row.highest)] : []),
        ...(kind === "lab" ? [words(country(row.country))] : []),
        count(row.n),
      ]),
      draw: (width) => (rows.length ? charts.now(rows, width, view.country) : emptyText(found)),
      summary: rows.slice(0, 3).map((r) => `${r.label} ${percent(r.share)}`).join(", ") || emptyText(found),
    });
  }

  // Whether a day is the first day of a new panel.
  const startsPanel = (d) => {
    const i = shares.days.indexOf(d);
    return i > 0 && shares.panels[i] !== shares.panels[i - 1];
  };
  function drawTime(kind, found, about) {
    const named = new Map(unpacked(found?.now).map((row) => [row.id, row]));
    const series = Object.entries(found?.series ?? {}).map(([id, [share, lower, upper]]) => ({
      id, code: codeOf(kind, named.get(id) ?? { id }), label: named.has(id) ? label(kind, named.get(id)) : id,
      points: share.map((y, i) => ({ x: charts.utc(shares.days[i]), y, lower: (lower ?? share)[i], upper: upper?.[i], part: shares.panels[i] })),
    }));
    const seen = shares.days.filter((_, i) => series.some((s) => s.points[i].y != null));
    const sizes = kind === "country" ? found?.sizes : null;
    const reason = seen.length ? text("shares.one_day") : emptyText(found);
    show(`${kind}-time`, {
      about,
      names: [text("column.date"), ...series.map((s) => s.label), ...(sizes ? [text("column.observed")] : [])],
      rows: seen.toReversed().map((d) => [
        date(d, startsPanel(d) ? ` ${text("shares.new_panel")}` : ""),
        ...series.map((s) => rate(s.points[shares.days.indexOf(d)].y)),
        ...(sizes ? [count(sizes[shares.days.indexOf(d)])] : []),
      ]),
      draw: (width) => (seen.length > 1 ? charts.lines(series, width, { focus: view.country }) : reason),
      summary: seen.length > 1 ? `${day(seen[0])} – ${day(seen.at(-1))}: ` + series.map((s) => s.label).join(", ") : reason,
    });
  }

  // The chosen country's own share in words.
  function sayChosen() {
    const place = $("[data-chosen]");
    if (!place) return;
    const rows = unpacked(foundFor("country")?.now), row = rows.find((one) => one.id === view.country);
    place.textContent = !view.country ? "" : !row ? text("chosen.not_listed", { country: country(view.country) })
      : text("chosen.share", { country: label("country", row), share: percent(row.share), interval: interval(row.lower, row.upper), place: integer(rows.indexOf(row) + 1) });
  }

  function watchSwitch(form) {
    for (const input of form.elements)
      if (input.type === "radio") input.checked = view[input.name] === input.value;
      else if (input.name === "country") input.value = view.country;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", ({ target }) => {
      view[target.name] = target.value;
      describe();
      if (target.name === "country") drawAll();
      else drawShares();
      keepView();
      $("[data-status]").textContent = text("shares.now_shows", { definition: $("#country-now .definition").textContent });
    });
    const describe = () => CHOICES.forEach((name) => { $(`[data-about="${name}"]`).textContent = text(`${name}.${view[name]}.about`); });
    describe();
  }

  // --- rankings ----------------------------------------------------------------------------------
  const boards = Object.fromEntries(Object.entries(data.arena.boards).map(([name, board]) =>
    [name, { ...board, countries: unpacked(board.countries), labs: unpacked(board.labs) }]));
  const overall = $$("[data-board] [name=board] option").map((one) => one.value);
  const ordered = (overall.length ? overall : boardNames).filter((name) => boards[`${name}|overall`]?.countries.length);
  const dated = (d) => `, ${day(d)}`;

  function drawGaps() {
    const names = [], gaps = [], lags = [], table = [], lagTable = [], certainty = new Map();
    for (const one of ordered) {
      const board = boards[`${one}|overall`], name = of("board", one), best = board.countries[0];
      names.push(name);
      certainty.set(name, `${best.id} ${percent(best.first)}`);
      for (const row of board.countries) {
        const who = country(row.id, row.name);
        table.push([words(name, { tag: "th" }), words(day(board.day), { raw: [board.day] }), words(who), words(row.model, { lang: "en" }),
          { ...count(row.rank), text: integer(row.rank) + (row.tied > 1 ? "=" : "") },
          row.rank === 1 ? { ...rate(row.win), text: text("leads") } : rate(row.win), rate(row.first)]);
        if (row.lag != null)
          lagTable.push([words(name, { tag: "th" }), words(who), { ...count(row.lag), text: text("days", { count: row.lag, n: integer(row.lag) }) },
            { text: `${integer(row.lag_lower)} … ${integer(row.lag_upper)}`, raw: [row.lag_lower ?? "", row.lag_upper ?? ""], isNumber: true },
            words(`${country(row.before)}${dated(row.since)}`), words(text(row.censored ? "answer.yes" : "answer.no"))]);
      }
      const named = board.countries.filter((row) => !["ZZ", "XX"].includes(row.id)).slice(0, 4);
      for (const [i, row] of named.entries()) {
        const who = `${country(row.id, row.name)}: ${row.model}`;
        gaps.push({ code: row.id, label: name, x: row.win, tip: `${who}\n${text("column.win")}: ${percent(row.win)}\n${text("column.first")}: ${percent(row.first)}\n${name}${dated(board.day)}` });
        if (row.lag == null || i > 2) continue;
        lags.push({ code: row.id, label: name, x: row.lag, lower: row.lag_lower, upper: row.lag_upper, censored: row.censored,
          tip: `${who}\n${text("column.lag")}: ${row.censored ? "≥ " : ""}${text("days", { count: row.lag, n: integer(row.lag) })} (${integer(row.lag_lower)} … ${integer(row.lag_upper)})\n${text("column.before")}: ${country(row.before)}${dated(row.since)}` });
      }
    }
    const maxGap = Math.max(...gaps.map((g) => g.x), 600), maxLag = Math.max(...lags.map((l) => l.upper ?? l.x), 30);
    show("gap", {
      names: ["column.board", "column.date", "kind.country", "column.model", "column.rank", "column.win", "column.first"].map((key) => text(key)), rows: table,
      draw: (width) => (gaps.length ? charts.codes(gaps, names, width, { domain: [490, maxGap + 15], axis: format.whole, reference: 500, aside: certainty, focus: view.country }) : text("nothing")),
      summary: [...certainty].map(([name, value]) => `${name}: ${value}`).join("; "),
    });
    show("lag", {
      names: ["column.board", "kind.country", "column.lag", "column.lagbounds", "column.before", "column.censored"].map((key) => text(key)), rows: lagTable,
      draw: (width) => (lags.length ? charts.codes(lags, names, width, { domain: [0, maxLag * 1.06], axis: integer, focus: view.country }) : text("nothing")),
      summary: lags.map((l) => `${l.label}: ${l.code} ${l.censored ? "≥ " : ""}${integer(l.x)}`).join("; "),
    });
  }

  const rank = (row) => ({ text: row.tied > 1 ? `${integer(row.rank)}=` : integer(row.rank), isNumber: true });
  const number = (value) => ({ text: value, isNumber: true });
  const wins = (row) => number(row.rank === 1 ? text("leads") : percent(row.win));
  const first = (row) => number(row.first == null ? of("first", row.why) : percent(row.first));
  const rating = (row) => number(integer(row.rating) + (row.lower == null ? "" : ` (${integer(row.lower)}–${integer(row.upper)})`));
  const lag = (row) => number(row.lag == null ? "–" : `${row.censored ? "≥ " : ""}${text("days", { count: row.lag, n: integer(row.lag) })}`);

  function drawBoard() {
    const found = boards[`${view.board}|${view.category}`];
    if (!$("[data-board-title]") || !found) return;
    $("[data-board-title]").textContent = text("board.title", { board: of("board", view.board), category: of("category", view.category) });
    $("[data-board-about]").textContent = text("board.about", { day: day(found.day), n: integer(found.n_models) });
    fill($("[data-board-countries]"), null, found.countries.map((row) => [
      rank(row), { text: country(row.id, row.name), tag: "th" }, { text: row.model, lang: "en" }, rating(row), wins(row), first(row), lag(row),
      { text: row.open_model ? `${row.open_model} (${integer(row.open_rank)})` : "–", lang: "en" },
    ]));
    fill($("[data-board-labs]"), null, found.labs.map((row) => [
      rank(row), labCell(row.id, row.name, { tag: "th" }), { text: country(row.country) }, { text: row.model, lang: "en" }, rating(row), wins(row), first(row),
    ]));
  }

  function drawHistory() {
    const history = data.arena.history[view.board];
    const series = Object.entries(history?.countries ?? {}).map(([code, values]) => ({
      id: code, code, label: country(code),
      points: values.map((v, i) => ({ x: charts.utc(history.days[i]), y: v?.[0], part: v?.[1] })).filter((p) => p.y != null),
    }));
    const top = Math.max(...series.flatMap((s) => s.points.map((p) => p.y)), 560);
    show("gap-time", {
      about: `${of("board", view.board)}. ${text("gaptime.about")}`,
      names: [text("column.date"), ...series.map((s) => s.label)],
      rows: (history?.days ?? []).map((d, i) => [date(d), ...Object.values(history.countries).map((values) => rate(values[i]?.[0]))]).toReversed(),
      draw: (width) => ((history?.days.length ?? 0) > 1 ? charts.lines(series, width, { low: 490, high: top + 15, focus: view.country }) : text("nothing")),
      summary: series.map((s) => `${s.label} ${percent(s.points.at(-1)?.y)}`).join(", "),
    });
  }

  function watchBoard(form) {
    const listCategories = () => {
      const names = Object.keys(boards).filter((k) => k.startsWith(view.board + "|")).map((k) => k.slice(view.board.length + 1));
      names.sort((a, b) => (b === "overall") - (a === "overall") || of("category", a).localeCompare(of("category", b), WORDS.locale));
      if (!names.includes(view.category)) view.category = names[0];
      form.elements.category.replaceChildren(...names.map((n) => new Option(of("category", n), n, false, n === view.category)));
    };
    form.elements.board.value = view.board;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", ({ target }) => {
      view[target.name] = target.value;
      listCategories();
      drawBoard();
      drawHistory();
      keepView();
    });
    listCategories();
  }

  // --- trending and notable models ---------------------------------------------------------------
  function drawTrending() {
    const { days, places } = data.trending;
    if (!days) return;
    const codes = Object.keys(Object.values(places)[0] ?? {});
    const rows = Object.entries(places).flatMap(([attribution, by]) => Object.entries(by).flatMap(([code, n]) =>
      n.map((value, i) => ({ attribution: of("attribution", attribution), code, label: country(code), x: charts.utc(days[i]), value }))));
    show("trending-time", {
      names: [text("column.date"), text("choice.attribution"), ...codes.map((code) => country(code))],
      rows: days.flatMap((d, i) => Object.entries(places).map(([attribution, by]) =>
        [date(d), words(of("attribution", attribution)), ...codes.map((code) => ({ text: String(by[code][i]), raw: [by[code][i]], isNumber: true }))])).toReversed(),
      draw: (width) => charts.places(rows, days, width, view.country),
      summary: Object.entries(places).map(([a, by]) => `${of("attribution", a)}: ` +
        Object.entries(by).map(([code, n]) => `${country(code)} ${n.at(-1)}`).join(", ")).join("; "),
    });
  }

  // Use through OpenRouter. What is in doubt has no bounds of its own: it widens those of the others.
  function drawTokens() {
    const { days, shares: held, doubt } = data.tokens;
    const name = (who) => (who.length === 2 ? country(who) : of("tokens", who));
    const series = Object.entries(held ?? {}).map(([id, [share, lower, upper]]) => ({
      id, code: id.length === 2 ? id : "XX", label: name(id),
      points: share.map((y, i) => ({ x: charts.utc(days[i]), y, lower: lower[i], upper: upper[i] })),
    }));
    show("tokens-time", {
      about: days ? text("tokens.about", { doubt: percent(doubt) }) : "",
      names: [text("column.date"), ...series.map((s) => s.label)],
      rows: (days ?? []).map((d, i) => [date(d), ...series.map((s) => rate(s.points[i].y))]).toReversed(),
      draw: (width) => (days?.length > 1 ? charts.lines(series, width, { focus: view.country }) : text(days ? "shares.one_day" : "nothing")),
      summary: series.map((s) => `${s.label} ${percent(s.points.at(-1).y)}`).join(", ") || text("nothing"),
    });
  }

  function drawNotable() {
    const { years, counts, vintages } = data.notable;
    if (!years) return;
    if (!counts[view.source]) view.source = Object.keys(counts)[0];
    const found = counts[view.source], vintage = vintages[view.source];
    const isOpen = (year) => year >= Number(vintage.slice(0, 4));
    const series = Object.entries(found).map(([code, n]) => ({
      id: code, code, label: country(code),
      points: n.map((y, i) => ({ x: charts.utc(`${years[i]}-01-01`), y, open: isOpen(years[i]) })),
    }));
    const year = (d) => String(d.getUTCFullYear());
    // Every year, or every second or third where there is no room.
    const at = (width) => years.filter((_, i) => (years.length - 1 - i) % Math.ceil((years.length * 46) / width) === 0).map((y) => charts.utc(`${y}-01-01`));
    const last = isOpen(years.at(-1)) ? " " + text("notable.unfinished", { year: years.at(-1), day: day(vintage) }) : "";
    show("notable", {
      about: `${of("notable", view.source)}, ${day(vintage)}. ${text("notable.about")}${last}`,
      names: [text("column.year"), ...series.map((s) => s.label)],
      rows: years.map((y, i) => [words(String(y) + (isOpen(y) ? ` ${text("notable.so_far")}` : ""), { tag: "th", raw: [y] }), ...Object.values(found).map((n) => count(n[i]))]).toReversed(),
      draw: (width) => charts.lines(series, width, { unit: integer, axis: integer, when: year, tick: year, at, focus: view.country }),
      summary: series.map((s) => `${s.label} ${integer(s.points.findLast((p) => p.y != null)?.y)}`).join(", "),
    });
  }
  function watchSource(select) {
    select.value = view.source;
    select.addEventListener("change", () => { view.source = select.value; drawNotable(); keepView(); });
  }

  // --- start -------------------------------------------------------------------------------------
  const TITLES = {
    ...Object.fromEntries(KINDS.flatMap((kind) => [[`${kind}-now`, `shares.${kind}.now`], [`${kind}-time`, `shares.${kind}.time`]])),
    gap: "gap.title", lag: "lag.title", "gap-time": "gaptime.title", "trending-time": "trending.figure", notable: "notable.title",
    "tokens-time": "tokens.title",
  };
  const ABOUT = { gap: "gap.about", lag: "lag.about", "trending-time": "trending.about" };
  function frame() {
    const id = Object.hasOwn(TITLES, asked.get("chart") ?? "") ? asked.get("chart") : "country-now";
    const figure = make("figure", { id, className: "figure" },
      make("figcaption", {}, make("h2", { textContent: text(TITLES[id]) }), make("p", { className: "definition", textContent: id in ABOUT ? text(ABOUT[id]) : "" })),
      make("div", { className: "plot", role: "img" }),
      make("details", { className: "behind" }, make("summary", { textContent: text("table.behind") }),
        make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, make("thead"), make("tbody")))),
      make("p", { className: "small", textContent: sourceLine() }));
    $(".plot", figure).dataset.plot = "";
    embed.append(figure);
  }
  function drawAll() {
    drawShares();
    if (ordered.length) drawGaps();
    if (view.board) { drawBoard(); drawHistory(); }
    drawTrending();
    drawTokens();
    drawNotable();
  }

  if (embed) frame();
  if ($("[data-switch]")) watchSwitch($("[data-switch]"));
  if ($("[data-board]")) watchBoard($("[data-board]"));
  if ($("#notable [name=source]")) watchSource($("#notable [name=source]"));
  drawAll();
  keepView();
  let pending = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => { for (const figure of drawings.keys()) paint(figure); });
  });
  Object.assign(OBSERVATORY_PAGE, { view, csvOf, pictureOf, pngOf, embedOf, linkOf });
  root.dataset.ready = "true";
})();
