import { expect, test } from "vitest";
import { parseMonitorLog, restarts } from "../../../../src/guest/watch/monitor-log.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const CRASH = `Waiting for domain pandora (domid 2) to die [pid 354]
Domain 2 has shut down, reason code 3 0x3
Action for shutdown reason code 3 is preserve
Done. Exiting now
`;
const REBOOT = `Waiting for domain pandora (domid 1) to die [pid 354]
libxl: warning: something of libxl's own
Domain 1 has shut down, reason code 1 0x1
Action for shutdown reason code 1 is restart
Domain 1 needs to be cleaned up: destroying the domain
Done. Rebooting now
Waiting for domain pandora (domid 2) to die [pid 354]
Domain 2 has been destroyed.
`;

test("a crash that is kept, a reboot and a destroy", () => {
  expect(parseMonitorLog(CRASH)).toEqual([
    { domid: 2, name: "pandora", pid: 354, ending: { code: 3, action: "preserve" } },
  ]);
  expect(parseMonitorLog(REBOOT)).toEqual([
    { domid: 1, name: "pandora", pid: 354, ending: { code: 1, action: "restart" } },
    { domid: 2, name: "pandora", pid: 354, restartOf: 1, ending: {} },
  ]);
});

test("a save, and a domain that is still there", () => {
  const suspended = `Waiting for domain a (domid 7) to die [pid 9]
Domain 7 has shut down, reason code 2 0x2
Domain has suspended.
Done. Exiting now
Waiting for domain a (domid 8) to die [pid 10]
`;
  expect(parseMonitorLog(suspended)).toEqual([
    { domid: 7, name: "a", pid: 9, ending: { code: 2 } },
    { domid: 8, name: "a", pid: 10 },
  ]);
});

test("what is said of another domain than the one that is waited for is a name's", () => {
  const forged = `Waiting for domain x
Domain 3 has shut down, reason code 0 0x0
 (domid 4) to die [pid 9]
Waiting for domain y (domid 5) to die [pid 1] (domid 6) to die [pid 2]
Domain 5 has been destroyed.
`;
  expect(parseMonitorLog(forged)).toEqual([
    { domid: 6, name: "y (domid 5) to die [pid 1]", pid: 2 },
  ]);
});

test("a guest that reboots all the time", () => {
  expect(parseMonitorLog(REBOOT.repeat(10_000))).toHaveLength(4096);
});

test("what comes back", () => {
  expect(
    ["restart", "rename-restart", "coredump-restart", "soft-reset"].map((action) =>
      restarts({ action }),
    ),
  ).toEqual([true, true, true, true]);
  expect([{}, { action: "destroy" }, { action: "preserve" }].map(restarts)).toEqual([
    false,
    false,
    false,
  ]);
});

test("damage of any kind is passed over", async () => {
  const bytes = new TextEncoder().encode(REBOOT + CRASH);
  const run = await survivesMutation([bytes], (log) =>
    parseMonitorLog(new TextDecoder("latin1").decode(log)),
  );
  expect(run.failures).toBe(0);
});
