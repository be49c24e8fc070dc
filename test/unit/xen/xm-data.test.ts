import { describe, expect, test } from "vitest";
import { parseDomainConfig } from "../../../src/xen/domain-config.ts";
import { readXmData } from "../../../src/xen/xm-data.ts";
import { survivesMutation } from "../../support/mutate.ts";

const XM = `# -*- mode: python; -*-
import os, re
VG = "/dev/vg0"
name = "pan" + 'dora'
memory = 512; vcpus = 2
bootloader = r'pygrub'
disk = [ 'phy:%s/%s,xvda,w' % (VG, name),
         "phy:%s/swap,xvdb,w" % VG, ]  # two
vif = ( 'mac=00:16:3e:00:00:01,' \\
        'bridge=br0', )
extra = """console=hvc0
ro"""
localtime = True
on_crash = None
if memory > 256:
    memory = 1024
root = os.path.join("/dev", "xvda1")
`;

describe("a config for xm", () => {
  const { config, findings, failures } = parseDomainConfig(XM, { path: "pandora" });

  test("its data is read", () => {
    expect(config).toMatchObject({ name: "pandora", memory: 512, vcpus: 2, bootloader: "pygrub" });
    expect(config!.disks.map(({ target, vdev }) => [target, vdev])).toEqual([
      ["/dev/vg0/pandora", "xvda"],
      ["/dev/vg0/swap", "xvdb"],
    ]);
    expect(config!.vifs[0]).toMatchObject({ mac: "00:16:3e:00:00:01", bridge: "br0" });
    expect(config!.cmdline).toBe("console=hvc0\nro");
    expect(config!.onCrashWritten).toBe(false);
  });

  test("xl refuses it, and what is code is named with its place", () => {
    expect(failures.length).toBeGreaterThan(0);
    expect(findings[0]).toMatchObject({ code: "config-xm-python", severity: "error" });
    const code = findings.filter((one) => one.code === "config-xm-code");
    expect(code.map(({ where, what }) => [where.at(-1), what.split(": ").at(-1)])).toEqual([
      ["line 2, column 1", "import os, re"],
      ["line 15, column 1", "if memory > 256:"],
      ["line 16, column 5", "memory = 1024"],
      ["line 17, column 1", 'root = os.path.join("/dev", "xvda1")'],
    ]);
  });

  test("lines stay where they were", () => {
    const lines = readXmData(XM).text.split("\n");
    expect(lines[3]).toBe('name = "pandora"');
    expect(lines[4]).toBe("memory = 512; vcpus = 2");
    expect(lines[12]).toBe("localtime = 1");
  });

  test.each([
    ["x = 'a' % 'b'"],
    ["x = '%d' % 'b'"],
    ["x = 'a' + 1"],
    ["x = y"],
    ["x = {'a': 1}"],
    ["x = f('a')"],
    ["x = 'a"],
    ["x == 1"],
    ["def f(): pass"],
    [`x = ${"[".repeat(100)}`],
  ])("%s is no data", (text) => {
    expect(readXmData(`${text}\n`)).toMatchObject({ text: "\n", code: [{ line: 1, column: 1 }] });
  });

  test("names that grow and grow end within the bound", () => {
    const { text } = readXmData(`a = 'x'\n${"a = a + a\n".repeat(200)}`);
    expect(text.length).toBeLessThan(20_000_000);
  });

  test("survives mutation", async () => {
    const run = (bytes: Uint8Array) =>
      parseDomainConfig(Buffer.from(bytes).toString("latin1"), { path: "x" });
    await survivesMutation([Buffer.from(XM)], run, { count: 200 });
  });
});
