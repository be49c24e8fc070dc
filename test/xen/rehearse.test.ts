/** domus rehearse on real Xen: copies that come up and that do not, of volumes and of files; the originals stay as they are. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianKernel, debianPackage } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { testHost } from "../support/lab.ts";
import { writePygrubGuest } from "../support/pygrub-guests.ts";

const KERNEL = "6.1-cloud";
const VOLUME = "/dev/vg0/web-disk";
const FILE = "/srv/guests/file-disk.img";
const PATIENT = { timeoutMs: 850_000 };

let host: LabHost;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  const image = join(dir, "guest.img");
  makeExt4Guest(image, { kernel: KERNEL });
  host = await testHost({ name: "test-rehearse" });
  await writePygrubGuest(host, { name: "web", disks: [{ image }] });
  const booted = { kernel: debianKernel(KERNEL).vmlinuz, ramdisk: guestInitramfs(KERNEL) };
  const config = await host.writeGuest({
    ...{ name: "file", disks: [{ image, as: "file" }], ...booted },
    config: ['extra = "root=/dev/xvda console=hvc0"', 'vif = [ "bridge=xenbr0" ]'],
  });
  // The same kernel with a root that has no such init.
  await host.output(
    `sed 's,"file","panics",; s,^extra.*,extra = "root=/dev/xvda console=hvc0 init=/nowhere",; s,file:${FILE},phy:${VOLUME},' ${config} > /etc/xen/panics.cfg`,
  );
  await host.copyIn(qemuImg(), "/root/qemu-img");
  await host.output(
    "cd /root/qemu-img && install -m 755 qemu-img /usr/local/bin/ && cp lib* /usr/local/lib/ && ldconfig && qemu-img --version",
  );
});

afterAll(async () => {
  await host.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Of Debian's, with the libraries that a dom0 with Xen's QEMU does not have anyway. */
function qemuImg(): string[] {
  const libraries = ["libnuma1", "liburing2"].flatMap((name) => {
    const directory = join(debianPackage("bookworm", name), "usr/lib/x86_64-linux-gnu");
    const files = readdirSync(directory).filter((file) => /\.so\.\d+\.\d/.test(file));
    return files.map((file) => join(directory, file));
  });
  return [join(debianPackage("bookworm", "qemu-utils"), "usr/bin/qemu-img"), ...libraries];
}

function digests(): Promise<string> {
  return host.output(`blockdev --flushbufs ${VOLUME}; md5sum ${VOLUME} ${FILE}`, PATIENT);
}

/** What of copies is there: domains, volumes, files, and processes of xl that work on one. */
function left(): Promise<string> {
  return host.output(
    "xl list | grep -o 'domus-rehearse[^ ]*'; lvs --noheadings -o lv_name vg0 | grep rehearse; ls /var/lib/domus/rehearse 2>/dev/null; pgrep -af 'xl create.*rehears[e]'; true",
  );
}

type Rehearsed = {
  readonly boot: {
    readonly outcome: string;
    readonly reason: string;
    readonly evidence: readonly string[];
  };
  readonly left: readonly string[];
  readonly notes: readonly string[];
  readonly copy: { readonly disks: readonly { readonly kind: string }[] };
};

async function rehearse(guest: string, code: number): Promise<Rehearsed> {
  const before = await digests();
  const ran = await host.run(`domus rehearse --limit 600 --json ${guest}`, PATIENT);
  expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(code);
  expect(await digests(), "the originals").toBe(before);
  expect(await left()).toBe("");
  const said = JSON.parse(ran.stdout) as Rehearsed;
  expect(said.left).toEqual([]);
  return said;
}

test("a copy of a volume comes up, through the bootloader", async () => {
  const { boot, copy } = await rehearse("web", 0);
  expect([boot.outcome, copy.disks[0]?.kind], boot.reason).toEqual(["up", "snapshot"]);
  expect(boot.evidence.join("\n")).toContain("userland reached");
});

test("a copy that panics: with the reason", async () => {
  const { boot } = await rehearse("panics", 3);
  expect(boot.outcome).toBe("failed");
  expect(boot.reason).toMatch(/the kernel panicked: Attempted to kill init/);
});

test("a copy of a file, without its network", async () => {
  const { boot, copy, notes } = await rehearse("file", 0);
  expect([boot.outcome, copy.disks[0]?.kind], boot.reason).toEqual(["up", "overlay"]);
  expect(notes).toEqual(["The copy has no network."]);
});

test("kill -9 while the guest itself runs: the copy goes with the next command, the guest goes on", async () => {
  await host.output("xl create /etc/xen/web.cfg", PATIENT);
  await host.waitForConsole("web", /userland reached/);
  const domid = await host.output("xl domid web");
  await host.output(
    `domus rehearse web > /root/said 2>&1 & pid=$!
     until grep -q 'It runs as domain' /root/said; do kill -0 $pid || { cat /root/said; exit 1; }; sleep 0.3; done
     kill -9 $pid`,
    PATIENT,
  );
  expect(await host.output("cat /root/said")).toContain("as after a power failure");
  expect(await left()).toMatch(/^domus-rehearse-web-(\w{8})\n +domus-rehearse-\1-0\n\1\n/);
  const cleaned = await host.run("domus rehearse --clean", PATIENT);
  expect(cleaned.code, cleaned.stderr).toBe(0);
  expect(cleaned.stderr).toContain("domus rehearse web was cut off");
  expect(await left()).toBe("");
  expect(await host.output("xl domid web")).toBe(domid);
});
