import { describe, expect, test } from "vitest";
import { decodeText } from "../../../src/bytes/text.ts";
import { parseDomainConfig } from "../../../src/xen/domain-config.ts";
import { survivesMutation } from "../../support/mutate.ts";

const PANDORA = `name = "pandora"
uuid = "7DD70D12-6A8B-4A45-9D1C-0C7A3E0B1C2D"
memory = 2048
vcpus = 2
bootloader = "pygrub"
bootloader_args = [ "--quiet" ]
root = "/dev/xvda1"
extra = "console=hvc0"
disk = [ 'phy:/dev/vg0/pandora,xvda,w',
         '/srv/iso/d.iso,raw,hdc,cdrom' ]
vif = [ 'mac=00:16:3e:1:2:3,bridge=xenbr1' ]
on_crash = "preserve"
`;

const parse = (text: string, xen?: { major: number; minor: number; extra: string }) =>
  parseDomainConfig(text, { path: "/etc/xen/pandora.cfg", ...(xen && { xen }) });

/** `warning config-value line 3` */
function heads(text: string): string[] {
  return parse(text).findings.map(
    ({ severity, code, where }) => `${severity} ${code} ${where[1] ?? "file"}`,
  );
}

const MINIMAL = "name='g'\nkernel='k'\nmemory=64\n";

test("a config in everyday use", () => {
  const { config, findings, failures } = parse(PANDORA);
  expect(findings).toEqual([]);
  expect(failures).toEqual([]);
  expect(config).toMatchObject({
    where: ["/etc/xen/pandora.cfg"],
    name: "pandora",
    uuid: "7dd70d12-6a8b-4a45-9d1c-0c7a3e0b1c2d",
    type: "pv",
    memory: 2048,
    maxmem: 2048,
    vcpus: 2,
    maxvcpus: 2,
    cmdline: "root=/dev/xvda1 console=hvc0",
    bootloader: "pygrub",
    bootloaderArgs: ["--quiet"],
    pvshim: false,
    disks: [
      { target: "/dev/vg0/pandora", vdev: "xvda", readonly: false, deprecated: ["phy:"] },
      { target: "/srv/iso/d.iso", vdev: "hdc", readonly: true, cdrom: true },
    ],
    vifs: [{ mac: "00:16:3e:01:02:03", bridge: "xenbr1" }],
    onPoweroff: "destroy",
    onReboot: "restart",
    onCrash: "preserve",
    onCrashWritten: true,
  });
  expect(config!.lines.get("disk")).toBe(9);
});

const suggestion = (key: string) =>
  /did you mean (\w+)/.exec(parse(`${MINIMAL}${key}=1\n`).findings[0]!.what)?.[1];

describe("findings", () => {
  test.each([
    ["memroy = 4096", "warning config-unknown-key line 4"],
    ["dhcp = 'on'", "note config-xm-key line 4"],
    ["memory = 128", "warning config-repeated-key line 4"],
    ["disk = 'phy:/dev/x,xvda,w'", "error config-disk-not-a-list line 4"],
    ["disk = ['nonsense']", "error config-disk-spec line 4"],
    ["disk = ['/a,raw,foo']", "error config-disk-spec line 4"],
    ["disk = ['/a,raw,xvda',\n'/b,raw,51712']", "error config-duplicate-vdev line 5"],
    ["disk = ['/a,raw,xvda', ['/b,raw,xvdb']]", "warning config-value line 4"],
    ["vif = ['brige=br0']", "warning config-vif-spec line 4"],
    ["vif = ['rate=fast']", "error config-vif-spec line 4"],
    ["vif = 'bridge=br0'", "warning config-value line 4"],
    ["on_crash = 'ignore'", "error config-value line 4"],
    ["type = 'xvm'", "error config-value line 4"],
    ["type = 'h'", "warning config-value line 4"],
    ["type = 'pvh'\nbuilder = 'hvm'", "error config-value line 5"],
    ["uuid = 'x'", "error config-value line 4"],
    ["vcpus = 010", "warning config-value line 4"],
    ["vcpus = 4\nmaxvcpus = 2", "error config-value line 5"],
    ["maxmem = 'lots'", "warning config-value line 4"],
    ["maxmem += 5", "warning config-value line 4"],
    ["ramdisk = ['/r']", "warning config-value line 4"],
    ["cmdline = 'a'\nextra = 'b'", "warning config-ignored-key line 5"],
    ["device_model = 'q'", "note config-ignored-key line 4"],
    ["pci_seize = [1]", "warning config-value line 4"],
    ["usbdev = 1", "warning config-value line 4"],
    [String.raw`extra = 'a\101b'`, "warning config-value line 4"],
    ["firmware = 'pvgrub64'", "error config-value line 4"],
  ])("%s", (line, expected) => {
    expect(heads(`${MINIMAL}${line}\n`)).toEqual([expected]);
  });

  test("what must be there", () => {
    expect(heads("kernel='k'\nmemory=1\n")).toEqual(["error config-missing-key file"]);
    expect(parse("kernel='k'\nmemory=1\n").config).toBeUndefined();
    expect(heads("name='g'\nmemory=1\n")).toEqual(["error config-missing-key file"]);
    expect(heads("name='g'\ntype='hvm'\nmemory=1\n")).toEqual([]);
    expect(heads("name='g'\nkernel='k'\n")).toEqual(["warning config-value file"]);
    expect(parse("name='g'\nkernel='k'\n").config?.memory).toBe(32);
  });

  test("a guest named by a number", () => {
    expect(heads("name='33'\nkernel='k'\nmemory=1\n")).toEqual(["warning config-value line 1"]);
  });

  test("keys that came later than this Xen", () => {
    const text = `${MINIMAL}bootloader_restrict=1\nvpmu=0\n`;
    const keys = (minor: number) =>
      parse(text, { major: 4, minor, extra: "" }).findings.map(({ what }) => what.split(" ")[7]);
    expect(keys(18)).toEqual([]);
    expect(keys(17)).toEqual(["bootloader_restrict;"]);
    expect(keys(14)).toEqual(["bootloader_restrict;", "vpmu;"]);
  });

  test("one finding for all Python, one for all line ends", () => {
    const python = parse("import os\nvnc = True\nname = 'a' 'b'\n");
    expect(python.findings.slice(0, 2).map(({ code, what }) => [code, what])).toEqual([
      [
        "config-xm-python",
        "This is an xm config, written in Python: it has the Python statement import, and on 1 more line.",
      ],
      ["config-syntax", expect.stringContaining("found 'b'")],
    ]);
    expect(python.failures).toHaveLength(3);
    const windows = parse(MINIMAL.replaceAll("\n", "\r\n"));
    expect(windows.findings).toHaveLength(1);
    expect(windows.findings[0]).toMatchObject({
      code: "config-syntax",
      what: "The file has Windows line ends (CRLF), and on 2 more lines.",
      next: "sed -i 's/\\r$//' /etc/xen/pandora.cfg",
    });
  });

  test("suggestions", () => {
    expect(suggestion("memroy")).toBe("memory");
    expect(suggestion("vcpu")).toBe("vcpus");
    expect(suggestion("boot_loader")).toBe("bootloader");
    expect(suggestion("on_crsh")).toBe("on_crash");
    expect(suggestion("comment")).toBeUndefined();
  });

  test("all of it is escaped", () => {
    const { findings } = parse(`${MINIMAL}type = "\\r\u001b[31m"\nvif = ["\u001b]0;x"]\n`);
    expect(findings).toHaveLength(2);
    for (const { what, why, next } of findings) {
      // oxlint-disable-next-line no-control-regex -- looking for them is the test
      expect(`${what}${why}${next}`).not.toMatch(/[\u0000-\u001f]/);
    }
  });
});

describe("HVM and PVH", () => {
  test("the firmware of xm is passed over", () => {
    const text =
      "name='g'\nbuilder='hvm'\nmemory=1\nkernel='/usr/lib/xen/boot/hvmloader'\nboot='cd'\n";
    expect(heads(text)).toEqual(["note config-ignored-key line 4"]);
    expect(parse(text).config).toMatchObject({ type: "hvm", boot: "cd" });
    expect(parse(text).config).not.toHaveProperty("kernel");
  });

  test("pvshim counts for PVH only", () => {
    expect(parse(`${MINIMAL}type='pvh'\npvshim=1\n`).config?.pvshim).toBe(true);
    expect(parse(`${MINIMAL}pvshim=1\n`).config?.pvshim).toBe(false);
  });
});

test("damaged configs give a config or findings", async () => {
  const run = await survivesMutation(
    [new TextEncoder().encode(PANDORA)],
    (bytes) => {
      const { config, findings } = parse(decodeText(bytes));
      if (!config) expect(findings.some(({ severity }) => severity === "error")).toBe(true);
    },
    { count: 1500, maxMs: 200 },
  );
  expect(run.failures).toBe(0);
});
