/** Guests on image files, and images that the config calls something else. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeSampleHost } from "../../../tools/sample/host.ts";
import { cli } from "../../support/cli.ts";
import { need, sh } from "../../support/need.ts";

let root: string;
/** Of the sample guest. The file is taken away: a second guest with its name would be told of. */
let config: string;
const image = (name: string) => join(root, "srv/xen", name);

/** The sample guest whose boot is sound, as raw, qcow2 and VHD. */
beforeAll(() => {
  need("mkfs.ext4", "sfdisk", "mkswap", "qemu-img");
  root = mkdtempSync(join(tmpdir(), "domus-images-"));
  makeSampleHost(root);
  config = readFileSync(join(root, "etc/xen/web.cfg"), "utf8");
  rmSync(join(root, "etc/xen/web.cfg"));
  const web = image("web.img");
  sh(`qemu-img convert -f raw -O qcow2 -c ${web} ${image("web.qcow2")}`);
  sh(`qemu-img convert -f raw -O vpc -o force_size=on ${web} ${image("web.vhd")}`);
  sh(`qemu-img create -q -f qcow2 -b web.qcow2 -F qcow2 ${image("clone.qcow2")}`);
  mkdirSync(join(root, "out"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A copy of the sample's config with another disk; the verdict and what was found. */
async function check(disk: string, ...flags: string[]) {
  const changed = config.replace(/^disk = .*$/m, `disk = [ '${disk}' ]`);
  writeFileSync(join(root, "etc/xen/other.cfg"), changed);
  const { stdout } = await cli(["check", "--json", ...flags, "--root", root, "/etc/xen/other.cfg"]);
  const { guests } = JSON.parse(stdout) as {
    guests: { verdict: string; findings: { code: string; severity: string; what: string }[] }[];
  };
  const { verdict, findings } = guests[0]!;
  return { verdict, codes: findings.map((one) => `${one.severity} ${one.code}`), findings };
}

describe("a guest on an image", () => {
  test.each(["web.img,raw", "web.qcow2,qcow2", "web.vhd,vhd"])("%s boots", async (disk) => {
    const { verdict, codes } = await check(`/srv/xen/${disk},xvda,rw`);
    expect([verdict, codes]).toEqual(["boots", []]);
  });

  test.each(["web.qcow2", "web.vhd"])("%s is looked into by its name", async (name) => {
    const parts = await cli(["disk", "parts", image(name)]);
    expect(parts.stdout).toMatch(/disk1 .*ext4/);
    const read = await cli(["disk", "cat", image(name), "/etc/fstab"]);
    expect(read.stdout).toMatch(/^UUID=.* \/ ext4/);
  });

  test("with a backing file is not opened, and nobody says that it boots", async () => {
    const { verdict, findings } = await check("/srv/xen/clone.qcow2,qcow2,xvda,rw");
    expect(verdict).toBe("unknown");
    expect(findings.map((one) => one.code)).toContain("disk-unknown-format");
    const parts = await cli(["disk", "parts", image("clone.qcow2")]);
    expect(parts.code).toBe(1);
    expect(parts.stderr).toContain("web.qcow2");
  });

  test("with a backing file that is allowed is read, also through several", async () => {
    sh(`qemu-img create -q -f qcow2 -b ${image("clone.qcow2")} -F qcow2 ${image("again.qcow2")}`);
    const allowed = ["--backing", join(root, "srv/xen")];
    const parts = await cli(["disk", "parts", ...allowed, image("again.qcow2")]);
    expect(parts.stdout).toMatch(/disk1 .*ext4/);
    const elsewhere = await cli(["disk", "parts", "--backing", "/usr", image("clone.qcow2")]);
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr.replace(/\s+/g, " ")).toContain(
      "outside of the directories given with --backing",
    );
    const checked = await check("/srv/xen/clone.qcow2,qcow2,xvda,rw", "--backing", "/srv/xen");
    expect([checked.verdict, checked.codes]).toEqual(["boots", []]);
  });
});

describe("a format that is not the file's", () => {
  test("an image as a raw disk", async () => {
    const { verdict, codes, findings } = await check("/srv/xen/web.qcow2,raw,xvda,rw");
    expect(verdict).toBe("fails");
    expect(codes[0]).toBe("error disk-format-mismatch");
    expect(findings[0]!.what).toBe(
      "The disk xvda is a qcow2 image, and the config gives it to the guest raw.",
    );
  });

  test.each([
    ["web.img,qcow2", "The config says that the disk xvda is a qcow2 image, but it is none."],
    [
      "web.vhd,qcow2",
      "The config says that the disk xvda is a qcow2 image, but it is a vhd image.",
    ],
    ["web.img,vhd", "The config says that the disk xvda is a vhd image, but it is none."],
  ])("%s", async (disk, what) => {
    const { verdict, codes, findings } = await check(`/srv/xen/${disk},xvda,rw`);
    expect(verdict).toBe("fails");
    expect(codes).not.toContain("warning disk-unreadable");
    expect(findings.find((one) => one.code === "disk-format-mismatch")?.what).toBe(what);
  });
});
