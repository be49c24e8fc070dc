/** What check says of guests, against what becomes of them on real Xen 4.17. All cases: `npm run oracle -- --cases all`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CASES } from "../../lab/oracle/cases.ts";
import { resultTable, type OracleResult } from "../../lab/oracle/report.ts";
import { runCases } from "../../lab/oracle/run.ts";
import type { LabHost } from "../../lab/host.ts";
import { testHost } from "../support/lab.ts";
import { need } from "../support/need.ts";

const SUBSET = CASES.filter((one) => one.subset === true && one.releases.includes("bookworm"));

let host: LabHost;
let results: readonly OracleResult[];

beforeAll(async () => {
  need("cpio", "gzip", "bzip2", "lzop", "lz4", "xz", "zstd", "mkfs.ext4", "mkfs.btrfs", "sfdisk");
  host = await testHost({ name: "test-oracle", release: "bookworm" });
  results = await runCases(host, SUBSET);
});

afterAll(() => host.remove());

describe("a guest on Xen 4.17", () => {
  test.each(SUBSET.map(({ name }, index) => [name, index] as const))("%s", (_, index) => {
    const result = results[index]!;
    const { comparison, seen } = result;
    expect(comparison.problems, `${seen.xl}\n${seen.console.slice(-2000)}`).toEqual([]);
  });

  test("some boot and some do not", () => {
    const booted = results.filter(({ seen }) => seen.outcome === "userland").length;
    expect(booted, resultTable(results)).toBeGreaterThanOrEqual(4);
    expect(results.length - booted, resultTable(results)).toBeGreaterThanOrEqual(6);
  });
});
