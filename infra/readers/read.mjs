// Prints what hyparquet, a Parquet reader in plain JavaScript, finds in files: rows as JSON.
// Run from a folder with node_modules; a whole number beyond 2^53 is written as a string.
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";

const found = {};
for (const path of process.argv.slice(2)) {
  const file = await asyncBufferFromFile(path);
  found[path] = await parquetReadObjects({ file, compressors });
}
console.log(JSON.stringify(found, (_, v) => (typeof v === "bigint" ? v.toString() : v)));
