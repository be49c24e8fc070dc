import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FailureError } from "../../../src/base/failure.ts";
import { parseXlListLong, parseXlListVerbose } from "../../../src/xen/xl-list.ts";
import { survivesMutation } from "../../support/mutate.ts";
import { domainJson, PANDORA_UUID } from "../../support/save-image.ts";
import { xlList } from "../../support/dom0.ts";

const CORPUS = join(import.meta.dirname, "..", "..", "corpus", "xl-list");
const RELEASES = ["4.14", "4.17"];

/** Printed by Xen 4.17. */
const TABLE = `Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label
Domain-0                                     0  1024     1     r-----     284.6 00000000-0000-0000-0000-000000000000        -                -
pandora                                      2   128     1     ---sc-      25.2 822e57d0-1279-42d4-ac91-63be99d78339        3                -
`;

describe("xl list -v", () => {
  test("is read as Xen prints it", () => {
    expect(parseXlListVerbose(TABLE)).toEqual([
      expect.objectContaining({ domid: 0, name: "Domain-0", state: "running" }),
      {
        domid: 2,
        name: "pandora",
        uuid: "822e57d0-1279-42d4-ac91-63be99d78339",
        memoryMib: 128,
        vcpus: 1,
        state: "crashed",
        cpuSeconds: 25.2,
        doubtful: false,
      },
    ]);
  });

  test.each([
    ["r-----", "running"],
    ["-b----", "running"],
    ["------", "running"],
    ["--p---", "paused"],
    ["--ps--", "shut-down"],
    ["---sr-", "shut-down"],
    ["---ss-", "suspended"],
    ["---sc-", "crashed"],
    ["---sw-", "crashed"],
    ["--ps-d", "dying"],
  ])("%s is %s", (flags, state) => {
    const { "xl list -v": table } = xlList([{ domid: 5, name: "a b", uuid: PANDORA_UUID, flags }]);
    expect(parseXlListVerbose(table!).at(-1)).toMatchObject({ domid: 5, name: "a b", state });
  });

  test("a name that forges a row makes the domain doubtful, and no other", () => {
    const forged = xlList([{ domid: 7, name: "mail", uuid: PANDORA_UUID }])["xl list -v"]!;
    const row = forged.trimEnd().split("\n").at(-1)!;
    const evil = { domid: 9, name: `x\n${row}\ny`, uuid: PANDORA_UUID };
    const { "xl list -v": table } = xlList([{ domid: 7, name: "mail", uuid: PANDORA_UUID }, evil]);
    const rows = parseXlListVerbose(table!);
    expect(rows.map(({ domid, doubtful }) => [domid, doubtful])).toEqual([
      [0, false],
      [7, true],
      [7, true],
      [9, false],
    ]);
  });
});

test.each(RELEASES)("what Xen %s prints of a guest is read, dom0 included", (release) => {
  const read = (name: string) => readFileSync(join(CORPUS, `${release}-${name}`), "utf8");
  const rows = parseXlListVerbose(read("verbose.txt"));
  expect(rows.map(({ domid, name, state }) => [domid, name, state])).toEqual([
    [0, "Domain-0", "running"],
    [1, "pandora", "running"],
  ]);
  const [dom0, pandora] = parseXlListLong(read("long.json"));
  expect(dom0).toMatchObject({ domid: 0, guest: { name: "Domain-0", disks: [] } });
  expect(pandora).toEqual({
    domid: 1,
    guest: {
      name: "pandora",
      uuid: rows[1]!.uuid,
      type: "pv",
      memoryKib: 96 * 1024,
      maxMemoryKib: 128 * 1024,
      vcpus: 1,
      maxVcpus: 2,
      disks: [
        {
          vdev: "xvda",
          target: "/dev/vg0/pandora-disk",
          format: "raw",
          readonly: false,
          cdrom: false,
          elsewhere: false,
        },
      ],
      nics: [{ mac: "00:16:3e:00:00:01", bridge: "xenbr0" }],
      onCrash: "preserve",
    },
  });
});

describe("xl list -l", () => {
  test("has the live configuration of each domain", () => {
    const { "xl list -l": text } = xlList([
      { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: domainJson() },
    ]);
    expect(parseXlListLong(text!)[1]).toMatchObject({
      domid: 3,
      guest: { name: "pandora", uuid: PANDORA_UUID, memoryKib: 131072 },
    });
  });

  test.each(["", "{}", "xl: no", '[{"domid": 1, "config": null}]'])("%j is refused", (text) => {
    expect(() => parseXlListLong(text)).toThrow(FailureError);
  });

  test("damaged answers end in a value or a failure", async () => {
    const domain = { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: domainJson() };
    const texts = Object.values(xlList([domain])).map((text) => Buffer.from(text));
    await survivesMutation(texts, (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      parseXlListVerbose(text);
      return parseXlListLong(text);
    });
  });
});
