import { expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import { parseVolumes, readVolume } from "../../../../src/guest/rehearse/volumes.ts";
import { fakeDom0 } from "../../../support/dom0.ts";
import { survivesMutation } from "../../../support/mutate.ts";

/** As lvm2 2.03.16 prints it. */
const row = (name: string, attributes: string, { size = "104857600", pool = "", used = "" } = {}) =>
  `{"lv_name":"${name}", "vg_name":"vg0", "lv_attr":"${attributes}", "lv_size":"${size}", "vg_free":"4194304", "pool_lv":"${pool}", "data_percent":"${used}"}`;
const report = (...rows: string[]) =>
  `  {\n      "report": [\n          {\n              "lv": [\n ${rows.join(",\n")}\n  ]\n          }\n      ]\n  }\n`;

test("what kind of a volume it is", () => {
  const volume = { group: "vg0", room: "vg0", sizeBytes: 104_857_600, freeBytes: 4_194_304 };
  const plain = { thin: false, usedPercent: 100, isSnapshot: false, isInvalid: false };
  expect(
    parseVolumes(
      report(
        row("a", "-wi-ao----"),
        row("o", "owi-a-s---"),
        row("s", "swi-a-s---"),
        row("full", "swi-I-s---"),
        row("thin", "Vwi-aotz--", { pool: "pool", used: "12.50" }),
        row("pool", "twi-aotz--", { used: "60.25" }),
        row("odd", "-wi-a-----", { size: "" }),
      ),
    ),
  ).toEqual([
    { ...volume, ...plain, name: "a" },
    { ...volume, ...plain, name: "o" },
    { ...volume, ...plain, name: "s", isSnapshot: true },
    { ...volume, ...plain, name: "full", isSnapshot: true, isInvalid: true },
    { ...volume, ...plain, name: "thin", thin: true, room: "vg0/pool", usedPercent: 12.5 },
    { ...volume, ...plain, name: "pool", usedPercent: 60.25 },
  ]);
  expect(parseVolumes(report())).toEqual([]);
});

test("a thin volume has the room of its pool; none where the pool does not say", async () => {
  const asked = (path: string) =>
    `lvs --reportformat json --units b --nosuffix -o lv_name,vg_name,lv_attr,lv_size,vg_free,pool_lv,data_percent -- ${path}`;
  const roomWith = async (pool: string) => {
    const programs = {
      [asked("/dev/vg0/thin")]: report(row("thin", "Vwi-aotz--", { pool: "pool", used: "1.00" })),
      [asked("vg0/pool")]: pool,
    };
    return (await readVolume(fakeDom0({ files: {}, programs }), "/dev/vg0/thin"))?.freeBytes;
  };
  expect(await roomWith(report(row("pool", "twi-aotz--", { used: "75.00" })))).toBe(26_214_400);
  expect(await roomWith(report(row("pool", "twi---tz--")))).toBe(0);
  expect(await roomWith(report())).toBe(0);
});

test("what is no report is corrupt, however it is damaged", async () => {
  for (const text of ["", "null", "{}", `{"report":5}`])
    expect(attemptSync(() => parseVolumes(text))).toMatchObject({ failure: { kind: "corrupt" } });
  const bytes = new TextEncoder().encode(report(row("a", "-wi-ao----"), row("b", "swi-I-s---")));
  const parse = (damaged: Uint8Array) => parseVolumes(new TextDecoder().decode(damaged));
  const { values } = await survivesMutation([bytes], parse, { count: 1000 });
  expect(values).toBeGreaterThan(0);
});
