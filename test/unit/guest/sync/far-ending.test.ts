import { expect, test } from "vitest";
import { explainEnding } from "../../../../src/guest/sync/far-ending.ts";

const options = {
  host: "root@hostb",
  ssh: ["ssh"],
  domus: "domus",
  bootstrap: false,
  attended: true,
  timeoutSeconds: 60,
};

/** What OpenSSH 9.2 and shells said, word for word. */
test.each([
  ["no such host", 255, "ssh: Could not resolve hostname hostb: Name or service not known\r\n"],
  ["refused", 255, "ssh: connect to host hostb port 22: Connection refused\r\n"],
  ["timed out", 255, "ssh: connect to host hostb port 22: Connection timed out\r\n"],
  ["unknown key", 255, "Host key verification failed.\r\n"],
  [
    "changed key",
    255,
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nHost key verification failed.\r\n",
  ],
  ["not let in", 255, "root@hostb: Permission denied (publickey).\r\n"],
  ["dash without domus", 127, "sh: 1: domus: not found\n"],
  ["bash without domus", 127, "bash: line 1: domus: command not found\n"],
  ["a path without domus", 127, "sh: 1: /opt/domus: No such file or directory\n"],
  ["an older domus", 2, 'domus: there is no command "sync".\n'],
  ["another machine", 126, "cannot run what was sent: sh: 1: /tmp/d/domus: Exec format error\n"],
  ["something else", 255, "kex_exchange_identification: read: Connection reset by peer\n"],
  ["killed", undefined, ""],
])("%s", (_, exitCode, stderr) => {
  const ending = { stderr, ...(exitCode !== undefined && { exitCode }) };
  expect(explainEnding(ending, options)).toMatchSnapshot();
});

test("an end in order says nothing", () => {
  expect(explainEnding({ exitCode: 0, stderr: "" }, options)).toBeUndefined();
});

test("what the other side says cannot write to the terminal", () => {
  const told = explainEnding({ exitCode: 1, stderr: "\u001b[2Jgone\n".repeat(100) }, options)!;
  expect(told.why).not.toContain("\u001b");
  expect(told.why.length).toBeLessThan(1200);
});

test("words of ssh that a far program says do not mislead", () => {
  const told = explainEnding({ exitCode: 1, stderr: "Permission denied (x)\n" }, options)!;
  expect(told.what).toBe("The connection to root@hostb has ended.");
});
