import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PAGES } from "../../../src/check/pages.generated.ts";
import { RECENT_CHANGE } from "../../../src/check/recent-change.ts";
import { RULES } from "../../../src/check/rules.ts";
import {
  codeProblems,
  indexText,
  moduleText,
  pageProblems,
  readPages,
} from "../../../tools/findings-index.ts";

const ROOT = join(import.meta.dirname, "../../..");
const text = (path: string) => readFileSync(join(ROOT, path), "utf8");

describe("pages of findings", () => {
  const pages = readPages();

  test("every rule has one, with its severity", () => {
    const codes = pages.map(({ code }) => code);
    expect([...RULES, RECENT_CHANGE].filter(({ code }) => !codes.includes(code))).toEqual([]);
    expect(pageProblems(pages)).toEqual([]);
  });

  test("every code that is raised has one, and every page a code", () => {
    expect(codeProblems(pages)).toEqual([]);
  });

  test("every link leads to a page", () => {
    for (const { code, page } of pages) {
      for (const [, to] of page.matchAll(/\]\(([\w-]+)\.md\)/g))
        expect(PAGES, code).toHaveProperty([to!]);
    }
  });

  test("a rule file is named after its code", () => {
    for (const { code } of RULES) expect(text(`src/check/rules/${code}.ts`)).toContain(`"${code}"`);
  });

  test("the index and the module in the executable are current", () => {
    expect(text("docs/reference/findings/README.md")).toBe(indexText(pages));
    expect(text("src/check/pages.generated.ts")).toBe(moduleText(pages));
    expect(PAGES["initramfs-compression"]?.page).toBe(
      text("docs/reference/findings/initramfs-compression.md"),
    );
  });

  test("a page without its parts is a problem", () => {
    const bad = { code: "x-y", severity: "", summary: "", page: "# other\n" };
    expect(pageProblems([bad])).toHaveLength(4);
    expect(codeProblems([bad]).at(-1)).toBe(
      "docs/reference/findings/x-y.md: nothing in src/ raises x-y",
    );
  });
});
