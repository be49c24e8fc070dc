import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  domainJson,
  libxcStream,
  libxlStream,
  pageData,
  saveImage,
} from "../../test/support/save-image.ts";
import { median, once } from "./pair.ts";
import type { Sample } from "./pair.ts";

const GUESTS = Number(process.env["DOMUS_BENCH_GUESTS"] ?? 500);
/** Every tenth guest is saved, with so much memory in its image. */
const SAVED_EVERY = 10;
const MEMORY_MIB = 1024;
const RUNS = 7;
const TARGET_MIB = 120;

/**
 * `domus list` on the file tree of a host with 500 guests: two disks each, one a file; four of five start with the host;
 * every tenth is saved with 1 GiB of memory. Cold: nothing is known from an earlier run. Warm: what one run has kept.
 */
export function benchList(dist: string): void {
  const root = mkdtempSync(join(tmpdir(), "domus-bench-list-"));
  const cache = join(root, "cache");
  try {
    makeHost(root);
    // What is younger than a few seconds is not kept (docs/design/inventory.md).
    execFileSync("sleep", ["4"]);
    const list = {
      name: "domus list",
      argv: ["env", `XDG_CACHE_HOME=${cache}`, dist, "list", "--root", root],
    };
    const cold = Array.from({ length: RUNS }, () => {
      rmSync(cache, { recursive: true, force: true });
      mkdirSync(cache);
      return once(list, [0]);
    });
    const warm = Array.from({ length: RUNS }, () => once(list, [0]));
    const saved = Math.ceil(GUESTS / SAVED_EVERY);
    console.log(`list, ${GUESTS} guests, ${saved} save images of ${MEMORY_MIB} MiB`);
    console.log(lineOf("cold", cold, 1000));
    console.log(lineOf("warm", warm, 300));
  } finally {
    rmSync(root, { recursive: true });
  }
}

function lineOf(name: string, samples: readonly Sample[], targetMs: number): string {
  const walls = samples.map((sample) => sample.wallMs);
  const cpu = median(samples.map((sample) => sample.cpuMs));
  const peak = Math.max(...samples.map((sample) => sample.peakMib));
  const range = `${Math.min(...walls).toFixed(0)} to ${Math.max(...walls).toFixed(0)}`;
  const good = median(walls) <= targetMs && peak <= TARGET_MIB;
  return `  ${name}  wall ${median(walls).toFixed(0)} ms (${range})   cpu ${cpu.toFixed(0)} ms   peak ${peak.toFixed(0)} MiB   ${good ? "within" : "OVER"} ${targetMs} ms and ${TARGET_MIB} MiB`;
}

function makeHost(root: string): void {
  for (const dir of ["etc/xen/auto", "srv/guests", "var/lib/xen/save"]) {
    mkdirSync(join(root, dir), { recursive: true });
  }
  for (let index = 0; index < GUESTS; index++) {
    const name = `guest${String(index).padStart(3, "0")}`;
    const uuid = `00000000-0000-4000-8000-${String(index + 1).padStart(12, "0")}`;
    writeFileSync(join(root, `etc/xen/${name}.cfg`), configText(name, uuid));
    writeFileSync(join(root, `srv/guests/${name}.img`), "");
    truncateSync(join(root, `srv/guests/${name}.img`), 10 * 1024 ** 3);
    if (index % 5 !== 0) symlinkSync(`../${name}.cfg`, join(root, `etc/xen/auto/${name}.cfg`));
    if (index % SAVED_EVERY === 0)
      writeSparseImage(join(root, `var/lib/xen/save/${name}`), name, uuid);
  }
}

function configText(name: string, uuid: string): string {
  return [
    `# ${name}: made for a measurement`,
    `name = "${name}"`,
    `uuid = "${uuid}"`,
    `type = "pv"`,
    `memory = ${MEMORY_MIB}`,
    `vcpus = 2`,
    `bootloader = "pygrub"`,
    `disk = [`,
    `  '/srv/guests/${name}.img,raw,xvda,rw',`,
    `  'phy:/dev/vg0/${name}-data,xvdb,w',`,
    `]`,
    `vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0' ]`,
    `on_crash = "restart"`,
    "",
  ].join("\n");
}

/** As `xl save` writes it, with holes for pages. */
function writeSparseImage(path: string, name: string, uuid: string): void {
  const fd = openSync(path, "w");
  const marker = Buffer.from("end of records");
  const stream = libxlStream({
    records: [Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), libxcStream({ records: [marker] })],
  });
  const whole = saveImage({ config: domainJson(name, uuid), stream });
  const split = whole.indexOf(marker);
  let at = writeSync(fd, whole, 0, split, 0);
  const batch = pageData(1024);
  for (let mib = 0; mib < MEMORY_MIB; mib += 4) {
    writeSync(fd, batch, 0, 8 + 8 + 8 * 1024, at);
    at += batch.length;
  }
  const rest = whole.subarray(split + marker.length);
  writeSync(fd, rest, 0, rest.length, at);
  ftruncateSync(fd, at + rest.length);
  closeSync(fd);
}
