/**
 * Makes the index of findings (docs/reference/findings/README.md) and the module that carries the pages inside the
 * executable (src/check/pages.generated.ts), both from the pages and the rules. `--check`: changes nothing, fails
 * when either is not current, a code has no page, or a page has no code.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { RECENT_CHANGE } from "../src/check/recent-change.ts";
import { RULES } from "../src/check/rules.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGES = join(ROOT, "docs/reference/findings");
const INDEX = join(PAGES, "README.md");
const MODULE = join(ROOT, "src/check/pages.generated.ts");

export type PageSource = {
  readonly code: string;
  /** The first word after `Severity:`. */
  readonly severity: string;
  readonly summary: string;
  /** Markdown. */
  readonly page: string;
};

/** All pages, by code. */
export function readPages(): PageSource[] {
  return readdirSync(PAGES)
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .sort()
    .map((name) => parsePage(name.slice(0, -3), readFileSync(join(PAGES, name), "utf8")));
}

function parsePage(code: string, page: string): PageSource {
  const severity = /^Severity: (error|warning|note)\b/m.exec(page)?.[1] ?? "";
  const rule = [...RULES, RECENT_CHANGE].find((one) => one.code === code);
  return { code, severity, summary: rule?.summary ?? firstSentence(page), page };
}

/** Of the section that says what it means. */
function firstSentence(page: string): string {
  const section = /^## What it means\n+([^#]+)/m.exec(page)?.[1] ?? "";
  const text = section.split("\n\n")[0]!.replace(/\s+/g, " ").trim();
  return /^.*?[.:](?= |$)/.exec(text)?.[0].replace(/:$/, ".") ?? text;
}

/** What is wrong with the pages themselves; empty when nothing is. */
export function pageProblems(pages: readonly PageSource[]): string[] {
  const problems: string[] = [];
  for (const { code, severity, summary, page } of pages) {
    const at = `docs/reference/findings/${code}.md`;
    if (!page.startsWith(`# ${code}\n`)) problems.push(`${at}: does not begin with "# ${code}"`);
    if (severity === "") problems.push(`${at}: no line "Severity: error|warning|note"`);
    if (summary === "") problems.push(`${at}: no "## What it means" with a sentence`);
    if (!/^## What to do$/m.test(page)) problems.push(`${at}: no "## What to do"`);
  }
  for (const rule of [...RULES, RECENT_CHANGE]) {
    const page = pages.find((one) => one.code === rule.code);
    if (page && page.severity !== rule.severity) {
      problems.push(`${rule.code}: the page says ${page.severity}, the rule ${rule.severity}`);
    }
  }
  return problems;
}

/** Codes that the source raises and that have no page, and pages of codes that nothing raises. */
export function codeProblems(pages: readonly PageSource[]): string[] {
  const raised = new Map<string, string>();
  const literals = new Set<string>();
  for (const file of sourceFiles()) {
    const text = readFileSync(file, "utf8");
    for (const [, code] of text.matchAll(/\bcode(?:: | = )"([a-z0-9]+(?:-[a-z0-9]+)+)"/g)) {
      raised.set(code!, relative(ROOT, file));
    }
    for (const [, literal] of text.matchAll(/"([a-z0-9]+(?:-[a-z0-9]+)+)"/g))
      literals.add(literal!);
  }
  const codes = new Set(pages.map(({ code }) => code));
  return [
    ...[...raised]
      .filter(([code]) => !codes.has(code))
      .map(([code, file]) => `${file}: ${code} has no page docs/reference/findings/${code}.md`),
    ...pages
      .filter(({ code }) => !literals.has(code))
      .map(({ code }) => `docs/reference/findings/${code}.md: nothing in src/ raises ${code}`),
  ];
}

/** Codes of failures (base/, cli/) are not those of findings. */
function sourceFiles(): string[] {
  const src = join(ROOT, "src");
  return readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => file !== MODULE && !/^src\/(base|cli)\//.test(relative(ROOT, file)));
}

export function indexText(pages: readonly PageSource[]): string {
  const row = ({ code, severity, summary }: PageSource) =>
    `| [${code}](${code}.md) | ${severity} | ${summary.replaceAll("|", "\\|")} |`;
  return [
    "# Findings",
    "",
    "What `domus check`, `domus list` and `domus show` say about guests. Each has a code that never changes its meaning; `domus explain CODE` prints its page.",
    "",
    "| severity | means |",
    "|---|---|",
    "| error | the boot, or what was asked for, fails |",
    "| warning | it may fail, or fails in part |",
    "| note | worth knowing |",
    "",
    "The severity in the table is the highest that the finding can have. The page says when it is less.",
    "",
    "| code | severity | meaning |",
    "|---|---|---|",
    ...pages.map(row),
    "",
    "Made by `node tools/findings-index.ts` from the pages and the rules.",
    "",
  ].join("\n");
}

export function moduleText(pages: readonly PageSource[]): string {
  const entry = ({ code, severity, summary, page }: PageSource) =>
    [
      `  "${code}": {`,
      `    severity: "${severity}",`,
      `    summary: ${template(summary)},`,
      `    page: ${template(page)},`,
      "  },",
    ].join("\n");
  return [
    "/** Made by `node tools/findings-index.ts` from docs/reference/findings/. Do not edit. */",
    'import type { Severity } from "../base/finding.ts";',
    "",
    "export type FindingPage = {",
    "  /** The highest that the finding can have. */",
    "  readonly severity: Severity;",
    "  /** One sentence. */",
    "  readonly summary: string;",
    "  /** Markdown. */",
    "  readonly page: string;",
    "};",
    "",
    "/** By code, in alphabetical order. */",
    "export const PAGES: Readonly<Record<string, FindingPage>> = {",
    ...pages.map(entry),
    "};",
    "",
  ].join("\n");
}

/** A template literal: the one kind of string that a formatter leaves as it is. */
function template(text: string): string {
  return `\`${text.replaceAll(/[\\`]|\$(?=\{)/g, "\\$&")}\``;
}

function main(): void {
  const pages = readPages();
  const outputs = [
    [INDEX, indexText(pages)],
    [MODULE, moduleText(pages)],
  ] as const;
  const problems = [...pageProblems(pages), ...codeProblems(pages)];
  if (process.argv.includes("--check")) {
    for (const [file, text] of outputs) {
      if (readOr(file) === text) continue;
      problems.push(`${relative(ROOT, file)} is not current: run node tools/findings-index.ts`);
    }
  } else for (const [file, text] of outputs) writeFileSync(file, text);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`findings: ${pages.length} pages`);
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

if (import.meta.main) main();
