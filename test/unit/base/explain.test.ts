import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { explainFailure } from "../../../src/base/explain.ts";
import type { Failure } from "../../../src/base/failure.ts";

const where = ["xvda", "partition 2", "ext4"];

/** One of each kind, and both codes of `io`. */
const FAILURES: Record<string, Failure> = {
  "io-failed": { kind: "io", where, op: "read", errno: "EIO" },
  "not-permitted": { kind: "io", where, op: "open", errno: "EACCES" },
  "corrupt-data": { kind: "corrupt", where, found: "magic 0x0", expected: "0xef53" },
  "not-supported": { kind: "unsupported", where, feature: "the bigalloc feature" },
  "not-found": { kind: "missing", where, what: "/boot/vmlinuz" },
  "limit-reached": { kind: "limit", where, what: "the number of entries", limit: "300000" },
  "syntax-error": {
    kind: "syntax",
    where: ["a.cfg"],
    line: 3,
    column: 7,
    found: "True",
    expected: "a value",
  },
  usage: { kind: "misuse", where: [], what: "This is a disk.", next: "Name a config." },
  refused: {
    kind: "refused",
    where,
    what: "/dev/a is in use.",
    why: "It is mounted.",
    next: "Unmount it.",
  },
  "remote-failed": { kind: "remote", where, what: "No ssh.", why: "No route.", next: "Try ssh." },
  "command-failed": { kind: "failed", where, what: "xl failed.", why: "No disk.", next: "Look." },
};

test("every kind has its code and its text", () => {
  for (const [code, failure] of Object.entries(FAILURES))
    expect(explainFailure(failure).code).toBe(code);
  expect(Object.values(FAILURES).map(explainFailure)).toMatchSnapshot();
});

test("an errno that is not in the table is given as it is, whatever it is called", () => {
  for (const errno of ["EXDEV", "constructor", "toString", ""]) {
    const { code, why } = explainFailure({ kind: "io", where, op: "read", errno });
    expect(code).toBe("io-failed");
    expect(why).toBe(`The system says ${errno}.`);
  }
});

test("docs/reference/errors.md lists these codes and no others", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/reference/errors.md"), "utf8");
  const listed = [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  expect(listed).toEqual(Object.keys(FAILURES));
});
