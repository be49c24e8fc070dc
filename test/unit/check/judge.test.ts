import { describe, expect, test } from "vitest";
import type { Finding } from "../../../src/base/finding.ts";
import type { PackageChange } from "../../../src/boot/changes/package-change.ts";
import { judge } from "../../../src/check/judge.ts";
import { HOST_RULES, LINUX_RULES, RULES } from "../../../src/check/rules.ts";
import { bareGuest, goodDisk, goodGuest, guestWith } from "../../support/facts.ts";

const finding = (code: string, severity: Finding["severity"]): Finding => ({
  code,
  severity,
  where: ["x"],
  what: "what",
  why: "why",
  next: "next",
});

const codes = (findings: readonly Finding[]) => findings.map(({ code }) => code);

describe("verdict", () => {
  test("a good guest boots, and there is nothing to say", () => {
    expect(judge(goodGuest())).toEqual({ verdict: "boots", findings: [] });
  });

  test("an error fails it, whoever found it", () => {
    const own = guestWith({ config: { findings: [finding("config-value", "error")] } });
    const damage = { ...finding("gpt-primary-damaged", "error"), where: ["xvda", "GPT"] };
    const disk = guestWith({ disk: { findings: [damage] } });
    const loader = guestWith({ boot: { findings: [finding("grub-syntax", "error")] } });
    const rule = guestWith({ kernel: { packing: "zstd" } });
    for (const facts of [own, disk, loader, rule]) expect(judge(facts).verdict).toBe("fails");
  });

  test("damage to what the boot does not need is told, and stops nothing", () => {
    const at = (...where: string[]) => ({ ...finding("partition-past-end", "error"), where });
    const verdict = (damage: Finding) => judge(guestWith({ disk: { findings: [damage] } })).verdict;
    expect(verdict(at("xvda", "partition 7"))).toBe("boots");
    expect(verdict(at("xvdb", "GPT"))).toBe("boots");
    expect(verdict(at("xvda", "partition 1", "ext4"))).toBe("fails");
    const [told] = judge(guestWith({ disk: { findings: [at("xvdb", "GPT")] } })).findings;
    expect(told).toEqual(at("xvdb", "GPT"));
  });

  test("what domus-pygrub mends at every start is told, and stops nothing", () => {
    const packed = guestWith({ kernel: { packing: "zstd" } });
    const mended = judge({ ...packed, mendsBoot: true });
    expect(mended.verdict).toBe("boots");
    expect(mended.findings).toMatchObject([{ code: "kernel-packing", severity: "warning" }]);
    expect(mended.findings[0]!.why).toContain("starts all the same");
    expect(judge(packed).findings[0]!.next).toContain('bootloader = "domus-pygrub"');
    // Nobody can hand over what cannot be unpacked.
    const unknown = guestWith({ kernel: { packing: "unknown" } });
    expect(judge({ ...unknown, mendsBoot: true }).verdict).toBe("fails");
    const lost = guestWith({ kernelFile: { state: "missing" } });
    expect(judge({ ...lost, mendsBoot: true }).verdict).toBe("fails");
  });

  test("warnings and notes do not", () => {
    const facts = guestWith({
      config: { onCrash: "destroy", findings: [finding("config-unknown-key", "warning")] },
    });
    expect(judge(facts).verdict).toBe("boots");
  });

  test("what could not be read leaves it unknown, and a finding says what", () => {
    const unread = { kind: "io", where: ["xvda"], op: "open", errno: "EACCES" } as const;
    const cases = {
      "disk-unreadable": guestWith({ disk: { state: "unreadable", failure: unread } }),
      "boot-file-unreadable": guestWith({ kernelFile: { state: "unreadable" } }),
      "root-not-found": guestWith({ root: { where: undefined, complete: false } }),
      "kernel-not-linux": guestWith({ kernel: { xen: { guestOs: "GRUB", legacySection: false } } }),
    };
    for (const [code, facts] of Object.entries(cases)) {
      const { verdict, findings } = judge(facts);
      expect([code, verdict]).toEqual([code, "unknown"]);
      expect(codes(findings)).toContain(code);
    }
  });

  test("an error outweighs what is unknown", () => {
    const facts = guestWith({
      kernel: { packing: "zstd" },
      root: { where: undefined, complete: false },
    });
    expect(judge(facts).verdict).toBe("fails");
  });

  test("the mark is not handed on", () => {
    const { findings } = judge(guestWith({ root: { where: undefined, complete: false } }));
    expect(Object.keys(findings[0]!)).toEqual(["code", "severity", "where", "what", "why", "next"]);
  });

  test("what Linux would do is not asked of another kernel", () => {
    const facts = guestWith({
      kernel: { xen: { guestOs: "GRUB", legacySection: false } },
      boot: { root: undefined, args: "", initramfs: [], files: [] },
    });
    expect(codes(judge(facts).findings)).toEqual(["kernel-not-linux"]);
  });
});

describe("order", () => {
  test("by severity, then as the boot would hit them", () => {
    const facts = guestWith({
      config: { onCrash: "destroy", findings: [finding("config-unknown-key", "warning")] },
      disk: { findings: [finding("partition-overlap", "warning")] },
      kernel: { packing: "zstd" },
      segment: { compression: "zstd" },
      boot: { args: "root=x console=tty0" },
      root: { where: undefined },
      volume: { clean: false },
    });
    expect(judge(facts).findings.map(({ code, severity }) => `${severity} ${code}`)).toEqual([
      "error kernel-packing",
      "error initramfs-compression",
      "error root-not-found",
      "warning config-unknown-key",
      "warning partition-overlap",
      "warning console-missing",
      "note filesystem-dirty",
      "note on-crash-evidence",
    ]);
  });

  test("the two lists are all the rules, and no code comes twice", () => {
    expect(RULES).toEqual([...HOST_RULES, ...LINUX_RULES]);
    expect(new Set(RULES.map(({ code }) => code)).size).toBe(RULES.length);
  });
});

describe("recent-change", () => {
  const upgrade: PackageChange = {
    time: Date.UTC(2021, 11, 14, 9) / 1000,
    zoneKnown: true,
    action: "upgrade",
    package: "mkinitcpio",
    from: "29-1",
    to: "31-1",
    manager: "pacman",
    where: ["xvda", "partition 1", "ext4", "/var/log/pacman.log", "line 812"],
    command: "pacman -Syu",
  };

  test("names the change that switched the compression", () => {
    const facts = guestWith({ segment: { compression: "zstd" }, guest: { changes: [upgrade] } });
    const { findings } = judge(facts);
    expect(codes(findings)).toEqual(["initramfs-compression", "recent-change"]);
    expect(findings[1]).toMatchInlineSnapshot(`
      {
        "code": "recent-change",
        "next": "domus history pandora lists what else was changed, and when.",
        "severity": "note",
        "what": "On 2021-12-14 pacman (pacman -Syu) upgraded mkinitcpio 29-1 to 31-1.",
        "where": [
          "xvda",
          "partition 1",
          "ext4",
          "/var/log/pacman.log",
          "line 812",
        ],
        "why": "This explains initramfs-compression: mkinitcpio compresses with zstd instead of gzip by default since version 30 (February 2021); mkinitcpio went from 29-1 to 31-1.",
      }
    `);
  });

  test("is silent without an error, and without a change that explains it", () => {
    expect(judge(guestWith({ guest: { changes: [upgrade] } })).findings).toEqual([]);
    const warned = guestWith({
      guest: { changes: [upgrade] },
      host: { inflatesRamdisk: false },
      initramfs: { init: true, junkAt: 512 },
      config: { findings: [finding("initramfs-compression", "warning")] },
    });
    expect(codes(judge(warned).findings)).toEqual(["initramfs-compression", "initramfs-junk"]);
    const other = { ...upgrade, package: "nano" };
    const facts = guestWith({ segment: { compression: "zstd" }, guest: { changes: [other] } });
    expect(codes(judge(facts).findings)).toEqual(["initramfs-compression"]);
  });
});

test("a guest of which nothing is known", () => {
  expect(judge(bareGuest()).verdict).toBe("fails");
  const unread = { ...goodDisk(), state: "not-read" as const, volumes: [] };
  const { config } = guestWith({ config: { bootloader: "/usr/local/bin/fetch-kernel" } });
  expect(judge({ ...bareGuest(), config, disks: [unread] }).verdict).toBe("unknown");
});
