/** Xen's own verifier of save images, from Debian's package, as the judge of ours and of the images that tests write. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianPackage } from "../../../lab/debian.ts";
import { openLocalBlock } from "../../../src/host/local/block.ts";
import { readSaveImage } from "../../../src/xen/save-image/save-image.ts";
import { randomSource } from "../../support/mutate.ts";
import { need } from "../../support/need.ts";
import {
  libxcContext,
  libxcStream,
  libxlStream,
  pageData,
  record,
  saveImage,
} from "../../support/save-image.ts";

let dir: string;
let verifier: readonly string[];
let python: string;

beforeAll(() => {
  need("python3");
  dir = mkdtempSync(join(tmpdir(), "domus-save-image-"));
  const xen = join(debianPackage("bookworm", "xen-utils-4.17"), "usr/lib/xen-4.17");
  verifier = ["python3", join(xen, "bin/verify-stream-v2"), "-f", "xl", "-v", "-i"];
  python = join(xen, "lib/python");
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function judged(image: Uint8Array) {
  const path = join(dir, "image");
  writeFileSync(path, image);
  const [program, ...args] = [...verifier, path];
  const env = { ...process.env, PYTHONPATH: python };
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env });
  if (status !== 0 && !stderr.includes("Stream Error")) throw new Error(stderr);
  await using file = await openLocalBlock(path, [path]);
  return { xen: status === 0, said: stdout + stderr, domus: await readSaveImage(file) };
}

// Without the device model's keys: under Python 3 the verifier compares a number with a string there, and refuses them all.
const PV = saveImage({ stream: libxlStream({ records: [libxcContext()] }) });
const HVM = saveImage({
  stream: libxlStream({
    records: [
      libxcContext(
        libxcStream({
          type: 2,
          xen: [4, 14],
          version: 2,
          records: [pageData(7, 5), record(9, Buffer.alloc(8))],
        }),
      ),
      record(3, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x51])),
    ],
  }),
});

test("both take a PV guest's image and an HVM guest's, and see the same in them", async () => {
  const pv = await judged(PV);
  expect(pv, pv.said).toMatchObject({ xen: true, domus: { end: { kind: "complete" } } });
  expect(pv.said).toContain("Domain Header: x86 PV from Xen 4.17");
  expect(pv.domus?.stream).toMatchObject({ domainType: "pv", xen: { major: 4, minor: 17 } });
  const hvm = await judged(HVM);
  expect(hvm, hvm.said).toMatchObject({ xen: true, domus: { end: { kind: "complete" } } });
  expect(hvm.said).toContain("Domain Header: x86 HVM from Xen 4.14");
  expect(hvm.domus?.stream).toMatchObject({ domainType: "hvm", hasEmulator: true, pages: 5 });
});

test("both refuse an image that is cut off anywhere", async () => {
  const random = randomSource(7);
  const start = PV.indexOf("LibxlFmt");
  const sizes = [start + 4, start + 16, start + 24, PV.length - 1, PV.length - 8, PV.length - 16];
  for (let i = 0; i < 6; i++) sizes.push(start + random(PV.length - start));
  for (const size of sizes) {
    const { xen, said, domus } = await judged(PV.subarray(0, size));
    expect(xen, `cut at ${size}: ${said}`).toBe(false);
    expect(domus?.end, `cut at ${size}`).toMatchObject({ kind: "cut-off", atBytes: size });
  }
});

test.each<[string, Uint8Array]>([
  ["no stream", saveImage({ stream: Buffer.alloc(64) })],
  ["a later libxl", saveImage({ stream: libxlStream({ version: 3 }) })],
  ["no pages in a record of pages", withLibxc({ records: [pageData(0)] })],
  ["an unknown type of domain", withLibxc({ type: 9 })],
  ["other pages", withLibxc({ pageShift: 13 })],
])("both refuse %s", async (_name, image) => {
  const { xen, said, domus } = await judged(image);
  expect(xen, said).toBe(false);
  expect(domus?.end.kind).toBe("unreadable");
});

function withLibxc(options: Parameters<typeof libxcStream>[0]): Buffer {
  const context = libxcContext(libxcStream(options));
  return saveImage({ stream: libxlStream({ records: [context] }) });
}
