"use strict";
// Charts with Observable Plot. data.js has the prepared rows; this file only draws them.
const { format, charts } = (() => {
  const locale = WORDS.locale;
  const integers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const percents = new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const days = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const plural = new Intl.PluralRules(locale);

  const format = {
    // A text with its values. The plural rule of the language chooses the form for a count.
    text(key, values = {}) {
      let text = WORDS.texts[key] ?? key;
      if (typeof text === "object") text = text[plural.select(values.count)] ?? text.other;
      return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
    },
    of: (kind, name) => WORDS.texts[`${kind}.${name}`] ?? name,
    country: (code, fallback) => WORDS.countries[code] ?? fallback ?? code,
    lab: (id, fallback) => WORDS.labs[id] ?? fallback ?? id,
    number: (n) => new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }).format(n),
    integer: (n) => (n == null ? "–" : integers.format(n)),
    // Shares are in thousandths; 0.4 and 999.6 mean just above 0 and just below 1.
    percent(thousandths) {
      if (thousandths == null) return "–";
      if (thousandths > 0 && thousandths < 1) return "<" + percents.format(0.001);
      if (thousandths > 999 && thousandths < 1000) return ">" + percents.format(0.999);
      return percents.format(thousandths / 1000);
    },
    interval: (a, b) => (a == null || b == null ? "–" : `${format.percent(a).replace("%", "")}–${format.percent(b)}`),
    day: (text) => (text == null ? "–" : days.format(utc(text))),
    whole: (thousandths) => integers.format(thousandths / 10) + "%",
  };
  const utc = (text) => new Date(text + "T00:00:00Z");
  const short = (name, n) => (name.length > n ? name.slice(0, n - 1) + "…" : name);

  // A color belongs to a country (page.css), in every chart and on every day. Color is never the
  // only cue: every line also has its own dash and symbol, and its name at its end.
  const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2", "12 4"];
  const SYMBOLS = ["circle", "square", "triangle", "diamond", "cross", "star"];
  const UNKNOWN = ["ZZ", "XX", "unexamined", "none", "cloaked", "other"];
  const colorOf = (code) =>
    !code || UNKNOWN.includes(code) ? "var(--c0)" : `var(--of-${code}, var(--of-other))`;
  const FAMILIES = ["var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)", "var(--c7)", "var(--c8)"];
  // Color, dash and symbol of each name in a chart. `code` is the country; families have none.
  function looks(names) {
    return new Map(names.map(({ id, code }, i) => {
      if (UNKNOWN.includes(id)) return [id, { color: "var(--c0)", dash: "1 3", symbol: "times" }];
      const color = code === undefined ? FAMILIES[i % FAMILIES.length] : colorOf(code);
      return [id, { color, dash: DASHES[i % DASHES.length], symbol: SYMBOLS[i % SYMBOLS.length] }];
    }));
  }
  // What the reader has not chosen stands back.
  const faded = (focus, code) => (focus && code !== focus ? 0.25 : 1);

  const plot = (width, height, options) =>
    Plot.plot({ className: "plot-svg", width, height, style: { fontSize: "13px", fontFamily: "inherit" }, ...options });
  const tip = { fontSize: 13, textPadding: 8, lineHeight: 1.3, stroke: "var(--bounds)" };
  // Space for names at the side; longer names are cut to fit.
  const letters = (width) => Math.min(Math.floor((width * 0.42 - 14) / 7.4), 28);
  const sides = (width, names) => Math.max(...names.map((n) => short(n, letters(width)).length)) * 7.4 + 14;

  // Shares on one day, with their bounds and the range over all definitions.
  function now(rows, width, focus) {
    const names = rows.map((r) => r.label), named = new Map(rows.map((r) => [r.id, r.label]));
    const shade = (r) => (r.code === undefined && !UNKNOWN.includes(r.id) ? "var(--c9)" : colorOf(r.code));
    const shown = (r) => faded(focus, r.code);
    const top = Math.max(...rows.map((r) => Math.max(r.upper ?? r.share, r.highest ?? 0)), 10);
    const marks = [Plot.gridX({ stroke: "var(--rule)", strokeOpacity: 1 })];
    if (rows.some((r) => r.highest != null)) {
      const ranged = rows.filter((r) => r.highest != null);
      marks.push(Plot.barX(ranged, { x1: "lowest", x2: "highest", y: "id", fill: "var(--band)", insetTop: 4, insetBottom: 4 }));
    }
    if (rows.some((r) => r.upper != null)) {
      marks.push(
        Plot.link(rows, { x1: "lower", x2: "upper", y1: "id", y2: "id", stroke: "var(--bounds)", strokeWidth: 5 }),
        Plot.dot(rows, { x: "share", y: "id", r: 5, fill: shade, fillOpacity: shown, stroke: "var(--paper)" }));
    } else {
      marks.push(Plot.barX(rows, { x: "share", y: "id", fill: shade, fillOpacity: shown, insetTop: 7, insetBottom: 7 }));
    }
    marks.push(
      Plot.text(rows, { y: "id", frameAnchor: "right", dx: 58, textAnchor: "end", text: (r) => format.percent(r.share), fontVariant: "tabular-nums" }),
      Plot.tip(rows, Plot.pointerY({ x: "share", y: "id", title: "tip", ...tip })));
    return plot(width, rows.length * 30 + 42, {
      marginLeft: sides(width, names), marginRight: 60, marginTop: 4, marginBottom: 36,
      x: { domain: [0, top], tickFormat: format.whole, label: null, ticks: Math.max(3, Math.floor(width / 140)) },
      y: { domain: [...named.keys()], label: null, tickSize: 0, tickFormat: (id) => short(named.get(id), letters(width)) },
      marks,
    });
  }

  // Labels at the ends of the lines, moved apart so that they do not overlap.
  function ends(series, height, top) {
    const gap = (top * 15) / height;
    const last = series.map((s) => ({ ...s.points.at(-1), label: s.label, id: s.id, code: s.code })).sort((a, b) => b.y - a.y);
    let ceiling = Infinity;
    for (const one of last) { one.at = Math.min(one.y, ceiling - gap); ceiling = one.at; }
    const under = gap / 2 - (last.at(-1)?.at ?? 0);
    if (under > 0) for (const one of last.toReversed()) one.at = Math.max(one.at, (last.length - 1 - last.indexOf(one)) * gap);
    return last;
  }

  const span = (dates) => (dates.at(-1) - dates[0]) / 864e5;
  function dated(dates) {
    const options = span(dates) > 500 ? { year: "numeric", month: "short" } : { day: "numeric", month: "short" };
    const form = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
    return (d) => form.format(d);
  }
  // At most n of the observed dates, evenly spaced, and always the first and the last.
  function some(dates, n) {
    const each = [...new Set(dates.map(Number))].sort((a, b) => a - b);
    const count = Math.max(Math.min(n, each.length), Math.min(2, each.length));
    const at = Array.from({ length: count }, (_, i) => each[0] + ((each.at(-1) - each[0]) * i) / Math.max(count - 1, 1));
    return [...new Set(at.map((t) => each.reduce((a, b) => (Math.abs(b - t) < Math.abs(a - t) ? b : a))))].map((t) => new Date(t));
  }

  // series: {id, label, code?, points: [{x, y, lower?, upper?, part?, open?}]}, y = null if nothing was
  // observed. `open` marks a period that is not over: dashed, and a hollow mark.
  function lines(series, width, { low = 0, high = null, unit = format.percent, axis = format.whole, when = (d) => format.day(d.toISOString().slice(0, 10)), tick = null, at = null, focus = "" } = {}) {
    const height = 300;
    const points = series.flatMap((s) => s.points.filter((p) => p.y != null).map((p) => ({ ...p, id: s.id, label: s.label, code: s.code })));
    const top = high ?? Math.max(...points.map((p) => p.upper ?? p.y), low + 10) * 1.04;
    const dates = points.map((p) => p.x).sort((a, b) => a - b);
    const marks = [Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 })];
    const look = looks(series);
    for (const one of series) {
      const { color, dash, symbol } = look.get(one.id), opacity = faded(focus, one.code);
      const mine = points.filter((p) => p.id === one.id);
      if (mine.some((p) => p.upper != null && p.upper > p.lower))
        marks.push(Plot.areaY(mine, { x: "x", y1: "lower", y2: "upper", z: "part", fill: color, fillOpacity: 0.13 * opacity }));
      marks.push(Plot.lineY(one.points.filter((p) => !p.open), { x: "x", y: "y", z: "part", stroke: color, strokeOpacity: opacity, strokeWidth: 2, strokeDasharray: dash }));
      const open = mine.findIndex((p) => p.open);
      if (open > 0) marks.push(Plot.lineY(mine.slice(open - 1), { x: "x", y: "y", stroke: color, strokeOpacity: opacity, strokeWidth: 1.5, strokeDasharray: "2 4" }));
      const inPart = d3.rollup(mine, (p) => p.length, (p) => p.part);
      const marked = mine.length > 14 ? mine.filter((p, i) => i % Math.ceil(mine.length / 10) === 0 || i === mine.length - 1 || inPart.get(p.part) === 1) : mine;
      marks.push(
        Plot.dot(marked.filter((p) => !p.open), { x: "x", y: "y", symbol, r: 3.5, fill: color, fillOpacity: opacity, stroke: "var(--paper)", strokeWidth: 0.8 }),
        Plot.dot(marked.filter((p) => p.open), { x: "x", y: "y", symbol, r: 4, fill: "var(--paper)", stroke: color, strokeOpacity: opacity, strokeWidth: 1.6 }));
    }
    const named = ends(series.map((s) => ({ ...s, points: s.points.filter((p) => p.y != null) })).filter((s) => s.points.length), height - 44, top - low);
    const room = Math.min(letters(width), 20);
    const right = Math.max(...named.map((n) => short(n.label, room).length)) * 7.9 + 22;
    marks.push(
      Plot.text(named, { x: () => dates.at(-1), y: "at", text: (n) => short(n.label, room), textAnchor: "start", dx: 10, fill: (n) => look.get(n.id).color, fillOpacity: (n) => faded(focus, n.code), fontWeight: 600 }),
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (p) => `${p.label}: ${unit(p.y)}${p.upper != null && p.upper > p.lower ? ` (${format.interval(p.lower, p.upper)})` : ""}\n${when(p.x)}`, ...tip })));
    return plot(width, height, {
      marginLeft: 46, marginRight: right, marginTop: 12, marginBottom: 32,
      x: { type: "utc", label: null, tickFormat: tick ?? dated(dates), ticks: at?.(width - right) ?? some(dates, Math.floor((width - right) / 110)) },
      y: { domain: [low, top], label: null, tickFormat: axis, ticks: 5 },
      marks,
    });
  }

  // Marks with country codes, one row per board: x is the value, lower and upper its bounds.
  // Marks that would overlap are drawn above and below each other.
  function codes(rows, names, width, { domain, axis, reference = null, aside = null, focus = "" }) {
    const left = sides(width, names), right = aside ? 88 : 22;
    const pixels = (x) => ((x - domain[0]) / (domain[1] - domain[0])) * (width - left - right);
    const lanes = [[], [], []];
    for (const name of names) {
      const mine = rows.filter((r) => r.label === name).sort((a, b) => a.x - b.x);
      let before = -Infinity, lane = 0;
      for (const [i, r] of mine.entries()) {
        const crowded = pixels(r.x) - before < 25, followed = mine[i + 1] && pixels(mine[i + 1].x - r.x + domain[0]) < 25;
        lane = crowded ? (lane === 1 ? 2 : 1) : followed ? 1 : 0;
        lanes[lane].push(r);
        before = pixels(r.x);
      }
    }
    const marks = [Plot.gridX({ stroke: "var(--rule)", strokeOpacity: 1 }), Plot.ruleY(names, { stroke: "var(--rule)" })];
    if (reference != null) marks.push(Plot.ruleX([reference], { stroke: "var(--ink)", strokeWidth: 1.5 }));
    if (aside) marks.push(Plot.text(names, { y: (n) => n, frameAnchor: "right", dx: 84, textAnchor: "end", text: (n) => aside.get(n), fontVariant: "tabular-nums" }));
    const color = (r) => colorOf(r.code), opacity = (r) => faded(focus, r.code);
    for (const [lane, dy] of [0, -11, 11].entries()) {
      const mine = lanes[lane];
      marks.push(
        Plot.link(mine.filter((r) => r.upper > r.lower), { x1: "lower", x2: "upper", y1: "label", y2: "label", dy, stroke: color, strokeOpacity: opacity, strokeWidth: 3 }),
        Plot.dot(mine, { x: "x", y: "label", dy, r: 11.5, fill: "var(--paper)", stroke: color, strokeOpacity: opacity, strokeWidth: 1.6 }),
        Plot.text(mine, { x: "x", y: "label", dy, text: (r) => (r.censored ? "≥" : "") + r.code, fontSize: 10, fontWeight: 700, fill: color, fillOpacity: opacity }));
    }
    marks.push(Plot.tip(rows, Plot.pointer({ x: "x", y: "label", title: "tip", ...tip })));
    return plot(width, names.length * 46 + 46, {
      marginLeft: left, marginRight: right, marginTop: 4, marginBottom: 34,
      x: { domain, tickFormat: axis, label: null, ticks: Math.max(3, Math.floor(width / 150)) },
      y: { type: "point", domain: names, padding: 0.5, label: null, tickSize: 0, tickFormat: (n) => short(n, letters(width)) },
      marks,
    });
  }

  // One row per country and attribution; the height of a day's line is the number of places.
  function places(rows, days, width, focus) {
    const dates = days.map(utc), pad = Math.max(span(dates) * 0.02, 1) * 864e5;
    const names = [...new Set(rows.map((r) => r.label))];
    const columns = (width - sides(width, names)) / 2;
    return plot(width, names.length * 62 + 70, {
      marginLeft: sides(width, names), marginRight: 8, marginTop: 30, marginBottom: 30,
      x: { type: "utc", domain: [new Date(+dates[0] - pad), new Date(+dates.at(-1) + pad)], label: null, tickFormat: dated(dates), ticks: some(dates, Math.floor(columns / 110)) },
      y: { domain: [0, 10], axis: null },
      fx: { domain: [...new Set(rows.map((r) => r.attribution))], label: null, padding: 0.1 },
      fy: { domain: names, label: null, axis: null, padding: 0.15 },
      marks: [
        Plot.ruleY([0], { stroke: "var(--bounds)" }),
        Plot.ruleX(rows, { x: "x", y1: 0, y2: "value", fx: "attribution", fy: "label", stroke: (r) => colorOf(r.code), strokeOpacity: (r) => faded(focus, r.code), strokeWidth: Math.min(Math.max(columns / days.length / 1.5, 1.5), 8) }),
        Plot.text(names, { fy: (n) => n, fx: () => rows[0].attribution, frameAnchor: "bottom-left", dx: -10, textAnchor: "end", text: (n) => short(n, letters(width)) }),
        Plot.tip(rows, Plot.pointerX({ x: "x", y: "value", fx: "attribution", fy: "label", title: (r) => `${r.label}: ${format.number(r.value)}\n${format.day(r.x.toISOString().slice(0, 10))}`, ...tip })),
      ],
    });
  }

  return { format, charts: { now, lines, codes, places, utc } };
})();
