import { expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import { parseVolumes } from "../../../../src/guest/rehearse/volumes.ts";
import { survivesMutation } from "../../../support/mutate.ts";

/** As lvm2 2.03.16 prints it. */
const row = (name: string, attributes: string, size = "104857600") =>
  `{"lv_name":"${name}", "vg_name":"vg0", "lv_attr":"${attributes}", "lv_size":"${size}", "vg_free":"4194304"}`;
const report = (...rows: string[]) =>
  `  {\n      "report": [\n          {\n              "lv": [\n ${rows.join(",\n")}\n  ]\n          }\n      ]\n  }\n`;

test("what kind of a volume it is", () => {
  const volume = { group: "vg0", sizeBytes: 104_857_600, freeBytes: 4_194_304 };
  const plain = { thin: false, isSnapshot: false, isInvalid: false };
  expect(
    parseVolumes(
      report(
        row("a", "-wi-ao----"),
        row("o", "owi-a-s---"),
        row("s", "swi-a-s---"),
        row("full", "swi-I-s---"),
        row("thin", "Vwi-aotz--"),
        row("odd", "-wi-a-----", ""),
      ),
    ),
  ).toEqual([
    { ...volume, ...plain, name: "a" },
    { ...volume, ...plain, name: "o" },
    { ...volume, ...plain, name: "s", isSnapshot: true },
    { ...volume, ...plain, name: "full", isSnapshot: true, isInvalid: true },
    { ...volume, ...plain, name: "thin", thin: true },
  ]);
  expect(parseVolumes(report())).toEqual([]);
});

test("what is no report is corrupt, however it is damaged", async () => {
  for (const text of ["", "null", "{}", `{"report":5}`])
    expect(attemptSync(() => parseVolumes(text))).toMatchObject({ failure: { kind: "corrupt" } });
  const bytes = new TextEncoder().encode(report(row("a", "-wi-ao----"), row("b", "swi-I-s---")));
  const parse = (damaged: Uint8Array) => parseVolumes(new TextDecoder().decode(damaged));
  const { values } = await survivesMutation([bytes], parse, { count: 1000 });
  expect(values).toBeGreaterThan(0);
});
