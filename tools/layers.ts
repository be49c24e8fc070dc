/**
 * Checks the layers: which folder of `src/` may import which, and who may touch the operating system.
 * Fails on an import that the table does not allow, on a folder that is not in it, and on an entry that nobody uses.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

type Layer = {
  /** Folders that it may import, beside itself. `type:` allows `import type` only. */
  readonly may: readonly string[];
  /** `node:` modules and packages that it may import. `*`: all. */
  readonly outside: readonly string[];
};

/** From the bottom up. A layer may import only layers above it in this table. */
const LAYERS: Record<string, Layer> = {
  base: { may: [], outside: [] },
  bytes: { may: ["base"], outside: ["node:zlib", "node:stream"] },
  disk: { may: ["base", "bytes"], outside: [] },
  boot: { may: ["base", "bytes", "disk"], outside: [] },
  xen: { may: ["base", "bytes"], outside: [] },
  check: { may: ["base", "bytes", "boot", "xen"], outside: [] },
  sync: {
    may: ["base", "bytes", "type:disk"],
    outside: ["node:crypto", "node:zlib"],
  },
  host: { may: ["base", "xen", "type:disk", "sync"], outside: ["*"] },
  guest: {
    may: ["base", "bytes", "disk", "boot", "xen", "check", "sync", "type:host"],
    outside: [],
  },
  cli: {
    may: ["base", "bytes", "disk", "boot", "xen", "check", "sync", "host", "guest"],
    outside: ["*"],
  },
  pygrub: { may: ["base", "bytes", "boot", "xen", "host", "guest"], outside: ["*"] },
};

const SRC = resolve(import.meta.dirname, "..", "src");

type Import = { readonly to: string; readonly typeOnly: boolean; readonly line: number };

/** Static and dynamic imports and re-exports, found by their text: enough for code that a formatter has written. */
function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const pattern =
    /(?:^|\n)\s*(?:(import|export)\s+(type\s+)?(?:[\w*{][^;'"]*?\sfrom\s+)?|[^\n]*?\b(import)\s*\(\s*)["']([^"']+)["']/g;
  for (const match of text.matchAll(pattern)) {
    const line = text.slice(0, match.index + 1).split("\n").length;
    found.push({ to: match[4]!, typeOnly: match[2] !== undefined, line });
  }
  return found;
}

function layerOf(file: string): string {
  return relative(SRC, file).split("/")[0]!;
}

function problemsOf(file: string, used: Set<string>): string[] {
  const layer = layerOf(file);
  const name = relative(dirname(SRC), file);
  const rule = LAYERS[layer];
  // The front doors of the library and of the executable may name everything.
  if (layer === "index.ts" || layer === "main.ts") return [];
  if (!rule) return [`${name}: the folder ${layer} is not in the table of tools/layers.ts`];
  const problems: string[] = [];
  for (const { to, typeOnly, line } of importsOf(readFileSync(file, "utf8"))) {
    // package.json tells the mains the version; the bundler takes it in.
    if (to.endsWith("/package.json") && rule.outside.includes("*")) continue;
    if (to.startsWith(".")) {
      const target = layerOf(resolve(dirname(file), to));
      if (target === layer) continue;
      const allowed = rule.may.includes(target)
        ? target
        : typeOnly && rule.may.includes(`type:${target}`)
          ? `type:${target}`
          : undefined;
      if (allowed) used.add(`${layer} ${allowed}`);
      else problems.push(`${name}:${line}: ${layer} may not import ${target} (${to})`);
    } else if (!rule.outside.includes("*") && !rule.outside.includes(to)) {
      problems.push(`${name}:${line}: ${layer} may not import ${to}`);
    } else if (!rule.outside.includes("*")) used.add(`${layer} ${to}`);
  }
  return problems;
}

function main(): void {
  const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  const used = new Set<string>();
  const problems = files.flatMap((file) => problemsOf(file, used));
  for (const [layer, rule] of Object.entries(LAYERS)) {
    for (const entry of [...rule.may, ...rule.outside]) {
      if (entry !== "*" && entry !== "base" && !used.has(`${layer} ${entry}`)) {
        problems.push(`tools/layers.ts: nothing in ${layer} imports ${entry}: remove the entry`);
      }
    }
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`layers: ${files.length} files, no import out of place`);
}

main();
