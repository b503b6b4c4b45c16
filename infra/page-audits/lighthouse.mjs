// Lighthouse on a page that is served on this machine: `node lighthouse.mjs PORT ADDRESS...`.
// PORT is the debugging port of a running Chromium. Prints one line of JSON per address: the score
// of each category in percent, the bytes of the first load, and the audits that are not passed.
import lighthouse from "lighthouse";

const [port, ...addresses] = process.argv.slice(2);
for (const address of addresses) {
  const { lhr } = await lighthouse(address, { port: Number(port), output: "json", logLevel: "error" });
  const categories = Object.entries(lhr.categories);
  const failed = categories.flatMap(([name, { auditRefs }]) => auditRefs
    .filter(({ id, weight }) => weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 0.9)
    .map(({ id }) => `${name}: ${id} ${lhr.audits[id].displayValue ?? ""}`.trim()));
  console.log(JSON.stringify({
    address,
    scores: Object.fromEntries(categories.map(([name, { score }]) => [name, Math.round(100 * score)])),
    bytes: lhr.audits["total-byte-weight"].numericValue,
    failed,
  }));
}
process.exit(0);
