import { expect, test } from "vitest";
import { isMarkAlive, ownMark } from "../../../../src/host/local/process-mark.ts";

test("a process is known by its pid, its start and the host's", () => {
  const own = ownMark();
  expect(own.pid).toBe(process.pid);
  expect(own.pidStarted).toMatch(/^\d+$/);
  expect(own.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(isMarkAlive(own)).toBe(true);
  expect(isMarkAlive({ ...own, pidStarted: "1" })).toBe(false);
  expect(isMarkAlive({ ...own, bootId: "another" })).toBe(false);
  expect(isMarkAlive({ ...own, pid: 4_194_304 })).toBe(false);
});
