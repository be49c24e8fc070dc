/** The demo's sample host through the real commands: what a person sees, and what a script gets. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeSampleHost } from "../../../tools/sample/host.ts";
import { cli } from "../../support/cli.ts";
import { need, scratch, sh } from "../../support/need.ts";

let root: string;

beforeAll(() => {
  need("mkfs.ext4", "sfdisk", "mkswap");
  root = mkdtempSync(join(tmpdir(), "domus-sample-"));
  makeSampleHost(root);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

type Document = {
  domus: number;
  guests: {
    name: string;
    verdict: string;
    plan: { kernel: { version: string }; ramdisk: { compression: string }; entry: string } | null;
    findings: { code: string; severity: string }[];
  }[];
};

async function checkJson(...args: string[]): Promise<Document> {
  const { stdout } = await cli(["check", "--json", "--root", root, ...args]);
  return JSON.parse(stdout) as Document;
}

const errorsOf = (guest: Document["guests"][number]) =>
  guest.findings.filter((one) => one.severity === "error").map((one) => one.code);

describe("check", () => {
  test("the pinned-kernel guest: the first lines say no, why, what changed, what to do", async () => {
    const { code, stdout } = await cli(["check", "--root", root, "pandora"]);
    expect(code).toBe(3);
    const [first = "", ...lines] = stdout.split("\n");
    expect(first).toBe("pandora will not boot on Xen 4.14.6.");
    const head = lines.slice(0, lines.indexOf("")).join(" ").replace(/\s+/g, " ");
    expect(head).toMatch(/initramfs-linux\.img is compressed with zstd/);
    expect(head).toMatch(/kernel 4\.11\.7-1-ARCH .*cannot unpack/);
    expect(head).toMatch(/changed .*mkinitcpio 29-1 to 30-1/);
    expect(head).toMatch(/set COMPRESSION="gzip" in \/etc\/mkinitcpio\.conf/);
  });

  test("every guest has its verdict, for this Xen and for a newer one", async () => {
    const old = await checkJson();
    expect(old.domus).toBe(1);
    expect(
      Object.fromEntries(old.guests.map((one) => [one.name, [one.verdict, ...errorsOf(one)]])),
    ).toEqual({
      database: ["fails", "kernel-packing"],
      mail: ["fails", "disk-missing"],
      new: ["fails", "pygrub-blind"],
      pandora: ["fails", "initramfs-compression"],
      shop: ["boots"],
      web: ["boots"],
    });
    const newer = await checkJson("--xen", "4.17", "database");
    expect(newer.guests[0]).toMatchObject({ name: "database", verdict: "boots" });
  });

  test("where pygrub boots another entry, the plan is pygrub's and a warning says so", async () => {
    const { guests } = await checkJson("shop");
    expect(guests[0]!.plan).toMatchObject({
      kernel: { version: "6.1.0-22-amd64" },
      entry: "Debian GNU/Linux",
    });
    expect(guests[0]!.findings.map((one) => one.code)).toContain("pygrub-entry");
  });

  test("a table for many, never wider than the terminal", async () => {
    const { code, stdout } = await cli(["check", "--root", root], { columns: 60 });
    expect(code).toBe(3);
    const lines = stdout.trim().split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
    // The reasons are indented below their guests.
    const rows = lines.slice(0, lines.indexOf("")).filter((line) => !line.startsWith(" "));
    expect(stdout.replace(/\s+/g, " ")).toContain(
      "which the kernel 4.11.7-1-ARCH (/boot/vmlinuz-linux) cannot unpack.",
    );
    expect(rows.map((row) => row.split(/\s+/).slice(0, 2).join(" "))).toEqual([
      "GUEST VERDICT",
      "database fails",
      "mail fails",
      "new fails",
      "pandora fails",
      "shop boots",
      "web boots",
    ]);
  });

  test("a wide terminal has the reasons beside the guests, whole", async () => {
    const { stdout } = await cli(["check", "--root", root], { columns: 120 });
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^GUEST +VERDICT +KERNEL +WHY$/);
    const at = lines[0]!.indexOf("WHY");
    const pandora = lines.findIndex((line) => line.startsWith("pandora"));
    expect(lines[pandora]!.slice(at)).toMatch(/^initramfs-compression: /);
    expect(lines[pandora + 1]).toMatch(new RegExp(`^ {${at}}\\S`));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  test("one unreadable config takes its place in the table; the others are checked", async () => {
    const { code, stdout } = await cli([
      "check",
      "--root",
      root,
      "/etc/xen/web.cfg",
      "/etc/xen/nosuch.cfg",
    ]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/web +boots/);
    expect(stdout).toMatch(/nosuch\.cfg +unknown/);
  });

  test("an interrupted check ends with 130", async () => {
    const controller = new AbortController();
    controller.abort();
    const { code, stderr } = await cli(["check", "--root", root], { signal: controller.signal });
    expect(code).toBe(130);
    expect(stderr).toContain("Interrupted");
  });
});

describe("wrong words", () => {
  test.each([
    [["chekc"], 2, /no command "chekc"/],
    [["check", "--frobnicate"], 2, /--frobnicate/],
    [["check", "--xen", "banana", "x.cfg"], 2, /no release of Xen/],
    [
      ["check", "--xen", "4.17", "/nosuch/guest.cfg"],
      1,
      /\/nosuch\/guest\.cfg: open failed[^]*no such file/i,
    ],
    [["disk", "ls", "nosuch"], 1, /no guest or config file "nosuch"/],
    [["disk", "parts", "/etc/passwd"], 2, /neither a disk nor a config/],
    [["explain", "kernel-pakcing"], 2, /Did you mean kernel-packing/],
    [["history"], 2, /TARGET/],
  ] as const)("%j", async (argv, code, text) => {
    const ran = await cli(argv);
    expect(ran.code).toBe(code);
    expect(ran.stderr).toMatch(text);
    expect(ran.stdout).toBe("");
  });

  test("a slip in a guest's name", async () => {
    for (const command of [["check"], ["disk", "ls"], ["history"]]) {
      const ran = await cli([...command, "--root", root, "pandroa"]);
      expect(ran).toMatchObject({ code: 1, stdout: "" });
      expect(ran.stderr).toContain("Did you mean pandora?");
    }
  });

  test("a FIFO is not waited for", async () => {
    const dir = scratch();
    sh(`mkfifo '${dir}/a.cfg' '${dir}/b'`);
    const config = await cli(["check", "--xen", "4.17", `${dir}/a.cfg`]);
    expect(config).toMatchObject({ code: 2, stdout: "" });
    expect(config.stderr).toContain("is a FIFO, not a file");
    expect((await cli(["disk", "ls", `${dir}/b`])).code).toBe(2);
    const substituted = sh(
      `cd '${import.meta.dirname}/../../..' && ${process.execPath} src/cli/main.ts check --json --root '${root}' --xen-info <(printf 'xen_major : 4\nxen_minor : 17\nxen_extra : .0\nxen_caps : xen-3.0-x86_64\n') web`,
    );
    expect(JSON.parse(substituted.toString())).toMatchObject({ host: { xen: "4.17.0" } });
  });

  test("directories where one thing is meant", async () => {
    const many = await cli(["disk", "ls", "--root", root, "/etc/xen"]);
    expect(many.code).toBe(2);
    expect(many.stderr).toMatch(/configs of 6 guests[^]*such as \/etc\/xen\/database\.cfg/);
    const gone = await cli(["check", "--root", join(root, "nosuch")]);
    expect(gone.code).toBe(2);
    expect(gone.stderr).toContain("There is no directory");
  });

  test("a disk where a config belongs", async () => {
    const image = join(root, "srv/xen/web.img");
    const ran = await cli(["check", "--xen", "4.17", image]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr.replace(/\s+/g, " ")).toContain(`domus disk parts ${image}`);
  });

  test("with --json an error is a document too", async () => {
    const { code, stdout } = await cli(["disk", "ls", "--json", "nosuch"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ domus: 1, error: { code: "not-found" } });
  });
});

describe("disk", () => {
  test("parts names partitions, filesystems and swap", async () => {
    const { stdout } = await cli(["disk", "parts", "--json", "--root", root, "web"]);
    const { disks } = JSON.parse(stdout) as {
      disks: { table: string; volumes: { device: string; format: string }[] }[];
    };
    expect(disks[0]).toMatchObject({ table: "gpt" });
    expect(disks[0]!.volumes.map((one) => [one.device, one.format])).toEqual([
      ["xvda", "partition table (gpt)"],
      ["xvda1", "ext4"],
      ["xvda2", "swap"],
    ]);
  });

  test("ls, cat and cp reach the same file, by guest, device and label", async () => {
    const cat = await cli(["disk", "cat", "--root", root, "web", "/etc/fstab"]);
    expect(cat.stdout).toBe(
      "UUID=6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de002 / ext4 errors=remount-ro 0 1\n",
    );
    for (const spec of ["xvda1:/etc/fstab", "1:/etc/fstab", "web:/etc/fstab"]) {
      expect((await cli(["disk", "cat", "--root", root, "web", spec])).stdout).toBe(cat.stdout);
    }
    const ls = await cli(["disk", "ls", "--root", root, "web", "/boot"]);
    expect(ls.stdout).toMatch(/vmlinuz-6\.1\.0-18-amd64/);
    const to = join(scratch(), "fstab");
    expect((await cli(["disk", "cp", "--root", root, "web", "/etc/fstab", to])).code).toBe(0);
    expect(readFileSync(to, "utf8")).toBe(cat.stdout);
    const again = await cli(["disk", "cp", "--root", root, "web", "/etc/fstab", to]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("--force");
  });

  test("cat prints several files, and goes on after one that is not there", async () => {
    const argv = ["disk", "cat", "--root", root, "web"];
    const { stdout } = await cli([...argv, "/etc/fstab"]);
    const two = await cli([...argv, "/etc/fstab", "xvda1:/etc/fstab"]);
    expect(two).toEqual({ code: 0, stdout: stdout + stdout, stderr: "" });
    const some = await cli([...argv, "/etc/fstab", "/nosuch", "/etc", "/etc/fstab"]);
    expect(some).toMatchObject({ code: 1, stdout: stdout + stdout });
    expect(some.stderr).toMatch(/Not printed: \/nosuch: [^]*Not printed: \/etc: /);
    expect((await cli([...argv, "--json", "/etc/fstab", "/etc/fstab"])).code).toBe(2);
    expect((await cli(argv)).code).toBe(2);
  });

  test("tree draws what is below, to a depth", async () => {
    const { code, stdout } = await cli(["disk", "tree", "--root", root, "web", "/boot"]);
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.slice(12))).toEqual([
      "|-- grub/",
      "|   `-- grub.cfg",
      "|-- initrd.img-6.1.0-18-amd64",
      "`-- vmlinuz-6.1.0-18-amd64",
      "",
    ]);
    const shallow = await cli(["disk", "tree", "--root", root, "web", "/boot", "--depth", "1"]);
    expect(shallow.stdout).not.toContain("grub.cfg");
    const file = await cli(["disk", "tree", "--root", root, "web", "/etc/fstab"]);
    expect(file.code).toBe(2);
    expect(file.stderr).toContain("domus disk ls web /etc/fstab");
  });

  test("usage fits a narrow terminal; swap is not copied", async () => {
    const wide = await cli(["disk", "usage", "--root", root, "web"], { columns: 80 });
    expect(wide.code).toBe(0);
    expect(wide.stdout).toMatch(/^xvda1 +ext4 +160 MiB/m);
    expect(wide.stdout).toMatch(/^xvda2 +swap +16 MiB +0 bytes$/m);
    const narrow = await cli(["disk", "usage", "--root", root, "web"], { columns: 40 });
    expect(Math.max(...narrow.stdout.split("\n").map((line) => line.length))).toBeLessThan(41);
    const boot = await cli(["disk", "usage", "--root", root, "web", "/boot", "--top", "1"]);
    expect(boot.stdout).toMatch(/2\.6 MiB +\/boot\/vmlinuz/);
    expect((await cli(["disk", "usage", "--root", root, "web", "--top", "0"])).code).toBe(2);
    const missing = await cli(["disk", "usage", "--root", root, "mail"]);
    expect(missing.code).toBe(1);
    expect(missing.stdout).toMatch(/mail-root\) is not counted\. There is no such/);
    expect(missing.stdout).not.toContain("A copy has to move");
  });

  test("cp --recursive brings a tree, links as links", async () => {
    const to = join(scratch(), "sbin");
    const { code, stderr } = await cli(["disk", "cp", "-r", "--root", root, "web", "/sbin", to]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
  });
});

test("history lists the changes and marks those that decide over a boot", async () => {
  const { stdout } = await cli(["history", "--root", root, "--boot", "database"]);
  expect(stdout).toMatch(/upgrade +linux-image-amd64 +6\.1\.158-1 -> 6\.12\.30-1/);
  expect(stdout).not.toMatch(/openssl/);
});

test("a copy that stops in the middle says what state things are in", async () => {
  const to = join(scratch(), "copy");
  mkdirSync(to);
  // The last of three files in the order of their names.
  mkdirSync(join(to, "boot"));
  writeFileSync(join(to, "boot/vmlinuz-6.1.0-18-amd64"), "mine");
  const { code, stderr } = await cli(["disk", "cp", "-r", "--root", root, "web", "/boot", to]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/cut off: 2 files \(.*\) arrived whole in .*copy\/boot\./);
  expect(stderr).toMatch(/it exists: --force overwrites/);
  expect(readFileSync(join(to, "boot/vmlinuz-6.1.0-18-amd64"), "utf8")).toBe("mine");
});
