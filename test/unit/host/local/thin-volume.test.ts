import { describe, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { readThinVolume } from "../../../../src/host/local/thin-volume.ts";

/** Answers of `dmsetup table`, by device number. */
function host(tables: Readonly<Record<string, string>>) {
  return {
    run: async (argv: readonly string[]) => {
      expect(argv.slice(0, 2)).toEqual(["dmsetup", "table"]);
      const [, , , major, , minor] = argv;
      const stdout = tables[`${major}:${minor}`];
      return { argv, exitCode: stdout === undefined ? 1 : 0, stdout: stdout ?? "", stderr: "" };
    },
  };
}

const POOL = "0 409600 thin-pool 253:0 253:1 128 0 1";

describe("a thin volume", () => {
  test("is one by its table, and its pool says whether new blocks are zeroed", async () => {
    const volume = "0 2097152 thin 253:2 1\n";
    expect(await readThinVolume(host({ "253:4": volume, "253:2": `${POOL}\n` }), "253:4")).toEqual({
      zeroesNewBlocks: true,
    });
    const careless = `${POOL.slice(0, -1)}2 skip_block_zeroing no_discard_passdown\n`;
    expect(await readThinVolume(host({ "253:4": volume, "253:2": careless }), "253:4")).toEqual({
      zeroesNewBlocks: false,
    });
  });

  test("is not one with an origin outside of the pool, which shows through", async () => {
    const volume = "0 2097152 thin 253:2 1 253:9\n";
    expect(await readThinVolume(host({ "253:4": volume, "253:2": POOL }), "253:4")).toBeUndefined();
  });

  test("is not one when it is something else, when it has two parts, and when nobody can say", async () => {
    const part = "0 2097152 thin 253:2 1";
    const tables = {
      "253:5": "0 8192 linear 8:1 2048\n",
      "253:6": `${part}\n${part.replace("0", "2097152")}\n`,
      "253:7": "0 2097152 thin 253:200 1\n",
      "253:8": "",
    };
    for (const number of [...Object.keys(tables), "253:99", "nonsense"])
      expect(await readThinVolume(host(tables), number)).toBeUndefined();
    const run = () => Promise.reject(ioFailure(["dmsetup"], "start", "EACCES"));
    expect(await readThinVolume({ run }, "253:5")).toBeUndefined();
  });
});
