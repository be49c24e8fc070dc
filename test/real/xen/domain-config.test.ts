import { describe, expect, test } from "vitest";
import { parseDomainConfig } from "../../../src/xen/domain-config.ts";
import type { DomainConfig } from "../../../src/xen/domain-config.ts";
import type { XlDomainConfig } from "../../support/xl.ts";
import { xlCreate } from "../../support/xl.ts";

const PV = "name = 'g'\nkernel = '/boot/vmlinuz'\n";
const PVH = `${PV}type = 'pvh'\n`;
const HVM = "name = 'g'\ntype = 'hvm'\n";

/** Each is one thing that xl_parse.c decides; together with libxlutil's own cases, all that domus reads. */
const CASES: readonly string[] = [
  PV,
  PVH,
  HVM,
  "",
  "name = 'g'\n",
  "kernel = 'k'\n",
  "name = ['g']\nkernel = 'k'\n",
  "name = ''\nkernel = 'k'\n",
  "name = 33\nkernel = 'k'\n",
  "name = 'g'\nbootloader = 'pygrub'\n",
  "name = 'g'\nbootloader = ['pygrub']\n",
  "name = 'g'\nkernel = 'k'",
  ...["", "p", "pv", "pvh", "pvhx", "h", "hv", "hvm", "HVM", "generic"].map(
    (type) => `${PV}type = '${type}'\n`,
  ),
  ...["", "h", "hvm", "g", "generic", "linux", "pv"].map(
    (builder) => `${PV}builder = '${builder}'\n`,
  ),
  `${HVM}builder = 'hvm'\n`,
  `${HVM}builder = 'generic'\n`,
  `${PVH}builder = 'generic'\n`,
  ...[
    "7dd70d12-6a8b-4a45-9d1c-0c7a3e0b1c2d",
    "7DD70D12-6A8B-4A45-9D1C-0C7A3E0B1C2D",
    "7dd70d12",
    "",
    "7dd70d126a8b4a459d1c0c7a3e0b1c2d",
  ].map((uuid) => `${PV}uuid = '${uuid}'\n`),
  ...[
    "512",
    "0x200",
    "010",
    "'512'",
    "512.5",
    "'512M'",
    "' 7'",
    "'7 '",
    "[512]",
    "''",
    "1e3",
  ].flatMap((n) => (/^(512\.5)$/.test(n) ? [] : [`${PV}memory = ${n}\n`, `${PV}maxmem = ${n}\n`])),
  `${PV}memory = 512\nmaxmem = 1024\n`,
  `${PV}memory = 5\nmemory += 12\n`,
  `${PV}memory += 12\n`,
  `${PV}memory = 1\nmemory = 2\n`,
  ...["1", "4", "0", "'-2'", "'x'", "[2]"].map((n) => `${PV}vcpus = ${n}\n`),
  `${PV}vcpus = 2\nmaxvcpus = 4\n`,
  `${PV}vcpus = 4\nmaxvcpus = 2\n`,
  `${PV}maxvcpus = 4\n`,
  `${PV}vcpus = 2\nmaxvcpus = 0\n`,
  `${PV}ramdisk = '/boot/initrd'\n`,
  `${PV}ramdisk = ['/boot/initrd']\n`,
  ...[
    "root = '/dev/xvda1'\n",
    "extra = 'ro quiet'\n",
    "root = 'a'\nextra = 'b'\n",
    "cmdline = 'c'\n",
    "cmdline = 'c'\nroot = 'a'\n",
    "cmdline = 'c'\nextra = 'b'\n",
    "cmdline = ''\nextra = 'b'\n",
    "root = ''\n",
    "root = ''\nextra = ''\n",
    "extra = 'a'\nextra += ' b'\n",
    "cmdline = ['c']\nextra = 'b'\n",
  ].flatMap((lines) => [PV + lines, HVM + lines]),
  ...[
    "bootloader_args = '-q  --entry=1 '\n",
    "bootloader_args = ['-q', '--entry=1']\n",
    "bootloader_args = ['a b']\n",
    "bootloader_args = []\n",
    "bootloader_args = 5\n",
  ].map((line) => PV + line),
  ...[
    "kernel = 'hvmloader'\n",
    "kernel = '/usr/lib/xen-4.4/boot/hvmloader'\n",
    "kernel = '/boot/hvmloader-x'\n",
    "kernel = '/boot/vmlinuz'\n",
    "kernel = '/x/hvmloader/'\n",
  ].map((line) => HVM + line),
  ...[
    "firmware = 'uefi'\n",
    "firmware = 'ovmf'\n",
    "firmware = 'bios'\n",
    "firmware = '/x/fw.bin'\n",
    "bios = 'ovmf'\n",
    "bios = 'OVMF'\n",
    "bios = 'uefi'\n",
    "bios = 'seabios'\nfirmware = 'ovmf'\n",
    "boot = 'cd'\n",
    "bios = ['ovmf']\n",
  ].map((line) => HVM + line),
  ...["pvgrub64", "pvgrub32", "pvgrub", "p", "ovmf", "pvgrub64x"].flatMap((fw) => [
    `name = 'g'\nfirmware = '${fw}'\n`,
    `${PV}firmware = '${fw}'\n`,
    `name = 'g'\ntype = 'pvh'\nbootloader = 'x'\nfirmware = '${fw}'\n`,
  ]),
  `${PV}bios = 'nonsense'\n`,
  `${PVH}pvshim = 1\n`,
  `${PVH}pvshim = 0\n`,
  `${PVH}pvshim = 'yes'\n`,
  `${PV}pvshim = 1\n`,
  ...["on_poweroff", "on_reboot", "on_crash", "on_watchdog", "on_soft_reset"].flatMap((key) =>
    [
      "destroy",
      "restart",
      "rename-restart",
      "preserve",
      "coredump-destroy",
      "coredump-restart",
      "soft-reset",
      "reboot",
      "",
      "Restart",
    ].map((action) => `${PV}${key} = '${action}'\n`),
  ),
  `${PV}on_crash = ['restart']\n`,
  ...[
    "'phy:/dev/x,xvda,w'",
    "['phy:/dev/x,xvda,w']",
    "['phy:/dev/x,xvda,w', ['phy:/dev/y,xvdb,w'], '/z,raw,xvdc,r']",
    "[]",
    "['/a,raw,xvda,w', '/b.qcow2,qcow2,hdc,cdrom']",
    "['/a,raw,xvda,w!']",
    "['nonsense']",
    "['vdev=xvda,format=raw,access=ro,target=/x y,z']",
    "[5]",
    "['vdev=hdc,cdrom']",
  ].map((disk) => `${PV}disk = ${disk}\n`),
  ...[
    "''",
    "['']",
    "[]",
    "['', '']",
    "['bridge=br0']",
    "['bridge=br0,mac=00:16:3e:1:2:3']",
    "['mac=00-16-3E-aa-bb-cc, bridge = x']",
    "['type=ioemu,model=e1000']",
    "['type=foo']",
    "['brige=br0']",
    "['ip=10.0.0.1,script=vif-route,gatewaydev=eth0']",
    "['netdev=eth0']",
    "['vifname=v0,backend=net']",
    "['devid=3,mtu=1400']",
    "['devid=x']",
    "['mtu=1400 ']",
    "['trusted']",
    "['untrusted']",
    "[',,bridge=b,,']",
    "['bridge=a,bridge=b']",
    "['bridge=']",
    "['accel=1']",
    "['forwarddev=e']",
    "['bridge=b', ['bridge=c'], 'bridge=d']",
  ].map((vif) => `${PV}vif = ${vif}\n`),
  ...[
    "10Mb/s",
    "1MB/s@20ms",
    "10",
    "10Mb",
    "0Mb/s",
    "1GB/s@1s",
    "5KB/s@",
    "5KB/s@3us",
    "5KB/s@0ms",
    "08MB/s",
    "5Mb/s@4295s",
    "5Mb/s@x",
    "4294967296b/s",
    "@20ms",
    "1MB/s@20ms@3",
  ].map((rate) => `${PV}vif = ['rate=${rate}']\n`),
  `${PV}pci = ['01:00.0', '0000:02:00.1,permissive=1']\n`,
  `${PV}pci = '01:00.0'\n`,
  `${PV}memroy = 5\ndhcp = 'x'\nvif2 = []\nvncviewer = 1\ndevice_model = 'x'\n`,
  `${PV}boot = 'c'\n`,
];

/** libxl leaves out of its JSON what has its default. */
const ACTION_DEFAULT = "destroy";

function actionOf(name: string | undefined): string {
  const spelt = (name ?? ACTION_DEFAULT).replaceAll("_", "-");
  return spelt === "restart-rename" ? "rename-restart" : spelt;
}

function theirs({
  c_info,
  b_info,
  disks = [],
  nics = [],
  pcidevs = [],
  ...events
}: XlDomainConfig) {
  const type = c_info.type;
  const hvm = b_info["type.hvm"] as Record<string, unknown> | undefined;
  const pvh = b_info["type.pvh"] as Record<string, unknown> | undefined;
  return {
    name: c_info.name,
    type,
    memory: ((b_info["target_memkb"] ?? b_info["max_memkb"] ?? 32 * 1024) as number) / 1024,
    maxmem: ((b_info["max_memkb"] ?? b_info["target_memkb"] ?? 32 * 1024) as number) / 1024,
    vcpus: ((b_info["avail_vcpus"] ?? [0]) as unknown[]).length || 1,
    maxvcpus: b_info["max_vcpus"] || 1,
    kernel: b_info["kernel"],
    ramdisk: b_info["ramdisk"],
    cmdline: b_info["cmdline"] ?? "",
    bootloader: b_info["bootloader"],
    bootloaderArgs: b_info["bootloader_args"] ?? [],
    boot: hvm?.["boot"],
    bios: hvm?.["bios"],
    pvshim: pvh?.["pvshim"] === "True",
    disks: disks.map((disk) => [
      disk["pdev_path"] ?? "",
      disk["vdev"],
      disk["format"],
      disk["readwrite"] !== 1,
    ]),
    vifs: nics.map((nic) => [
      nic["mac"],
      nic["bridge"],
      nic["gatewaydev"],
      nic["ip"],
      nic["script"],
      nic["backend_domname"],
      nic["ifname"],
      nic["model"],
      nic["nictype"],
      nic["mtu"],
      nic["trusted"],
    ]),
    pci: pcidevs.length,
    events: [
      events.on_poweroff,
      events.on_reboot,
      events.on_watchdog,
      events.on_crash,
      events.on_soft_reset,
    ].map(actionOf),
  };
}

function ours(config: DomainConfig) {
  const { firmware } = config;
  const pvgrub = config.type !== "hvm" && firmware !== undefined;
  return {
    name: config.name,
    type: config.type,
    memory: config.memory,
    maxmem: config.maxmem,
    vcpus: config.vcpus,
    maxvcpus: config.maxvcpus,
    kernel: pvgrub ? expect.stringMatching(new RegExp(`/${firmware}\\.bin$`)) : config.kernel,
    ramdisk: config.ramdisk,
    cmdline: config.cmdline,
    bootloader: config.bootloader,
    bootloaderArgs: config.bootloaderArgs,
    boot: config.type === "hvm" ? config.boot : undefined,
    bios: config.bios,
    pvshim: config.pvshim,
    disks: config.disks.map(({ target, vdev, format, readonly }) => [
      target,
      vdev,
      format,
      readonly,
    ]),
    vifs: config.vifs.map((vif) => [
      vif.mac,
      vif.bridge,
      vif.gatewaydev,
      vif.ip,
      vif.script,
      vif.backend,
      vif.vifname,
      vif.model,
      vif.type === "ioemu" ? "vif_ioemu" : vif.type,
      vif.mtu,
      vif.trusted === undefined ? undefined : vif.trusted ? "True" : "False",
    ]),
    pci: config.pci.length,
    events: [
      config.onPoweroff,
      config.onReboot,
      config.onWatchdog,
      config.onCrash,
      config.onSoftReset,
    ],
  };
}

describe("domus reads a config as xl create does", () => {
  test.each(CASES.map((text) => [text]))("%j", (text) => {
    const xl = xlCreate(text);
    const { config, findings } = parseDomainConfig(text, { path: "guest.cfg" });
    const errors = findings.filter(({ severity }) => severity === "error").map(({ code }) => code);
    if (!xl.config) {
      expect(errors, `xl refuses it: ${xl.stderr}`).not.toEqual([]);
      return;
    }
    // What libxl refuses later, or what leaves the guest without its disks, is an error too.
    expect(
      errors.filter((code) => code !== "config-disk-not-a-list"),
      xl.stderr,
    ).toEqual([]);
    const expected = theirs(xl.config);
    // firmware= of an HVM guest may name the BIOS, too: domus keeps it as it is written
    if (config?.firmware !== undefined) expected.bios = config.bios;
    expect(config && ours(config)).toEqual(expected);
    // Whatever xl says in passing, domus says too (but for what only style is about, and the host's own settings).
    const said = xl.stderr
      .split("\n")
      .filter(
        (line) =>
          /warning|unrecognized|not supported|Invalid|deprecated/i.test(line) &&
          !/bootloader_args|msr_relaxed/.test(line),
      );
    if (said.length > 0) expect(findings, xl.stderr).not.toEqual([]);
  });
});
