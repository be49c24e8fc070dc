import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { constants, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PipeReader } from "../../../../src/host/local/pipe-reader.ts";

/** A reader of a FIFO, and the command that writes `bytes` into it. */
function setUp(bytes: Uint8Array) {
  const dir = mkdtempSync(join(tmpdir(), "domus-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const [fifo, file] = [join(dir, "fifo"), join(dir, "bytes")];
  writeFileSync(file, bytes);
  execFileSync("mkfifo", [fifo]);
  // Also for writing, as there is no writer yet: the end would be read at once.
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const reader = new PipeReader(fd, ["fifo"]);
  return { reader, write: () => spawn("dd", [`if=${file}`, `of=${fifo}`, "bs=50000"]) };
}

test("gives all bytes in order, each chunk until the next call", async () => {
  const bytes = randomBytes(3_000_001);
  const { reader, write } = setUp(bytes);
  write();
  const sha256 = createHash("sha256");
  let got = 0;
  for (let turn = 0; got < bytes.length; turn++) {
    const chunk = (await reader.read())!;
    expect(chunk.length).toBeGreaterThan(0);
    // What comes meanwhile must not be written over it.
    for (let i = 0; i < turn % 5; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    sha256.update(chunk);
    got += chunk.length;
  }
  expect(sha256.digest()).toEqual(createHash("sha256").update(bytes).digest());
  const last = reader.read();
  reader.socket.destroy();
  expect(await last).toBe(undefined);
  expect(await reader.read()).toBe(undefined);
});

test("ends when its other end does, after what was written", async () => {
  const dir = mkdtempSync(join(tmpdir(), "domus-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const fifo = join(dir, "fifo");
  execFileSync("mkfifo", [fifo]);
  // Opening for reading waits for the writer, and the other way round.
  spawn("sh", ["-c", 'printf abc >"$0"', fifo]);
  const reader = new PipeReader(openSync(fifo, constants.O_RDONLY), ["fifo"]);
  expect(Buffer.from((await reader.read())!).toString()).toBe("abc");
  expect(await reader.read()).toBe(undefined);
});

test("is not for files", () => {
  expect(() => new PipeReader(openSync("/etc/hostname", "r"), ["file"])).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_FD_TYPE" }),
  );
});
