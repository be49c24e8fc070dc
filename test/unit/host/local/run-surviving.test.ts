import { describe, expect, test } from "vitest";
import { runLocal } from "../../../../src/host/local/run.ts";

const survives = { survives: true };

describe("a program that survives", () => {
  test("is run to its end, with what it reads and says", async () => {
    const script = "read line; echo got $line; echo oops >&2; exit 7";
    const ran = await runLocal(["sh", "-c", script], { ...survives, stdin: "a word\n" });
    expect(ran).toMatchObject({ exitCode: 7, stdout: "got a word\n", stderr: "oops\n" });
  });

  test("has a session of its own, and no pipe that could break", async () => {
    const script = "echo $$; cut -d' ' -f6 /proc/$$/stat; readlink /proc/$$/fd/1 /proc/$$/fd/2";
    const { stdout } = await runLocal(["sh", "-c", script], survives);
    const [pid, session, ...files] = stdout.trimEnd().split("\n");
    expect(session).toBe(pid);
    expect(files).toHaveLength(2);
    for (const file of files) expect(file).toMatch(/^\/.*\(deleted\)$/);
  });

  test("is not ended by an abort", async () => {
    const signal = AbortSignal.abort();
    const ran = await runLocal(["echo", "done"], { ...survives, signal });
    expect(ran.stdout).toBe("done\n");
  });

  test("that is not there is missing; one that says too much fails", async () => {
    await expect(runLocal(["/no/such/program"], survives)).rejects.toThrow("program /no/such");
    const much = runLocal(["head", "-c", "2000", "/dev/zero"], {
      ...survives,
      maxOutputBytes: 1000,
    });
    await expect(much).rejects.toThrow("more than 1000 bytes");
  });

  test("that is killed has an exit code above all others", async () => {
    expect(await runLocal(["sh", "-c", "kill -9 $$"], survives)).toMatchObject({ exitCode: 128 });
  });
});
